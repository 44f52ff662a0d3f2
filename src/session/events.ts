/** The vocabulary: every observation is one of these, and every feature is a fold over them. */

import type { PacketNote } from '../wire/notes.ts';
import type { Value, Values } from '../wire/value.ts';
import type { ConnectionId, Side } from './connection.ts';
import type { SocketState, TcpInfo, Timer } from './socket.ts';

export { PACKET_NOTES, type PacketNote } from '../wire/notes.ts';
export type { Value, Values } from '../wire/value.ts';
export type { SocketState } from './socket.ts';

/** The first line of a session: the wall-clock moment at which `at` is 0. */
export interface SessionHeader {
  readonly v: 1;
  readonly type: 'session';
  readonly startedAt: {
    /** UTC with nine decimals. */
    readonly iso: string;
    /** Since 1970-01-01. */
    readonly ns: bigint;
  };
  readonly host: string;
  readonly clock: {
    readonly source: 'monotonic';
    /** How far a converted wall-clock stamp may be off against `at`. */
    readonly uncertaintyNs: number;
  };
}

interface Observed {
  /** Nanoseconds since the session's start, monotonic. Negative for what was already queued when it began. */
  readonly at: number;
}

interface ByHost extends Observed {
  /** The machine, or the lab's host, whose program or kernel this is. */
  readonly host: string;
}

/** Absent where there is no connection (yet): a listener's state, an ICMP packet, a call on a file. */
interface OnConnection {
  readonly connection?: ConnectionId;
  readonly side?: Side;
}

export interface Syscall extends ByHost, OnConnection {
  readonly type: 'syscall';
  /** Nanoseconds inside the call; null when it had not returned by the end of the session. */
  readonly took: number | null;
  readonly pid: number;
  readonly tid: number;
  readonly fd?: number;
  readonly name: string;
  readonly args: readonly Value[];
  /** Null exactly when `took` is. */
  readonly result: number | bigint | null;
  /** The errno's name. */
  readonly errno?: string;
}

export const STATE_SOURCES = ['traced', 'sampled', 'inferred'] as const;

export interface StateChange extends ByHost, OnConnection {
  readonly type: 'state';
  /** The kernel's socket cookie, 16 hex digits. */
  readonly socket?: string;
  readonly from: SocketState;
  readonly to: SocketState;
  /** Traced: the kernel said so. Sampled: seen between two looks, steps may be missing. Inferred: follows from packets. */
  readonly source: (typeof STATE_SOURCES)[number];
}

/** What the kernel knew about a socket at one moment. */
export interface Info extends ByHost, OnConnection {
  readonly type: 'info';
  readonly socket?: string;
  /** Bytes received and not read, bytes sent and not acknowledged. */
  readonly recvQueue: number;
  readonly sendQueue: number;
  readonly timer?: Readonly<Timer>;
  readonly tcp?: Readonly<TcpInfo>;
}

export const TCP_FLAGS = ['FIN', 'SYN', 'RST', 'PSH', 'ACK', 'URG', 'ECE', 'CWR', 'AE'] as const;
export type TcpFlag = (typeof TCP_FLAGS)[number];

export interface Packet extends ByHost {
  readonly type: 'packet';
  /** Where what became of it is told as well (`fate`): the number it goes by. */
  readonly id?: number;
  readonly interface: string;
  readonly connection?: ConnectionId;
  /** The side that sent it. */
  readonly from?: Side;
  /** The innermost protocol understood: `tcp`, `udp`, `icmp`, `arp`, … */
  readonly protocol: string;
  /** TCP only, as are seq, ack and window; seq and ack as on the wire, window after scaling. */
  readonly flags?: readonly TcpFlag[];
  readonly seq?: number;
  readonly ack?: number;
  readonly window?: number;
  /** Bytes of payload. */
  readonly length: number;
  /** Bytes of the whole frame on the wire; `frame` may hold fewer. */
  readonly frameLength: number;
  readonly notes: readonly PacketNote[];
  readonly frame?: Uint8Array;
}

export const FATES = ['delivered', 'dropped', 'held'] as const;

/** What a simulated wire did with a packet, at the moment it did it. One packet may arrive twice. */
export interface Fate extends Observed {
  readonly type: 'fate';
  /** The packet's id. */
  readonly packet: number;
  /** The host it was for. */
  readonly host: string;
  readonly connection?: ConnectionId;
  readonly what: (typeof FATES)[number];
  /** Why it was dropped or held, or what else was done to it. */
  readonly why?: string;
}

export interface Message extends Observed {
  readonly type: 'message';
  readonly connection: ConnectionId;
  readonly from: Side;
  readonly protocol: string;
  /** One line for a person. */
  readonly summary: string;
  readonly fields: Values;
  /** How many bytes of the stream it took. */
  readonly bytes: number;
  /** The `at` of the request that this answers. */
  readonly latencyOf?: number;
}

/** Something broken on purpose. */
export interface Fault extends Observed, OnConnection {
  readonly type: 'fault';
  readonly what: string;
  readonly on: string;
}

/** What the story of an experiment, or a person's test, says it does now. */
export interface Step extends Observed {
  readonly type: 'step';
  readonly text: string;
}

export interface Gauge extends Observed {
  readonly type: 'gauge';
  readonly subject: string;
  readonly name: string;
  readonly value: number;
}

/** What was not seen, and why. */
export interface Lost extends Observed {
  readonly type: 'lost';
  readonly source: string;
  /** Null when nobody can know how many. */
  readonly count: number | null;
  readonly why: string;
  readonly connection?: ConnectionId;
}

export type Event = Syscall | StateChange | Info | Packet | Fate | Message | Step | Fault | Gauge | Lost;
export type EventType = Event['type'];

/** A line of a session's NDJSON. */
export type Entry = SessionHeader | Event;
