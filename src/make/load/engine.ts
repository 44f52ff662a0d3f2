/** Makes the load of one thread on whatever reactor it is given, and counts. */
import type { Reactor, Timer } from '../../reactor/reactor.ts';
import { Connection } from './connection.ts';
import { DatagramCaller } from './datagram.ts';
import type { Caller, Cause, Desk } from './desk.ts';
import { kindNamed } from './kinds.ts';
import { createPace } from './pace.ts';
import type { LoadPlan, Share } from './plan.ts';
import { type Sent, take, tally } from './tally.ts';

const BUFFER = 64 * 1024;
/** Connects on their way at the beginning: more at once overflow a listener's queue, and then each waits a second. */
const LAUNCHES = 128;
const SECOND = 1e9;
const SHORTEST_SWEEP_NS = 10e6;
const LONGEST_SWEEP_NS = 250e6;
/** So long nobody may refuse us before we believe it. */
const PATIENCE_NS = SECOND;

const ECONNREFUSED = -111;
/** They do not go away by trying again. */
const FATAL: ReadonlySet<number> = new Set([
  -1, // EPERM
  -13, // EACCES
  -22, // EINVAL
  -23, // ENFILE
  -24, // EMFILE
  -97, // EAFNOSUPPORT
  -99, // EADDRNOTAVAIL
  -101, // ENETUNREACH
]);

export interface SecondOver {
  readonly second: number;
  /** Nanoseconds. */
  readonly lasted: number;
  readonly open: number;
  readonly counted: Sent;
}

export interface Stopped {
  readonly cause: Cause;
  /** Of the run, in nanoseconds. */
  readonly lasted: number;
  readonly waiting: number;
  readonly longestWait: number;
  readonly connecting: number;
  readonly late: number;
}

export interface Teller {
  second(over: SecondOver): void;
  /** The sockets are still open: `close` closes them. */
  stopped(how: Stopped): void;
}

export interface Engine {
  stop(): void;
  close(): void;
}

export function startEngine(
  reactor: Reactor,
  clock: () => number,
  plan: LoadPlan,
  share: Share,
  teller: Teller,
): Engine {
  const kind = kindNamed(plan.kind)!;
  const request = kind.request(plan.wishes);
  const start = clock();
  const pace = createPace(share, start);
  const idle: Caller[] = [];
  const waits = new Set<Caller>();
  const timers = new Set<Timer>();
  let launching = 0;
  let next = 0;
  let second = 0;
  let secondBegan = start;
  let lastSign = start;
  let tick: Timer | null = null;
  let ticking = false;

  const desk: Desk = {
    reactor,
    plan,
    kind,
    pace,
    tally: tally(),
    request,
    batch: repeated(request, Math.max(1, plan.pipeline)),
    // Not from Node's pool of small buffers: its address is remembered.
    buffer: new Uint8Array(new ArrayBuffer(BUFFER)),
    ended: false,
    open: 0,
    flying: 0,
    clock,
    get nobodyFree() {
      return waits.size === 0 && !ticking;
    },
    free(caller) {
      if (share.rate > 0 && !waits.has(caller)) {
        waits.add(caller);
        idle.push(caller);
        setTick();
      }
    },
    launched() {
      launching--;
      launchMore();
    },
    lives(now) {
      lastSign = now;
    },
    settle() {
      if (desk.flying === 0 && pace.finished() && kind.manner !== 'hold') {
        stop({ code: 'count' });
      }
    },
    goesOn(errno) {
      const never = desk.tally.opened === 0 && second === 0 && desk.open === 0;
      if (FATAL.has(errno) || (errno === ECONNREFUSED && never) || clock() - lastSign > PATIENCE_NS) {
        stop({ code: 'errno', errno });
      }
      return !desk.ended;
    },
    stop,
  };

  const callers: Caller[] = Array.from({ length: share.connections }, () =>
    kind.manner === 'datagram' ? new DatagramCaller(desk) : new Connection(desk),
  );

  function launchMore(): void {
    while (launching < LAUNCHES && next < callers.length && !desk.ended) {
      launching++;
      callers[next++]!.launch(clock());
    }
  }

  /** Wakes those who are free when the next request is due. */
  function setTick(): void {
    if (tick !== null || desk.ended) {
      return;
    }
    const due = pace.due();
    if (due < 0) {
      return;
    }
    tick = reactor.after(Math.max(0, due - clock()), () => {
      tick = null;
      const now = clock();
      ticking = true;
      // Each at most once: who is still free comes back to the end of the line.
      for (let turn = idle.length; turn > 0 && pace.due() >= 0 && pace.due() <= now; turn--) {
        const caller = idle.shift()!;
        waits.delete(caller);
        caller.fill(now);
      }
      ticking = false;
      if (idle.length > 0) {
        setTick();
      }
    });
  }

  function every(ns: number, run: () => void): void {
    const again = (): void => {
      const timer = reactor.after(ns, () => {
        timers.delete(timer);
        if (!desk.ended) {
          run();
          again();
        }
      });
      timers.add(timer);
    };
    again();
  }

  function endSecond(now: number): void {
    const lasted = now - secondBegan;
    secondBegan = now;
    teller.second({ second: second++, lasted, open: desk.open, counted: take(desk.tally) });
  }

  function nextSecond(): void {
    const timer = reactor.after(Math.max(0, start + (second + 1) * SECOND - clock()), () => {
      timers.delete(timer);
      if (!desk.ended) {
        endSecond(clock());
        nextSecond();
      }
    });
    timers.add(timer);
  }

  function stop(cause: Cause): void {
    if (desk.ended) {
      return;
    }
    desk.ended = true;
    tick?.cancel();
    for (const timer of timers) {
      timer.cancel();
    }
    const now = clock();
    const busy = callers.filter(({ flying }) => flying > 0);
    endSecond(now);
    teller.stopped({
      cause,
      lasted: now - start,
      waiting: busy.reduce((sum, { flying }) => sum + flying, 0),
      longestWait: busy.reduce((most, { oldest }) => Math.max(most, now - oldest), 0),
      connecting: callers.filter(({ connecting }) => connecting).length,
      late: pace.late(),
    });
  }

  if (plan.durationNs > 0) {
    timers.add(reactor.after(plan.durationNs, () => stop({ code: 'time' })));
  }
  nextSecond();
  const sweep = Math.min(LONGEST_SWEEP_NS, Math.max(SHORTEST_SWEEP_NS, plan.timeoutNs / 4));
  every(sweep, () => {
    const now = clock();
    for (const caller of callers) {
      caller.sweep(now);
    }
  });
  launchMore();

  return {
    stop: () => stop({ code: 'interrupted' }),
    close() {
      for (const caller of callers) {
        caller.close();
      }
    },
  };
}

function repeated(bytes: Uint8Array, times: number): Uint8Array {
  const made = new Uint8Array(new ArrayBuffer(Math.max(1, bytes.length * times)));
  for (let index = 0; index < times; index++) {
    made.set(bytes, index * bytes.length);
  }
  return made;
}
