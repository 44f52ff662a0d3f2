/** One TCP connection's events, by side: what was called, what was sent, what arrived. */
import { type Arrival, type Both, type End, has, isDamaged, other, type Segment } from './causes-model.ts';
import type { Side } from './connection.ts';
import type { Event, Fate, Packet, StateChange, Syscall } from './events.ts';

export type Fates = ReadonlyMap<number, readonly Fate[]>;

/** `events`: of one connection, in order of time. */
export function endsOf(events: readonly Event[], fates: Fates): Both {
  const hosts = { client: hostOf(events, 'client'), server: hostOf(events, 'server') };
  const packets = events.filter((event): event is Packet => event.type === 'packet');
  const segments = segmentsOf(packets, hosts);
  const told = packets.some(({ id }) => id !== undefined && fates.has(id));
  const end = (side: Side): End => {
    const { counted, sent } = segments[side];
    return {
      side,
      host: hosts[side],
      calls: events.filter((event): event is Syscall => event.type === 'syscall' && event.side === side),
      states: events.filter((event): event is StateChange => event.type === 'state' && event.side === side),
      counted,
      sent: sent.filter(({ packet }) => packet.host === hosts[side]),
      arrived: told ? arrivals(segments[other(side)].sent, hosts[side], fates) : unwatched(segments[other(side)].sent),
    };
  };
  return { client: end('client'), server: end('server') };
}

/** A router passes the same segments on under its own name, so what a side sent is what its own host sent. */
function hostOf(events: readonly Event[], side: Side): string | null {
  for (const event of events) {
    if ((event.type === 'syscall' || event.type === 'state' || event.type === 'info') && event.side === side) {
      return event.host;
    }
  }
  const first = events.find((event): event is Packet => event.type === 'packet' && event.from === side);
  return first?.host ?? null;
}

interface Numbers {
  counted: boolean;
  first: number;
  /** The highest seen, unwrapped: 32 bits on the wire, as many as there are here. */
  last: number;
  readonly sent: Segment[];
  /** start → the originals that begin there. */
  readonly originals: Map<number, Segment[]>;
  originalsEnd: number;
}

type Hosts = Readonly<Record<Side, string | null>>;

function segmentsOf(packets: readonly Packet[], hosts: Hosts): Record<Side, Numbers> {
  const none = (): Numbers => ({
    counted: false,
    first: 0,
    last: 0,
    sent: [],
    originals: new Map(),
    originalsEnd: 0,
  });
  const sides = { client: none(), server: none() };
  for (const packet of packets) {
    const { from, seq } = packet;
    if (from === undefined || seq === undefined) {
      continue;
    }
    const mine = sides[from];
    if (!mine.counted && has(packet, 'SYN')) {
      mine.counted = true;
      mine.first = seq;
    }
    const start = place(mine, seq);
    const end = start + packet.length + (has(packet, 'SYN') ? 1 : 0) + (has(packet, 'FIN') ? 1 : 0);
    const ack = has(packet, 'ACK') && sides[other(from)].counted ? place(sides[other(from)], packet.ack ?? 0) : null;
    const own = packet.host === hosts[from] && mine.counted;
    const segment: Segment = { packet, from, start, end, ack, original: own ? originalOf(mine, start, end) : null };
    mine.last = Math.max(mine.last, end);
    mine.sent.push(segment);
    if (own && end > start && segment.original === null && start >= mine.originalsEnd) {
      mine.originals.set(start, [segment]);
      mine.originalsEnd = end;
    }
  }
  return sides;
}

function place({ first, last }: Numbers, number: number): number {
  return last + ((number - first - last) | 0);
}

/** The one segment that had all of these numbers before. A reset, or a segment put together anew, has none. */
function originalOf(mine: Numbers, start: number, end: number): Segment | null {
  if (end <= start || start >= mine.originalsEnd) {
    return null;
  }
  const same = mine.originals.get(start)?.[0];
  if (same !== undefined && end <= same.end) {
    return same;
  }
  return same === undefined ? holding(mine, start, end) : null;
}

/** Retransmissions begin where a segment began, nearly always; the rest is looked for one by one. */
function holding({ originals }: Numbers, start: number, end: number): Segment | null {
  for (const [segment] of originals.values()) {
    if (segment !== undefined && segment.start <= start && end <= segment.end) {
      return segment;
    }
  }
  return null;
}

function arrivals(sent: readonly Segment[], host: string | null, fates: Fates): Arrival[] {
  const found: Arrival[] = [];
  for (const segment of sent) {
    for (const fate of fates.get(segment.packet.id ?? -1) ?? []) {
      if (fate.what === 'delivered' && fate.host === host && !isDamaged(fate)) {
        found.push({ segment, by: fate });
      }
    }
  }
  return found.sort((a, b) => a.by.at - b.by.at);
}

/** Where nobody tells what became of packets, each is taken to have arrived when it was seen. */
function unwatched(sent: readonly Segment[]): Arrival[] {
  return sent.map((segment) => ({ segment, by: segment.packet }));
}
