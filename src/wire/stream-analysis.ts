/**
 * What a TCP segment is in the light of those before it. The words mean what they mean in Wireshark (its User's Guide,
 * section 7.5 "TCP Analysis"), so that the two can be compared; where its answer follows from how it counts and not from
 * what happened, ours differs, and the test beside tshark says where.
 */
import type { Flow } from './flow.ts';
import { type Half, SCALE_NONE, SCALE_UNKNOWN } from './flow.ts';
import type { Headers } from './headers.ts';
import { NOTE } from './notes.ts';
import { windowScale } from './stream-options.ts';

export const FIN = 1;
export const SYN = 2;
export const RST = 4;
export const ACK = 16;

/** A fast retransmission follows the acknowledgements that asked for it within this time. */
const FAST_NS = 20_000_000;
/** Reordered, not sent again: within the round trip of the handshake, or this when it was not seen. */
const REORDERED_NS = 3_000_000;

const RETRANSMISSION = NOTE.retransmission;
const FAST = NOTE['fast-retransmission'];
const SPURIOUS = NOTE['spurious-retransmission'];
const OUT_OF_ORDER = NOTE['out-of-order'];
const OVERLAP = NOTE.overlap;
const DUP_ACK = NOTE['dup-ack'];
const GAP_BEFORE = NOTE['gap-before'];
const ZERO_WINDOW = NOTE['zero-window'];
const WINDOW_PROBE = NOTE['window-probe'];
const WINDOW_PROBE_ACK = NOTE['window-probe-ack'];
const WINDOW_FULL = NOTE['window-full'];
const WINDOW_UPDATE = NOTE['window-update'];
const OUT_OF_WINDOW = NOTE['out-of-window'];
const KEEP_ALIVE = NOTE['keep-alive'];
const KEEP_ALIVE_ACK = NOTE['keep-alive-ack'];

/** The window a half last announced, in bytes. */
export function announced(half: Half): number {
  return half.scale > 0 && !half.windowFromSyn ? half.window << half.scale : half.window;
}

/** Notes on a segment without RST, before `remember` has taken it in. */
export function notesOn(flow: Flow, own: Half, other: Half, h: Headers): number {
  const { flags, window, at } = h;
  const seq = h.seq | 0;
  const ack = h.ack | 0;
  const length = h.payloadLength;
  const plain = (flags & (SYN | FIN)) === 0;
  const ahead = own.sent ? (seq - own.highest) | 0 : 0;
  const expected = own.sent && ahead === 0;
  let notes = 0;
  if (length === 1 && expected && other.window === 0) {
    return WINDOW_PROBE;
  }
  if (window === 0 && plain) {
    notes |= ZERO_WINDOW;
  }
  if (ahead > 0) {
    notes |= GAP_BEFORE;
  }
  if (length > 0) {
    const end = (seq + length) | 0;
    if (plain && other.scale !== SCALE_UNKNOWN && other.acked) {
      if (end === ((other.lastAck + announced(other)) | 0)) {
        notes |= WINDOW_FULL;
      }
    }
    if (other.edgeKnown && ((end - other.edge) | 0) > 0) {
      notes |= OUT_OF_WINDOW;
    }
  } else if (plain && expected && own.acked && (flags & ACK) !== 0 && ack === own.lastAck) {
    notes |= repeatedAck(own, other, window);
  }
  if (own.edgeKnown && (flags & ACK) !== 0 && ((own.highestAck - ack) | 0) > own.largestWindow) {
    // RFC 5961 section 5.2: older than anything that can still be under way, so it is not acted on.
    notes |= OUT_OF_WINDOW;
  }
  if (ahead < 0) {
    if (length <= 1 && plain && ahead === -1) {
      return notes | KEEP_ALIVE;
    }
    if (length > 0 || !plain) {
      notes |= again(flow, own, other, seq, length, plain, at);
    }
  } else if (length > 0 && other.acked && ((seq + length - other.lastAck) | 0) <= 0) {
    notes |= SPURIOUS | RETRANSMISSION;
  }
  return notes;
}

/** An empty segment that says nothing new about numbers. */
function repeatedAck(own: Half, other: Half, window: number): number {
  if (window !== own.window) {
    return window === 0 ? 0 : WINDOW_UPDATE;
  }
  if (window === 0) {
    return (other.lastNotes & WINDOW_PROBE) !== 0 ? WINDOW_PROBE_ACK : 0;
  }
  if ((other.lastNotes & KEEP_ALIVE) !== 0) {
    return KEEP_ALIVE_ACK;
  }
  own.dupAcks++;
  return DUP_ACK;
}

/** A segment that begins below what was sent already. */
function again(
  flow: Flow,
  own: Half,
  other: Half,
  seq: number,
  length: number,
  plain: boolean,
  at: number,
): number {
  if (length > 0 && other.acked && ((seq + length - other.lastAck) | 0) <= 0) {
    return SPURIOUS | RETRANSMISSION;
  }
  const behind = (own.highest - seq) | 0;
  const end = (seq + length + (plain ? 0 : 1)) | 0;
  const overlap = ((end - own.highest) | 0) > 0 ? OVERLAP : 0;
  if (length > 1 && behind === 1) {
    // One byte that was sent alone, as probes are, goes out again with what follows: the data goes on.
    return overlap;
  }
  if (other.dupAcks >= 2 && other.lastAck === seq && at - other.lastAt < FAST_NS) {
    return FAST | RETRANSMISSION | overlap;
  }
  const reordered = flow.handshakeNs > 0 ? flow.handshakeNs : REORDERED_NS;
  if (at - own.highestAt < reordered && end !== own.highest) {
    return OUT_OF_ORDER | overlap;
  }
  return RETRANSMISSION | overlap;
}

/** Takes a segment without RST into what is known of its direction. */
export function remember(own: Half, other: Half, h: Headers, notes: number): void {
  const { flags, window } = h;
  const ack = h.ack | 0;
  if ((flags & SYN) !== 0) {
    learnScale(own, other, h);
  }
  if ((notes & WINDOW_PROBE) !== 0) {
    own.probed = true;
  } else {
    const end = (h.seq + h.payloadLength + ((flags & (SYN | FIN)) !== 0 ? 1 : 0)) | 0;
    if (!own.sent || ((end - own.highest) | 0) > 0) {
      own.sent = true;
      own.probed = false;
      own.highest = end;
      own.highestAt = h.at;
    }
  }
  own.window = window;
  own.windowFromSyn = (flags & SYN) !== 0;
  own.lastAt = h.at;
  own.lastNotes = notes;
  if ((flags & ACK) === 0) {
    return;
  }
  if (!own.acked || ack !== own.lastAck) {
    own.dupAcks = 0;
    own.lastAck = ack;
    if (!own.acked || ((ack - own.highestAck) | 0) > 0) {
      own.highestAck = ack;
    }
    own.acked = true;
    if (other.probed && ((ack - other.highest) | 0) === 1) {
      // The probe's byte found room after all.
      other.probed = false;
      other.highest = ack;
    }
  }
  if (own.scale !== SCALE_UNKNOWN) {
    const wide = announced(own);
    const edge = (ack + wide) | 0;
    if (!own.edgeKnown || ((edge - own.edge) | 0) > 0) {
      own.edgeKnown = true;
      own.edge = edge;
    }
    if (wide > own.largestWindow) {
      own.largestWindow = wide;
    }
  }
}

/** RFC 7323 section 2.2: windows are scaled only when both SYNs carry the option. */
function learnScale(own: Half, other: Half, h: Headers): void {
  const scale = windowScale(h.bytes, h.optionsAt, h.optionsEnd);
  if (scale < 0) {
    own.scale = SCALE_NONE;
    other.scale = SCALE_NONE;
  } else if ((h.flags & ACK) !== 0 && other.scale === SCALE_NONE) {
    own.scale = SCALE_NONE;
  } else {
    own.scale = scale;
  }
}

/** Whether the receiver of an RST acts on it (RFC 9293 section 3.10.7, RFC 5961 section 3): it must lie where bytes are expected. */
export function resetCounts(own: Half, other: Half, h: Headers): boolean {
  if (!other.acked) {
    // The answer to a SYN counts when it acknowledges that SYN.
    return !other.sent || (h.flags & ACK) === 0 || h.ack >>> 0 === other.highest >>> 0;
  }
  const seq = h.seq | 0;
  let last = own.sent && ((own.highest - other.highestAck) | 0) > 0 ? own.highest : other.highestAck;
  if (other.edgeKnown && ((other.edge - last) | 0) > 0) {
    last = other.edge;
  }
  return ((seq - other.highestAck) | 0) >= 0 && ((seq - last) | 0) <= 0;
}
