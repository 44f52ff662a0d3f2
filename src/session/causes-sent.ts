/** Which call sent a segment, and which segment it repeats. */
import {
  type Cause,
  type End,
  endOf,
  has,
  isCloser,
  isWriter,
  type Segment,
  SOON_NS,
  STAMPS_DIFFER_NS,
} from './causes-model.ts';
import type { Syscall } from './events.ts';

export function retransmissions({ sent }: End): Cause[] {
  return sent.flatMap(({ packet, original }): Cause[] =>
    original === null ? [] : [{ from: original.packet, to: packet, why: 'retransmits' }],
  );
}

export function sentBy(end: End): Cause[] {
  if (!end.counted) {
    return [];
  }
  const first = end.sent.filter(({ isNew }) => isNew);
  return [...opening(end, first), ...bytes(end, first), ...closing(end, first)];
}

function sent(from: Syscall, { packet }: Segment): Cause {
  return { from, to: packet, why: 'sent by' };
}

/** The SYN leaves inside of connect(2); with fast open inside of the first call that sends. */
function opening({ calls }: End, first: readonly Segment[]): Cause[] {
  const syn = first.find(({ packet }) => has(packet, 'SYN') && !has(packet, 'ACK'));
  if (syn === undefined) {
    return [];
  }
  const call = calls
    .filter((one) => one.name === 'connect' || isWriter(one))
    .findLast(({ at }) => at <= syn.packet.at + STAMPS_DIFFER_NS);
  return call !== undefined && syn.packet.at <= endOf(call) + SOON_NS ? [sent(call, syn)] : [];
}

interface Span {
  readonly call: Syscall;
  readonly start: number;
  readonly end: number;
}

/** What each call gave to the kernel, counted from the first byte on; null when two threads wrote at once and the order is not known. */
function written({ calls }: End): Span[] | null {
  const spans: Span[] = [];
  let count = 1;
  let busyUntil = Number.NEGATIVE_INFINITY;
  for (const call of calls) {
    const accepted = call.result === null ? Number.POSITIVE_INFINITY : Number(call.result);
    if (!isWriter(call) || accepted <= 0) {
      continue;
    }
    if (call.at < busyUntil) {
      return null;
    }
    busyUntil = endOf(call);
    spans.push({ call, start: count, end: count + accepted });
    count += accepted;
  }
  return spans;
}

/** All or nothing: when a single segment does not match, calls are missing from the session and every count behind them is wrong. */
function bytes(end: End, first: readonly Segment[]): Cause[] {
  const spans = written(end);
  if (spans === null) {
    return [];
  }
  const causes: Cause[] = [];
  let oldest = 0;
  for (const segment of first) {
    const { packet } = segment;
    if (packet.length === 0 && !has(packet, 'FIN')) {
      continue;
    }
    const start = segment.start + (has(packet, 'SYN') ? 1 : 0);
    const stop = start + packet.length;
    const given = spans.at(-1)?.end ?? 1;
    if (stop > given || (has(packet, 'FIN') && Number.isFinite(given) && stop !== given)) {
      return [];
    }
    while (oldest < spans.length && spans[oldest]!.end <= start) {
      oldest += 1;
    }
    for (let i = oldest; i < spans.length && spans[i]!.start < stop; i += 1) {
      const { call } = spans[i]!;
      if (call.at > packet.at + STAMPS_DIFFER_NS) {
        return [];
      }
      causes.push(sent(call, segment));
    }
  }
  return causes;
}

function closing(end: End, first: readonly Segment[]): Cause[] {
  if (end.sent.some(({ packet }) => has(packet, 'FIN'))) {
    const fin = first.find(({ packet }) => has(packet, 'FIN'));
    return fin === undefined ? [] : finishing(end, first, fin);
  }
  const reset = end.sent.find(({ packet }) => has(packet, 'RST'));
  return reset === undefined ? [] : aborting(end, reset);
}

/** A descriptor may have copies; the last one to be closed ends the connection, and shutdown(2) does at once. */
function finishing({ calls }: End, first: readonly Segment[], fin: Segment): Cause[] {
  const { at } = fin.packet;
  const closers = calls.filter((call) => isCloser(call) && call.at <= at + STAMPS_DIFFER_NS);
  const call = closers.find(({ name }) => name === 'shutdown') ?? closers.at(-1);
  if (call === undefined) {
    return [];
  }
  const isHeldUp = first.some(({ packet }) => packet.length > 0 && packet.at > call.at && packet.at <= at);
  return at <= endOf(call) + SOON_NS || isHeldUp ? [sent(call, fin)] : [];
}

/** A close that resets does so at once. When something arrived in between, the RST may be the answer to that. */
function aborting({ calls, arrived }: End, reset: Segment): Cause[] {
  const { at } = reset.packet;
  const call = calls.findLast((one) => one.name === 'close' && one.result !== -1 && one.at <= at);
  if (call === undefined || at > endOf(call) + SOON_NS) {
    return [];
  }
  const isAnswer = arrived.some(({ by }) => by.at >= call.at && by.at <= at);
  return isAnswer ? [] : [sent(call, reset)];
}
