/** The session so far, for stories, expectations and a person's test to ask. */
import { type Event, type Packet, type StateChange, TCP_FLAGS } from '../session/events.ts';
import type { SocketState } from '../session/socket.ts';
import type { Timeline } from '../session/timeline.ts';
import type { CallMatch, PacketMatch, Seen } from './api.ts';
import { type FlagWish, flagsFit, flagWish } from './wire/flags.ts';

export function createSeen(timeline: Timeline): Seen {
  let copied: readonly Event[] = [];
  let copiedAt = -1;

  function all<T extends Event['type']>(
    type: T,
    fits: (event: Extract<Event, { type: T }>) => boolean,
  ): Extract<Event, { type: T }>[] {
    const found: Extract<Event, { type: T }>[] = [];
    for (const event of timeline) {
      if (event.type === type && fits(event as Extract<Event, { type: T }>)) {
        found.push(event as Extract<Event, { type: T }>);
      }
    }
    return found;
  }

  return {
    get events() {
      if (copiedAt !== timeline.version) {
        copied = [...timeline];
        copiedAt = timeline.version;
      }
      return copied;
    },
    calls: (match = {}) =>
      all('syscall', (call) =>
        CALL_KEYS.every((key) => match[key] === undefined || match[key] === call[key]),
      ),
    packets(match = {}) {
      const wish = match.flags === undefined ? null : flagWish(match.flags);
      if (typeof wish === 'string') {
        throw new TypeError(wish);
      }
      return all('packet', (packet) => packetFits(packet, match, wish));
    },
    fates: (what) => all('fate', (fate) => what === undefined || fate.what === what),
    states: (host, connection) =>
      statesOf(
        all(
          'state',
          (change) => change.host === host && (connection === undefined || change.connection === connection),
        ),
      ),
    infos: (host) => all('info', (info) => info.host === host),
    counter: (host, name) =>
      all('gauge', (gauge) => gauge.subject === host && gauge.name === name).at(-1)?.value ?? 0,
    get end() {
      return timeline.at(-1)?.at ?? 0;
    },
  };
}

const CALL_KEYS = ['host', 'pid', 'name', 'fd', 'errno'] as const satisfies readonly (keyof CallMatch)[];

function packetFits(packet: Packet, match: PacketMatch, wish: FlagWish | null): boolean {
  return (
    (match.from === undefined || packet.host === match.from) &&
    (match.protocol === undefined || packet.protocol === match.protocol) &&
    (match.data === undefined || packet.length > 0 === match.data) &&
    (match.note === undefined || packet.notes.some((note) => note === match.note)) &&
    (match.since === undefined || packet.at >= match.since) &&
    (match.until === undefined || packet.at <= match.until) &&
    (wish === null || (packet.flags !== undefined && flagsFit(wish, bitsOf(packet.flags))))
  );
}

/** TCP_FLAGS is in the order of the header's bits. */
function bitsOf(flags: readonly string[]): number {
  return TCP_FLAGS.reduce((bits, flag, bit) => (flags.includes(flag) ? bits | (1 << bit) : bits), 0);
}

/**
 * One socket after the other, in the order in which they were first seen. An end of a connection counts as one socket although the kernel
 * has up to three for it (the request, the socket, the one in TIME-WAIT); a change that was both traced and sampled is told once.
 */
function statesOf(changes: readonly StateChange[]): SocketState[] {
  const sockets = new Map<string, SocketState[]>();
  for (const change of changes) {
    const { connection, side, socket = '', from, to } = change;
    const key = connection === undefined ? socket : `${connection} ${side}`;
    const states = sockets.get(key);
    if (states === undefined) {
      sockets.set(key, [from, to]);
    } else if (states.at(-1) !== to) {
      states.push(to);
    }
  }
  const histories = [...sockets.values()];
  const others = histories.filter((states) => !states.slice(1).includes('LISTEN'));
  return (others.length > 0 ? others : histories).flat();
}
