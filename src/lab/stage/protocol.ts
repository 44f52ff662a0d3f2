/** What the threads and processes of a stage say to each other. Everything can be cloned; moments are nanoseconds since the session began. */
import type { Fate, Fault, Gauge, Lost, SocketState, Value } from '../../session/events.ts';
import type { TcpInfo, Timer } from '../../session/socket.ts';
import type { Act, Match, Path } from '../api.ts';

/** CLOCK_MONOTONIC and the wall clock at the session's start, in nanoseconds: every process of a stage counts from there. */
export interface Start {
  readonly monotonic: bigint;
  readonly realtime: bigint;
}

/** Whether the kernel's own trace of state changes is read as well. */
export type Tracing = { readonly on: true } | { readonly on: false; readonly why: string };

/** A host as the wire sees it. */
export interface WirePort {
  readonly host: string;
  readonly segment: string;
  /** The device in the wire's own namespace, and the address of the host's end, e.g. `02:00:00:00:00:01`. */
  readonly ifindex: number;
  readonly device: string;
  readonly mac: string;
}

/** A host as the sampler sees it: descriptors that belong to its namespace. */
export interface Sampled {
  readonly host: string;
  /** NETLINK_SOCK_DIAG. */
  readonly diag: number;
  /** /proc/net/netstat and /proc/net/snmp of the namespace, open for reading. */
  readonly netstat: number;
  readonly snmp: number;
}

export interface WireThreadData {
  readonly start: Start;
  readonly seed: number;
  /** An eventfd: rung after every message, and after every system call of a program. */
  readonly wake: number;
  /** Beside the `parentPort`, which it never waits for: its own end of a MessageChannel, read with receiveMessageOnPort. */
  readonly path: Path;
  readonly trace: boolean;
  /** Whose address each is, for the kernel's trace, which knows no hosts. */
  readonly hosts: Readonly<Record<string, string>>;
}

/** To the wire thread. Each is answered by `done` with the same id. */
export type WireOrder = { readonly id: number } & (
  | { readonly do: 'add'; readonly ports: readonly WirePort[]; readonly sampled: Sampled | null }
  /** Closes the descriptors of `sampled` as well. */
  | { readonly do: 'remove'; readonly host: string }
  | { readonly do: 'path'; readonly path: Path; readonly from?: string; readonly to?: string }
  | { readonly do: 'rule'; readonly act: Act; readonly match: Match }
  | { readonly do: 'unrule'; readonly rule: number }
  | { readonly do: 'release'; readonly rule: number; readonly count: number | null }
  | { readonly do: 'hits'; readonly rule: number }
  | { readonly do: 'cut' | 'plug'; readonly host: string }
  /** As `cut`, and what still comes out of it is not worth an event: it is being switched off. */
  | { readonly do: 'off'; readonly host: string }
  | { readonly do: 'inject'; readonly frame: Uint8Array }
  /** Samples every host now; answered when its events have been posted. */
  | { readonly do: 'sample' }
  | { readonly do: 'counters'; readonly host: string }
  | { readonly do: 'finish' }
);

/** From the wire thread. */
export type FromWireThread =
  | { readonly type: 'ready'; readonly tracing: Tracing }
  | { readonly type: 'failed'; readonly step: string; readonly errno: number }
  | { readonly type: 'batch'; readonly events: readonly RawEvent[] }
  /** `value`: a rule's id, hits, how many were released, a host's counters; null for a refusal, with `why`. */
  | { readonly type: 'done'; readonly id: number; readonly value: Value; readonly why?: string };

export interface RawPacket {
  readonly type: 'packet';
  readonly at: number;
  readonly id: number;
  /** Who sent it, and from which of its devices. */
  readonly host: string;
  readonly segment: string;
  readonly frame: Uint8Array;
}

/** Ends as text, as `endpointText` writes them. */
export interface RawTuple {
  readonly protocol: 'tcp' | 'udp';
  readonly local: { readonly address: string; readonly port: number };
  readonly peer: { readonly address: string; readonly port: number };
}

export interface RawState {
  readonly type: 'state';
  readonly at: number;
  readonly host: string;
  readonly socket: string;
  readonly tuple: RawTuple;
  readonly from: SocketState;
  readonly to: SocketState;
  readonly source: 'sampled' | 'traced';
}

export interface RawInfo {
  readonly type: 'info';
  readonly at: number;
  readonly host: string;
  readonly socket: string;
  readonly tuple: RawTuple;
  readonly recvQueue: number;
  readonly sendQueue: number;
  readonly timer?: Timer;
  readonly tcp?: TcpInfo;
}

export interface RawCall {
  readonly type: 'syscall';
  readonly at: number;
  /** Null: it has not returned yet; the same `call` comes again when it has. */
  readonly took: number | null;
  readonly host: string;
  readonly pid: number;
  readonly tid: number;
  /** Of this process, to find the begun one when it ends. */
  readonly call: number;
  readonly fd?: number;
  readonly name: string;
  readonly args: readonly Value[];
  readonly result: number | null;
  readonly errno?: string;
  /** The socket's ends as far as they were known when the call returned; port 0 is "none yet". */
  readonly tuple?: RawTuple;
}

export type RawEvent = RawPacket | RawState | RawInfo | RawCall | Fate | Gauge | Fault | Lost;

/** To a program's process. `method` is one of `Program`'s verbs. */
export interface ActorOrder {
  readonly id: number;
  readonly method: string;
  /** As the story gave them: numbers, texts, bytes, plain objects. */
  readonly args: readonly unknown[];
}

/** From it. A call that waits is told when it begins (took null), and again when it ends. */
export type FromActor =
  | { readonly type: 'up'; readonly pid: number }
  | { readonly type: 'call'; readonly call: RawCall }
  | { readonly type: 'answer'; readonly id: number; readonly value: unknown }
  /** The story asked for something that no system call can be made of. */
  | { readonly type: 'refused'; readonly id: number; readonly why: string };
