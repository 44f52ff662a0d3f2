/**
 * Refused upstream is refused client: while the target does not listen, neither does the tap. TCP lets nobody answer a SYN
 * by what somebody else answers, so the tap knows beforehand: from the kernel's table where the target is on this machine,
 * from the last dial and from probes where it is not.
 */
import type { Address, Listener, Reactor, Timer } from '../reactor/reactor.ts';

/** How often the table is asked; a lookup of one socket takes 20 µs. */
const LOOK_NS = 50e6;
/** A probe is a connection that the target sees. */
const PROBE_NS = 500e6;
const REFUSALS: ReadonlySet<number> = new Set([-111, -113, -101, -2, -104]);

export type MirrorState = 'listening' | 'refusing' | 'silent';

export interface Mirrored {
  /** Does it listen, as far as this machine's table knows? Null: it does not say. */
  listens(target: Address): boolean | null;
  /** Dials and hangs up. */
  probe(done: (result: number) => void): void;
  /** Opens the listener again; -errno when somebody else has its port now. */
  listen(): Listener | number;
  changed(state: MirrorState, why: number): void;
  /** The target is back, and our port is somebody else's (-errno). */
  taken(errno: number): void;
}

export interface Mirror {
  readonly state: MirrorState;
  /** How a client's own dial went. */
  dialled(result: number): void;
  /** A fault wants clients to be refused, whatever the target does; or does not want it any more. */
  refuse(wanted: boolean): void;
  close(): void;
}

/** No target: nothing is mirrored, and only a fault refuses. */
export function createMirror(
  reactor: Reactor,
  target: readonly Address[],
  listener: Listener,
  mirrored: Mirrored,
): Mirror {
  let timer: Timer | null = null;
  let closed = false;
  let probing = false;
  let toldTaken = false;
  let wanted = false;

  const mirror = {
    state: 'listening' as MirrorState,
    listener: listener as Listener | null,
    dialled(result: number) {
      if (closed || wanted || result === 0 || target.length === 0) {
        return;
      }
      if (REFUSALS.has(result)) {
        refuse(result);
      } else if (result === -110) {
        hush();
      }
    },
    refuse(now: boolean) {
      wanted = now;
      if (now) {
        refuse(0);
      } else {
        heal();
      }
    },
    close() {
      closed = true;
      timer?.cancel();
      mirror.listener?.close();
      mirror.listener = null;
    },
  };

  /** The table does not know a target behind NAT: then it is not asked again. */
  let table = true;
  /** The first look is a probe where the table says nothing: whoever comes first shall be refused as well. */
  let first = true;

  function known(): boolean | null {
    if (!table) {
      return null;
    }
    const answers = target.map((address) => mirrored.listens(address));
    return answers.includes(true) ? true : answers.includes(null) ? null : false;
  }

  function become(state: MirrorState, why: number): void {
    if (mirror.state !== state) {
      mirror.state = state;
      mirrored.changed(state, why);
    }
  }

  function refuse(why: number): void {
    mirror.listener?.close();
    mirror.listener = null;
    become('refusing', why);
  }

  /** A host that does not answer: a client's SYN shall not be answered either. */
  function hush(): void {
    if (mirror.listener !== null && mirror.listener.silence(true) === 0) {
      become('silent', -110);
    }
  }

  function heal(): void {
    if (wanted || closed) {
      return;
    }
    if (mirror.listener === null) {
      const again = mirrored.listen();
      if (typeof again === 'number') {
        if (!toldTaken) {
          toldTaken = true;
          mirrored.taken(again);
        }
        return;
      }
      mirror.listener = again;
      toldTaken = false;
    } else if (mirror.state === 'silent') {
      mirror.listener.silence(false);
    }
    become('listening', 0);
  }

  function look(): void {
    const listens = known();
    if (mirror.state === 'silent') {
      // It may listen and yet answer nobody: a full queue.
      probe(false);
    } else if (listens === true) {
      heal();
    } else if (listens === null ? first || mirror.state !== 'listening' : mirror.state === 'listening') {
      probe(listens === false);
    }
    first = false;
    timer = reactor.after(listens === null || mirror.state === 'silent' ? PROBE_NS : LOOK_NS, look);
  }

  function probe(doubtsTable: boolean): void {
    if (probing) {
      return;
    }
    probing = true;
    mirrored.probe((result) => {
      probing = false;
      if (closed) {
        return;
      }
      if (result === 0) {
        table &&= !doubtsTable;
        heal();
      } else {
        mirror.dialled(result);
      }
    });
  }

  if (target.length > 0) {
    look();
  }
  return mirror;
}
