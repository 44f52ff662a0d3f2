/**
 * TCP and UDP packets → conversations: their streams in order, and what each packet is in the light of those before it.
 * Bytes in order are handed over straight from the packet. Only what comes before its turn is copied, and within bounds.
 */

import { Half, SCALE_UNKNOWN } from './flow.ts';
import { type Flow, FlowTable, MAX_FLOWS } from './flows.ts';
import type { Headers } from './headers.ts';
import { NOTE } from './notes.ts';
import { ACK, announced, FIN, notesOn, RST, remember, resetCounts, SYN } from './stream-analysis.ts';
import { Holes } from './stream-holes.ts';
import { keep } from './stream-kept.ts';
import type { ClosedHow, Limits, StreamSink } from './stream-sink.ts';

export type { ClosedHow, Limits, StreamSink } from './stream-sink.ts';

/** A UDP conversation is over after this silence, as conntrack holds (nf_conntrack_udp_timeout_stream). */
const UDP_SILENCE_NS = 120e9;
/** Last packets of a closed connection still find it: as long as Linux stays in TIME-WAIT. */
const CLOSED_KEPT_NS = 60e9;
/** How often the clock of the packets is looked at for what is due. */
const TICK_NS = 50e6;
/** The largest window there can be (RFC 7323 section 2.3): what is further away was never allowed to be sent. */
const FURTHEST = 2 ** 30;
/** After a hole larger than that, a segment this near to what the other side acknowledges says where the stream is. */
const NEAR = 2 ** 26;
/** Silent flows closed per tick at most, so that one packet never pays for all. */
const CLOSED_PER_TICK = 1024;

/** The ACK of the last FIN is waited for so long. */
const LAST_ACK_NS = 1e9;

const RESET = NOTE.reset;
const ACKS_UNSEEN = NOTE['acks-unseen'];
const OUT_OF_WINDOW = NOTE['out-of-window'];

const LIMITS: Limits = {
  flows: MAX_FLOWS,
  keptSegments: 256,
  keptBytes: 1 << 20,
  keptInTotal: 64 << 20,
};

export function createStreams(sink: StreamSink, limits: Partial<Limits> = {}): Streams {
  return new Streams(sink, { ...LIMITS, ...limits });
}

export class Streams {
  /** Of the last packet: its flow (null: neither TCP nor UDP) and which end of it sent it. */
  flow: Flow | null = null;
  sender: 0 | 1 = 0;
  /** Counted from the first SYN, or so that the first number seen is 1; `relativeAck` is -1 without an acknowledgement. */
  relativeSeq = 0;
  relativeAck = -1;
  /** In bytes; -1 when the scale is not known because the SYN was not seen. */
  window = -1;
  /** Flows dropped because there were too many. */
  evicted = 0;
  private readonly sink: StreamSink;
  private readonly table: FlowTable;
  private readonly holes: Holes;
  private due = Number.NEGATIVE_INFINITY;
  /** Flows with `leavingSince`, in its order; some were reported since. */
  private readonly leaving: Flow[] = [];

  constructor(sink: StreamSink, limits: Limits) {
    this.sink = sink;
    this.table = new FlowTable(limits.flows);
    this.holes = new Holes(sink, limits, (half, at) => this.ended(half, at));
  }

  /** Bytes of streams that are not in the capture and were given up. */
  get lost(): number {
    return this.holes.lost;
  }

  /** How many bytes wait behind holes, with what keeping them costs. */
  get kept(): number {
    return this.holes.total;
  }

  get open(): number {
    return this.table.size;
  }

  /** Notes on the packet, as bits. */
  packet(h: Headers): number {
    this.flow = null;
    this.relativeSeq = 0;
    this.relativeAck = -1;
    this.window = -1;
    if ((h.protocol !== 6 && h.protocol !== 17) || h.sourceAt < 0 || h.payloadAt < 0) {
      return 0;
    }
    if (h.at >= this.due) {
      this.tick(h.at);
    }
    const { table } = this;
    let flow = table.find(h);
    let notes = 0;
    if (flow !== null && h.protocol === 6 && (h.flags & SYN) !== 0 && this.startsAnew(flow, h)) {
      if (flow.state !== 'closed') {
        notes = NOTE['tuple-reused'];
        this.close(flow, 'reused', h.at);
      }
      this.leave(flow, h.at);
      table.remove(flow);
      flow = null;
    }
    if (flow === null) {
      flow = this.begin(h);
      if (flow.midStream) {
        notes |= NOTE['mid-stream'];
      }
    } else {
      flow.list!.touch(flow);
    }
    const { sender } = table;
    this.flow = flow;
    this.sender = sender;
    const end = flow.ends[sender];
    if (end.packets === 0) {
      end.first = h.at;
    }
    end.packets++;
    end.last = h.at;
    if (flow.halves === null) {
      end.payload += h.payloadLength;
      this.holes.lost += h.payloadLength - captured(h);
      this.sink.datagram(flow, sender, h.bytes, h.payloadAt, h.payloadAt + captured(h), h.at);
      return 0;
    }
    const wasLeaving = flow.leavingSince !== null;
    notes |= this.segment(flow, flow.halves[sender], flow.halves[1 - sender]!, h);
    if (notes !== 0) {
      flow.notes |= notes;
      end.count(notes);
    }
    if (wasLeaving) {
      this.leave(flow, h.at);
    }
    return notes;
  }

  /** What is due by the clock; packets call it themselves. A live capture calls it also when there are none. */
  tick(at: number): void {
    this.due = at + TICK_NS;
    this.holes.review(at);
    const { udp, closed } = this.table;
    for (let first = this.leaving[0]; first !== undefined; first = this.leaving[0]) {
      if (first.leavingSince !== null && at - first.leavingSince < LAST_ACK_NS) {
        break;
      }
      this.leaving.shift();
      this.leave(first, at);
    }
    for (let i = 0; i < CLOSED_PER_TICK; i++) {
      const silent = udp.oldest;
      if (silent === null || at - silent.last < UDP_SILENCE_NS) {
        break;
      }
      this.close(silent, 'idle', silent.last + UDP_SILENCE_NS);
      this.table.remove(silent);
    }
    for (let i = 0; i < CLOSED_PER_TICK; i++) {
      const over = closed.oldest;
      if (over === null || at - over.last < CLOSED_KEPT_NS) {
        break;
      }
      this.leave(over, at);
      this.table.remove(over);
    }
  }

  /** The capture ends: so does everything in it. */
  finish(at: number): void {
    const { table } = this;
    for (;;) {
      const flow = table.leastMissed();
      if (flow === null) {
        return;
      }
      this.close(flow, 'end of capture', at);
      this.leave(flow, at);
      table.remove(flow);
    }
  }

  private begin(h: Headers): Flow {
    const { table } = this;
    if (table.full) {
      const victim = table.leastMissed()!;
      if (victim.state !== 'closed') {
        this.evicted++;
        this.close(victim, 'evicted', h.at);
      }
      this.leave(victim, h.at);
      table.remove(victim);
    }
    const flow = table.add(h);
    if (h.protocol === 6) {
      flow.halves = [new Half(flow, 0), new Half(flow, 1)];
    }
    this.sink.opened?.(flow);
    return flow;
  }

  /** A SYN with a number of its own: the ports are used again. With the same number it is the same SYN once more. */
  private startsAnew(flow: Flow, h: Headers): boolean {
    const [own, other] = this.table.sender === 0 ? flow.halves! : [flow.halves![1], flow.halves![0]];
    const different = own.based && (h.seq | 0) !== own.base;
    if (flow.state !== 'closed') {
      return different && (h.flags & ACK) === 0;
    }
    if ((h.flags & ACK) !== 0) {
      return !other.based || ((h.ack - 1) | 0) !== other.base;
    }
    return different || !own.based;
  }

  private segment(flow: Flow, own: Half, other: Half, h: Headers): number {
    const { flags, at } = h;
    const seq = h.seq | 0;
    const syn = (flags & SYN) !== 0;
    const acks = (flags & ACK) !== 0;
    if (!own.based) {
      own.based = true;
      own.base = syn ? seq : (seq - 1) | 0;
    }
    if (acks && !other.based) {
      other.based = true;
      other.base = (h.ack - 1) | 0;
      if (!flow.midStream) {
        other.started = true;
        other.next = h.ack | 0;
      }
    }
    if (syn && acks && own.started && seq !== own.base && flow.ends[own.side].payload === 0) {
      // A second answer to the SYN with another number, as a server without memory of the first gives (SYN cookies).
      own.base = seq;
      own.next = (seq + 1) | 0;
      own.sent = false;
    }
    this.relativeSeq = (seq - own.base) >>> 0;
    if (acks) {
      this.relativeAck = (h.ack - other.base) >>> 0;
    }
    if ((flags & RST) !== 0) {
      this.window = own.scale === SCALE_UNKNOWN ? -1 : own.scale > 0 ? h.window << own.scale : h.window;
      return this.reset(flow, own, other, h);
    }
    if (!own.started) {
      own.started = true;
      own.next = syn ? (seq + 1) | 0 : seq;
    }
    let notes = notesOn(flow, own, other, h);
    remember(own, other, h, notes);
    this.window = own.scale === SCALE_UNKNOWN ? -1 : announced(own);
    if (syn) {
      if (!acks) {
        flow.synSeen = true;
        flow.synAt = at;
      }
    } else if (acks && flow.handshakeNs < 0 && flow.synSeen) {
      flow.handshakeNs = Math.max(at - flow.synAt, 0);
    }
    if (h.payloadLength > 0) {
      notes |= this.payload(flow, own, other, h, syn ? (seq + 1) | 0 : seq);
    }
    if ((flags & FIN) !== 0) {
      this.fin(flow, own, (seq + h.payloadLength + (syn ? 1 : 0)) | 0, at);
    }
    if (acks && other.started && ((h.ack - other.next) | 0) > 0 && flow.state !== 'closed') {
      notes |= this.acksUnseen(flow, other, h.ack | 0, at);
    }
    return notes;
  }

  private payload(flow: Flow, own: Half, other: Half, h: Headers, seq: number): number {
    const end = flow.ends[own.side];
    const length = h.payloadLength;
    const { holes } = this;
    if (flow.state === 'closed' || own.ended) {
      end.repeated += length;
      return 0;
    }
    let offset = (seq - own.next) | 0;
    if (offset > FURTHEST || offset < -FURTHEST) {
      const near = (seq - other.lastAck) | 0;
      if (!other.acked || near > NEAR || near < -NEAR) {
        return OUT_OF_WINDOW;
      }
      holes.jump(own, seq, h.at);
      own.highest = (seq + length) | 0;
      // So far away, what was ahead may now look as if it lay behind, and the other way round.
      other.highestAck = other.lastAck;
      other.edgeKnown = false;
      offset = 0;
    }
    if (offset === 0 && own.kept === null) {
      end.payload += length;
      holes.deliver(own, h.bytes, h.payloadAt, captured(h), length, h.at);
      return 0;
    }
    const old = offset < 0 ? -offset : 0;
    if (old >= length) {
      end.repeated += length;
      return 0;
    }
    const have = captured(h);
    const first = (seq + old) | 0;
    const rest = length - old;
    const from = h.payloadAt + Math.min(old, have);
    const left = Math.max(have - old, 0);
    let fresh = rest;
    if (offset <= 0 && (own.kept === null || ((first + rest - own.kept.seq) | 0) <= 0)) {
      holes.deliver(own, h.bytes, from, left, rest, h.at);
    } else {
      const before = own.keptBytes;
      fresh = keep(own, first, rest, h.bytes, from, left);
      holes.grew(own, own.keptBytes - before, h.at);
    }
    end.payload += fresh;
    end.repeated += length - fresh;
    return 0;
  }

  private fin(flow: Flow, own: Half, finAt: number, at: number): void {
    if (flow.finBy < 0) {
      flow.finBy = own.side;
    }
    if (own.ended || flow.state === 'closed') {
      return;
    }
    const offset = (finAt - own.next) | 0;
    if (offset >= 0 && offset <= FURTHEST) {
      own.finSeen = true;
      own.finAt = finAt;
      this.holes.advance(own, at);
    }
  }

  private acksUnseen(flow: Flow, other: Half, ack: number, at: number): number {
    const end = flow.ends[other.side];
    const lone = end.packets === 1 && end.payload === 0 && !other.finSeen;
    if (flow.midStream && lone && ((ack - other.next) | 0) === 1) {
      // The capture began in an idle connection: all we saw of that end is a keep-alive, which is one behind.
      other.next = ack;
      other.highest = ack;
      return 0;
    }
    const notes = this.holes.unseen(other, ack) ? ACKS_UNSEEN : 0;
    if (!other.ahead) {
      other.ahead = true;
      other.aheadAt = at;
      other.aheadNoted = ack;
    } else if (((ack - other.aheadNoted) | 0) > 0) {
      other.aheadNoted = ack;
    }
    this.holes.consider(other, at);
    return notes;
  }

  private reset(flow: Flow, own: Half, other: Half, h: Headers): number {
    if (!resetCounts(own, other, h)) {
      return RESET | OUT_OF_WINDOW;
    }
    if (flow.resetBy < 0) {
      flow.resetBy = own.side;
    }
    if (flow.state !== 'closed') {
      this.holes.flush(own, h.at);
      this.holes.flush(other, h.at);
      if (!own.ended) {
        own.ended = true;
        this.sink.ended(flow, own.side, h.at);
      }
      if (flow.list !== this.table.closed) {
        this.over(flow, 'reset', h.at);
      }
    }
    return RESET;
  }

  private ended(half: Half, at: number): void {
    const { flow } = half;
    if (flow.halves![0].ended && flow.halves![1].ended) {
      this.bothEnded(flow, at);
    } else {
      flow.state = 'half-closed';
    }
  }

  /** Nothing more will be said; but the connection's last packet is still to come. */
  private bothEnded(flow: Flow, at: number): void {
    if (flow.state === 'closed') {
      return;
    }
    flow.state = 'closed';
    flow.leavingSince = at;
    this.leaving.push(flow);
    flow.list!.remove(flow);
    this.table.closed.append(flow);
  }

  /** Reports a flow that was closed by both FINs, once. */
  private leave(flow: Flow, at: number): void {
    if (flow.leavingSince !== null) {
      flow.leavingSince = null;
      this.sink.closed(flow, 'fin', at);
    }
  }

  private over(flow: Flow, how: ClosedHow, at: number): void {
    this.close(flow, how, at);
    flow.list!.remove(flow);
    this.table.closed.append(flow);
  }

  private close(flow: Flow, how: ClosedHow, at: number): void {
    if (flow.state !== 'closed' && flow.halves !== null) {
      this.holes.flush(flow.halves[0], at);
      this.holes.flush(flow.halves[1], at);
    }
    // What waited behind a hole may have been the end.
    if (flow.state !== 'closed') {
      flow.state = 'closed';
      this.sink.closed(flow, how, at);
    }
  }
}

/** The payload in the capture, which may be cut short. */
function captured(h: Headers): number {
  return Math.min(h.payloadEnd - h.payloadAt, h.payloadLength);
}
