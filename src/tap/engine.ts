/** All taps on one reactor: what a thread of its own runs, or Node's loop where there is no epoll. Orders come in, observations go out. */
import type { Address, Reactor } from '../reactor/reactor.ts';
import { decoders } from '../wire/app/decoders.ts';
import { heard } from '../wire/heard.ts';
import { type Command, createStatistics } from '../wire/statistics.ts';
import type { Verdict } from './control.ts';
import type { PlannedFault } from './fault.ts';
import type { Hearing } from './hearing.ts';
import type { TapHost } from './host.ts';
import { type LedTap, openLedTap } from './led.ts';
import type { Observation } from './observation.ts';
import type { Resolved, TapPlan } from './plan.ts';
import { openTap, type Places, type RunningTap } from './tap.ts';
import { openUdpTap } from './udp-running.ts';

/** What somebody wants to hear of; the rest is only counted. */
export interface Wants {
  connections: boolean;
  messages: boolean;
  bytes: boolean;
  /** Secrets as they are. */
  reveal: boolean;
  /** Only a line will be shown of each message. */
  brief: boolean;
}

export interface EngineOptions {
  readonly tell: (observation: Observation) => void;
  readonly wants: Wants;
  readonly listens: (target: Address) => boolean | null;
  readonly seed: number;
  /** Numbers of held messages begin behind it: they are unique in a session that has two engines. */
  readonly heldFrom: number;
  readonly enter: TapHost['enter'];
  /** Looks up a name that a client asked for. */
  readonly resolve: (host: string, port: number, done: (addresses: Resolved) => void) => void;
}

export interface Counts {
  readonly name: string;
  readonly address: Address;
  readonly connections: number;
  readonly opened: number;
  readonly fromClient: number;
  readonly fromServer: number;
}

export interface Engine {
  readonly wants: Wants;
  open(plan: TapPlan, places: Places): Address | number;
  /** The tap of a program that is led through us. */
  openLed(plan: TapPlan): void;
  /** For the program of that tap; `done` hears 0 or -errno. */
  dial(tap: string, id: number, target: Address, done: (result: number) => void): void;
  adopt(tap: string, id: number, fd: number): void;
  abandon(tap: string, id: number): void;
  publish(tap: string, at: readonly { readonly host: string; readonly port: number }[]): void;
  close(tap: string): boolean;
  faults(tap: string, planned: readonly PlannedFault[]): void;
  counts(): Counts[];
  commands(): Command[];
  release(held: number, verdict: Verdict): void;
  closeAll(): void;
}

export function createEngine(reactor: Reactor, options: EngineOptions): Engine {
  const { tell, wants, listens, seed, resolve, enter } = options;
  const taps = new Map<string, RunningTap>();
  const led = new Map<string, LedTap>();
  /** What went through taps that were closed. */
  const gone = new Map<string, Counts>();
  const statistics = createStatistics();
  const budget = { pending: 0 };
  let lastHeld = options.heldFrom;
  /** Messages that wait for a person: where. */
  const holding = new Map<number, { readonly tap: string; readonly connection: number }>();
  const now = (): number => reactor.now();

  const host: TapHost = {
    reactor,
    seed,
    resolve,
    enter,
    nextHeld: () => ++lastHeld,
    now,
    tell(observation) {
      if (observation.type === 'held') {
        holding.set(observation.id, { tap: observation.tap, connection: observation.connection });
      } else if (observation.type === 'released') {
        holding.delete(observation.id);
      }
      tell(observation);
    },
    wants,
    listens,
    hearingFor: (tap): Hearing => ({
      decoders,
      statistics,
      budget,
      now,
      wants,
      said: (spoken, connection) => ({
        type: 'message',
        at: spoken.at,
        tap,
        connection,
        heard: heard(spoken, wants.reveal, wants.brief),
      }),
      tell,
      trouble(from, why, connection) {
        tell({ type: 'trouble', of: 'decoder', at: now(), tap, connection, from, why });
      },
      bytes(from, bytes, connection) {
        tell({ type: 'bytes', at: now(), tap, connection, from, bytes });
      },
    }),
  };

  return {
    wants,
    open(plan, places) {
      const opened =
        plan.listen.kind === 'udp' ? openUdpTap(host, plan, places) : openTap(host, plan, places);
      if (typeof opened === 'number') {
        return opened;
      }
      taps.set(plan.name, opened);
      return opened.address;
    },
    openLed(plan) {
      const tap = openLedTap(host, plan);
      led.set(plan.name, tap);
      taps.set(plan.name, tap);
    },
    dial: (tap, id, target, done) => led.get(tap)?.dial(id, target, done),
    adopt: (tap, id, fd) => led.get(tap)?.adopt(id, fd),
    abandon: (tap, id) => led.get(tap)?.abandon(id),
    publish: (tap, at) => led.get(tap)?.publish(at),
    close(name) {
      const tap = taps.get(name);
      if (tap === undefined) {
        return false;
      }
      tap.close();
      gone.set(name, together(countsOf(name, tap), gone.get(name)));
      return taps.delete(name);
    },
    faults(tap, planned) {
      taps.get(tap)?.faults(planned);
    },
    counts: () => [
      ...[...taps].map(([name, tap]) => together(countsOf(name, tap), gone.get(name))),
      ...[...gone.values()].filter(({ name }) => !taps.has(name)),
    ],
    commands: () => [...statistics.commands.values()].flatMap((names) => [...names.values()]),
    release(held, verdict) {
      const where = holding.get(held);
      if (where !== undefined && [...taps.values()].some((tap) => tap.release(held, verdict))) {
        holding.delete(held);
        tell({ type: 'released', at: now(), ...where, id: held, verdict: verdict.verdict });
      }
    },
    closeAll() {
      for (const tap of taps.values()) {
        tap.close();
      }
      taps.clear();
    },
  };
}

/** A tap that was changed was closed and opened again: what went through it before counts as well. */
function together(now: Counts, before: Counts | undefined): Counts {
  return before === undefined
    ? now
    : {
        ...now,
        opened: now.opened + before.opened,
        fromClient: now.fromClient + before.fromClient,
        fromServer: now.fromServer + before.fromServer,
      };
}

function countsOf(name: string, { address, open, opened, fromClient, fromServer }: RunningTap): Counts {
  return { name, address, connections: open, opened, fromClient, fromServer };
}
