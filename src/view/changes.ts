/** What is new, different or gone between two readings of the table: a pure fold, keyed by the kernel's socket cookie. */
import type { Socket } from '../session/socket.ts';

/** How long a row stays highlighted. */
export const HIGHLIGHT_MS = 2500;
/** Vanished rows kept on screen at most; more than nobody could read are only counted. */
export const GONE_LIMIT = 500;

export interface Mark {
  kind: 'new' | 'changed' | 'gone';
  /** Which parts differ; both false for new and gone rows. */
  state: boolean;
  queues: boolean;
  /** When the highlight ends, on the caller's clock. */
  until: number;
}

export interface Changes {
  /** The last reading, by cookie. */
  present: ReadonlyMap<string, Socket>;
  /** Rows to highlight; small, whatever the size of the table. */
  marks: ReadonlyMap<string, Mark>;
  /** Rows that vanished a moment ago, as last seen. */
  gone: readonly Socket[];
}

function byCookie(sockets: readonly Socket[]): Map<string, Socket> {
  const present = new Map<string, Socket>();
  for (const socket of sockets) {
    present.set(socket.cookie, socket);
  }
  return present;
}

/** The first reading: everything was there before we looked, so nothing is new. */
export function firstSight(sockets: readonly Socket[]): Changes {
  return { present: byCookie(sockets), marks: new Map(), gone: [] };
}

function difference(before: Socket, after: Socket): { state: boolean; queues: boolean } | null {
  const state = before.state !== after.state;
  const queues =
    before.recvQueue !== after.recvQueue ||
    before.sendQueue !== after.sendQueue ||
    before.accept?.used !== after.accept?.used ||
    before.accept?.limit !== after.accept?.limit;
  return state || queues ? { state, queues } : null;
}

export function nextSight(before: Changes, sockets: readonly Socket[], now: number): Changes {
  const present = byCookie(sockets);
  const until = now + HIGHLIGHT_MS;
  const marks = new Map<string, Mark>();
  for (const [cookie, mark] of before.marks) {
    if (mark.until > now && (mark.kind === 'gone') !== present.has(cookie)) {
      marks.set(cookie, mark);
    }
  }
  for (const [cookie, socket] of present) {
    const known = before.present.get(cookie);
    if (known === undefined) {
      marks.set(cookie, { kind: 'new', state: false, queues: false, until });
      continue;
    }
    const changed = difference(known, socket);
    const held = marks.get(cookie);
    if (changed !== null && held?.kind !== 'new') {
      marks.set(cookie, {
        kind: 'changed',
        state: changed.state || held?.state === true,
        queues: changed.queues || held?.queues === true,
        until,
      });
    }
  }
  const gone = before.gone.filter((socket) => marks.get(socket.cookie)?.kind === 'gone');
  for (const [cookie, socket] of before.present) {
    if (!present.has(cookie) && gone.length < GONE_LIMIT) {
      gone.push(socket);
      marks.set(cookie, { kind: 'gone', state: false, queues: false, until });
    }
  }
  return { present, marks, gone };
}
