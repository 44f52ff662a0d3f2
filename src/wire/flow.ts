/** One conversation, its two ends, and (TCP) what is known of its two directions. End 0 sent the first packet seen. */
import type { Headers } from './headers.ts';
import { ipv4Text, ipv6Text } from './net/address.ts';
import { NOTE, PACKET_NOTES, type PacketNote } from './notes.ts';

/** How the client was told from the server: its SYN, the other's SYN-ACK, or ports and who spoke first. */
export type KnownBy = 'syn' | 'syn-ack' | 'guessed';

const SYN = 2;
const ACK = 16;

/** Where Linux takes its ephemeral ports from (ip_local_port_range); services of a developer's machine lie below. */
const FIRST_EPHEMERAL = 32_768;
/** Services that live up there all the same: gRPC's customary port, STOMP, OpenWire. */
const KNOWN_HIGH: readonly number[] = [50_051, 61_613, 61_616];

export class FlowEnd {
  readonly bytes: Uint8Array;
  readonly port: number;
  packets = 0;
  /** Bytes of payload that were new to the conversation. */
  payload = 0;
  /** Bytes that had been seen before. */
  repeated = 0;
  /** When its first and last packet came; the flow's beginning while there was none. */
  first: number;
  last: number;
  /** How often each note was made, by its bit's number. Absent until there is one. */
  private counts: Uint32Array | null = null;
  private addressText: string | null = null;

  constructor(bytes: Uint8Array, port: number, at: number) {
    this.bytes = bytes;
    this.port = port;
    this.first = at;
    this.last = at;
  }

  get address(): string {
    this.addressText ??= this.bytes.length === 4 ? ipv4Text(this.bytes, 0) : ipv6Text(this.bytes, 0);
    return this.addressText;
  }

  get text(): string {
    return this.bytes.length === 4 ? `${this.address}:${this.port}` : `[${this.address}]:${this.port}`;
  }

  noteCount(name: PacketNote): number {
    return this.counts?.[31 - Math.clz32(NOTE[name])] ?? 0;
  }

  count(notes: number): void {
    this.counts ??= new Uint32Array(PACKET_NOTES.length);
    for (let rest = notes; rest !== 0; rest &= rest - 1) {
      this.counts[31 - Math.clz32(rest & -rest)]!++;
    }
  }
}

export class Flow {
  /** Running numbers from 0: over all flows, and per protocol as tshark's tcp.stream and udp.stream. */
  readonly id: number;
  readonly stream: number;
  readonly protocol: number;
  readonly net: number;
  readonly ends: readonly [FlowEnd, FlowEnd];
  readonly clientEnd: 0 | 1;
  readonly knownBy: KnownBy;
  /** TCP: the beginning was not seen. */
  readonly midStream: boolean;
  /** All notes made on its packets. */
  notes = 0;
  /** Who sent the first FIN and the first RST that counts; -1 nobody. */
  finBy: 0 | 1 | -1 = -1;
  resetBy: 0 | 1 | -1 = -1;
  state: 'open' | 'half-closed' | 'closed' = 'open';
  /** Closed by both FINs since then, and not reported yet: the ACK of the last one belongs to it too. */
  leavingSince: number | null = null;
  /** From the last SYN to the first ACK after it, where the capture was made: a whole round trip; -1 unknown. */
  handshakeNs = -1;
  /** When the last SYN was sent, if one was. */
  synSeen = false;
  synAt = 0;
  /** Whatever the reader of the flow keeps with it. */
  attached: unknown = null;
  /** TCP: what is known of each direction. Null for UDP. */
  halves: readonly [Half, Half] | null = null;
  /** The place in the table, and in one of its lists. */
  entry: number;
  list: FlowList | null = null;
  older: Flow | null = null;
  newer: Flow | null = null;

  constructor(id: number, stream: number, entry: number, h: Headers) {
    const length = h.net === 4 ? 4 : 16;
    this.id = id;
    this.stream = stream;
    this.entry = entry;
    this.protocol = h.protocol;
    this.net = h.net;
    this.ends = [
      new FlowEnd(h.bytes.slice(h.sourceAt, h.sourceAt + length), h.sourcePort, h.at),
      new FlowEnd(h.bytes.slice(h.destinationAt, h.destinationAt + length), h.destinationPort, h.at),
    ];
    const syn = h.protocol === 6 && (h.flags & SYN) !== 0;
    this.midStream = h.protocol === 6 && !syn;
    this.knownBy = !syn ? 'guessed' : (h.flags & ACK) === 0 ? 'syn' : 'syn-ack';
    this.clientEnd =
      this.knownBy === 'syn' ? 0 : this.knownBy === 'syn-ack' ? 1 : guess(h.sourcePort, h.destinationPort);
  }

  /** When either end was last heard. */
  get last(): number {
    return Math.max(this.ends[0].last, this.ends[1].last);
  }

  noteCount(name: PacketNote): number {
    return this.ends[0].noteCount(name) + this.ends[1].noteCount(name);
  }
}

/** The end with the port a service would have is the server; without a hint, who spoke first is the client. */
function guess(firstPort: number, secondPort: number): 0 | 1 {
  const first = serves(firstPort);
  const second = serves(secondPort);
  if (first !== second) {
    return first ? 1 : 0;
  }
  return first && firstPort < secondPort ? 1 : 0;
}

function serves(port: number): boolean {
  return port < FIRST_EPHEMERAL || KNOWN_HIGH.includes(port);
}

/** A list through the flows themselves, from the longest silent to the one that spoke last. */
export class FlowList {
  oldest: Flow | null = null;
  newest: Flow | null = null;

  append(flow: Flow): void {
    flow.list = this;
    flow.older = this.newest;
    flow.newer = null;
    if (this.newest === null) {
      this.oldest = flow;
    } else {
      this.newest.newer = flow;
    }
    this.newest = flow;
  }

  remove(flow: Flow): void {
    const { older, newer } = flow;
    if (older === null) {
      this.oldest = newer;
    } else {
      older.newer = newer;
    }
    if (newer === null) {
      this.newest = older;
    } else {
      newer.older = older;
    }
    flow.older = null;
    flow.newer = null;
    flow.list = null;
  }

  touch(flow: Flow): void {
    if (this.newest !== flow) {
      this.remove(flow);
      this.append(flow);
    }
  }
}

/** A segment that waits behind a hole. */
export interface Kept {
  readonly seq: number;
  readonly end: number;
  /** May be shorter than the segment, when the capture cut it. */
  readonly bytes: Uint8Array;
  later: Kept | null;
}

/** Window scale: not known because the SYN was not seen, and known not to be used. */
export const SCALE_UNKNOWN = -1;
export const SCALE_NONE = -2;

/** One direction of a TCP conversation. Sequence numbers are signed 32-bit: differences wrap by themselves with `| 0`. */
export class Half {
  readonly flow: Flow;
  readonly side: 0 | 1;

  /** Where relative numbers count from: the SYN's own number, or what precedes the first number seen. */
  based = false;
  base = 0;

  // Reassembly.
  /** `next` is meaningful: the number of the next byte to hand over. */
  started = false;
  next = 0;
  /** The FIN's number, once one was seen. */
  finSeen = false;
  finAt = 0;
  ended = false;
  /** Segments beyond a hole, in order, without overlap. */
  kept: Kept | null = null;
  keptLast: Kept | null = null;
  keptCount = 0;
  keptBytes = 0;
  /** There is a hole before the first kept segment, or before the FIN; and when it was noticed. */
  holed = false;
  holedAt = 0;
  /** The other side has acknowledged more than was handed over; since when, and how far that was noted. */
  ahead = false;
  aheadAt = 0;
  aheadNoted = 0;

  // What it has sent, for the notes.
  sent = false;
  /** One beyond the highest number seen, and when that was sent. */
  highest = 0;
  highestAt = 0;
  /** The last note bits of this direction. */
  lastNotes = 0;
  /** A probe of a closed window is out: one byte at `highest` that does not count as sent until it is acknowledged. */
  probed = false;

  // What it has said of the other direction.
  acked = false;
  lastAck = 0;
  highestAck = 0;
  /** Of its last segment, whatever that was. */
  lastAt = 0;
  dupAcks = 0;
  /** As on the wire, -1 before the first; a SYN's is never scaled (RFC 7323 section 2.2). */
  window = -1;
  windowFromSyn = false;
  scale = SCALE_UNKNOWN;
  /** The furthest right edge it has announced, and the largest window. */
  edgeKnown = false;
  edge = 0;
  largestWindow = 0;

  constructor(flow: Flow, side: 0 | 1) {
    this.flow = flow;
    this.side = side;
  }
}
