/** Which arrival a call's bytes came with, and which arrivals a segment acknowledges. */
import {
  type Arrival,
  type Cause,
  type End,
  endOf,
  has,
  isReader,
  mentions,
  STAMPS_DIFFER_NS,
} from './causes-model.ts';
import type { Syscall } from './events.ts';

/** Numbers that came with one arrival. SYN and FIN are numbers too. */
interface Piece {
  readonly start: number;
  readonly end: number;
  readonly by: Arrival;
  /** They came again before the first copy was acknowledged: it may have been thrown away for want of room. */
  isDoubtful: boolean;
}

interface Acks {
  readonly at: readonly number[];
  readonly upTo: readonly number[];
}

export function readFrom(end: End): Cause[] {
  const pieces = piecesOf(end);
  return [...acknowledged(end, pieces), ...reads(end, pieces)];
}

function piecesOf(end: End): Piece[] {
  const acks = acksOf(end);
  const pieces: Piece[] = [];
  for (const arrival of end.arrived) {
    const { start, end: stop } = arrival.segment;
    if (stop <= start) {
      continue;
    }
    const index = behind(pieces, start);
    const gaps: Piece[] = [];
    let covered = start;
    for (let i = index; i < pieces.length && pieces[i]!.start < stop; i += 1) {
      const piece = pieces[i]!;
      piece.isDoubtful ||= !wasAcked(acks, piece.end, arrival.by.at);
      if (piece.start > covered) {
        gaps.push({ start: covered, end: piece.start, by: arrival, isDoubtful: false });
      }
      covered = piece.end;
    }
    if (covered < stop) {
      gaps.push({ start: covered, end: stop, by: arrival, isDoubtful: false });
    }
    for (const gap of gaps) {
      pieces.splice(behind(pieces, gap.start), 0, gap);
    }
  }
  return pieces;
}

/** The first piece that ends behind this number. */
function behind(pieces: readonly Piece[], number: number): number {
  let low = 0;
  let high = pieces.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (pieces[middle]!.end > number) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}

function acksOf({ sent }: End): Acks {
  const at: number[] = [];
  const upTo: number[] = [];
  for (const { packet, ack } of sent) {
    if (ack !== null && ack > (upTo.at(-1) ?? Number.NEGATIVE_INFINITY)) {
      at.push(packet.at);
      upTo.push(ack);
    }
  }
  return { at, upTo };
}

function wasAcked({ at, upTo }: Acks, number: number, before: number): boolean {
  let low = 0;
  let high = at.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (at[middle]! >= before) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low > 0 && upTo[low - 1]! >= number;
}

/** Each arrival once, by the first segment whose number covers it. */
function acknowledged({ sent }: End, pieces: readonly Piece[]): Cause[] {
  const causes: Cause[] = [];
  let next = 0;
  for (const { packet, ack } of sent) {
    for (; ack !== null && next < pieces.length && pieces[next]!.end <= ack; next += 1) {
      const { by, isDoubtful } = pieces[next]!;
      if (!isDoubtful && by.by.at <= packet.at + STAMPS_DIFFER_NS && !has(packet, 'RST')) {
        causes.push({ from: by.segment.packet, to: packet, why: 'acknowledges' });
      }
    }
  }
  return causes;
}

/** All or nothing, as with what was sent. Urgent bytes are taken out of the stream, and nobody tells which way. */
function reads({ calls, arrived }: End, pieces: readonly Piece[]): Cause[] {
  if (pieces[0]?.start !== 0 || arrived.some(({ segment }) => has(segment.packet, 'URG'))) {
    return [];
  }
  const fin = arrived.find(({ segment }) => has(segment.packet, 'FIN'));
  const causes: Cause[] = [];
  let count = 1;
  let hasEnded = false;
  let busyUntil = Number.NEGATIVE_INFINITY;
  for (const call of calls) {
    if (!isReader(call) || call.result === null || call.result < 0) {
      continue;
    }
    if (call.at < busyUntil) {
      return causes;
    }
    busyUntil = endOf(call);
    const taken = Number(call.result);
    if (taken === 0) {
      const finNumber = fin === undefined || fin.by.at > busyUntil ? count : fin.segment.end - 1;
      if (finNumber !== count) {
        return [];
      }
      if (fin !== undefined && !hasEnded && fin.by.at <= busyUntil) {
        hasEnded = true;
        causes.push(...(took(call, count, count + 1, pieces) ?? []));
      }
      continue;
    }
    const found = took(call, count, count + taken, pieces);
    if (found === null) {
      return [];
    }
    causes.push(...found);
    count += mentions(call.args, 'MSG_PEEK') ? 0 : taken;
  }
  return causes;
}

/** Null when these numbers had not all arrived: then reads are missing from the session. */
function took(call: Syscall, start: number, end: number, pieces: readonly Piece[]): Cause[] | null {
  const causes: Cause[] = [];
  let covered = start;
  for (let i = behind(pieces, start); i < pieces.length && pieces[i]!.start < end; i += 1) {
    const { by, isDoubtful, ...piece } = pieces[i]!;
    if (piece.start > covered || by.by.at > endOf(call) + STAMPS_DIFFER_NS) {
      return null;
    }
    covered = piece.end;
    if (!isDoubtful) {
      causes.push({ from: by.by, to: call, why: call.at < by.by.at ? 'woken by' : 'read from' });
    }
  }
  return covered >= end ? causes : null;
}
