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
      arrived: told
        ? arrivals(segments[other(side)].sent, hosts[side], fates)
        : unwatched(segments[other(side)].sent),
    };
  };
  return { client: end('client'), server: end('server') };
}

/** A router passes the same segments on under its own name, so what a side sent is what its own host sent. */
function hostOf(events: readonly Event[], side: Side): string | null {
  for (const event of events) {
    if (
      (event.type === 'syscall' || event.type === 'state' || event.type === 'info') &&
      event.side === side
    ) {
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
  /** In the order of their numbers, which is that of their moments. */
  readonly originals: Segment[];
}

type Hosts = Readonly<Record<Side, string | null>>;

function segmentsOf(packets: readonly Packet[], hosts: Hosts): Record<Side, Numbers> {
  const none = (): Numbers => ({ counted: false, first: 0, last: 0, sent: [], originals: [] });
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
    const ack =
      has(packet, 'ACK') && sides[other(from)].counted ? place(sides[other(from)], packet.ack ?? 0) : null;
    const own = packet.host === hosts[from] && mine.counted;
    const isNew = end === start || start >= (mine.originals.at(-1)?.end ?? 0);
    const original = own && !isNew ? originalOf(mine, start, end) : null;
    const segment: Segment = { packet, from, start, end, ack, original, isNew };
    mine.sent.push(segment);
    if (own && end > start && isNew) {
      mine.last = end;
      mine.originals.push(segment);
    }
  }
  return sides;
}

function place({ first, last }: Numbers, number: number): number {
  return last + ((number - first - last) | 0);
}

/** The one segment that had all of these numbers before. One that was put together anew from several has none. */
function originalOf({ originals }: Numbers, start: number, end: number): Segment | null {
  let low = 0;
  let high = originals.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (originals[middle]!.end > start) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  const holding = originals[low];
  return holding !== undefined && end > start && holding.start <= start && end <= holding.end
    ? holding
    : null;
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
