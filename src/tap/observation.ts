/** What a tap tells about: plain data that crosses threads. Every view, the recording and the library are made of these. */
import type { Address } from '../reactor/reactor.ts';
import type { Side } from '../wire/app/decoder.ts';
import type { Heard } from '../wire/heard.ts';

interface OnConnection {
  /** Nanoseconds since the session began. */
  readonly at: number;
  readonly tap: string;
  /** The connection's number on its tap, from 1. UDP: the flow of one client. */
  readonly connection: number;
}

export interface Opened extends OnConnection {
  readonly type: 'opened';
  readonly client: Address;
  /** Where the client connected to. */
  readonly entered: Address;
}

/** The target answered: `took` nanoseconds after it was dialled. */
export interface Dialled extends OnConnection {
  readonly type: 'dialled';
  readonly source: Address;
  readonly target: Address;
  readonly took: number;
}

/** The target did not: the client hears of it by `told`. */
export interface DialFailed extends OnConnection {
  readonly type: 'dial-failed';
  readonly target: string;
  readonly errno: number;
  readonly took: number;
  readonly told: 'refused' | 'reset' | 'closed' | 'silence';
}

/** Bytes as they were forwarded (after rewriting and faults); only when somebody asked for bytes. */
export interface Bytes extends OnConnection {
  readonly type: 'bytes';
  readonly from: Side;
  readonly bytes: Uint8Array;
}

export interface Said extends OnConnection {
  readonly type: 'message';
  readonly heard: Heard;
}

/** A decoder gave up on a side, TLS did not come about, a datagram could not be sent on. */
export interface Trouble extends OnConnection {
  readonly type: 'trouble';
  readonly of: 'decoder' | 'tls' | 'udp';
  readonly from: Side;
  readonly why: string;
}

/** FIN of one side, forwarded. The other direction goes on. */
export interface HalfClosed extends OnConnection {
  readonly type: 'half-closed';
  readonly from: Side;
}

export interface Ended extends OnConnection {
  readonly type: 'ended';
  /** `fin`: both sides ended; `reset`: one sent RST (or a fault did); `dial`: there never was an other end. */
  readonly how: 'fin' | 'reset' | 'timeout' | 'dial' | 'fault' | 'tap closed';
  /** Who ended it first; null: we did. */
  readonly by: Side | null;
  readonly fromClient: number;
  readonly fromServer: number;
  readonly took: number;
}

/** Broken on purpose, or changed by a rule. */
export interface Broken extends OnConnection {
  readonly type: 'fault';
  readonly what: string;
  readonly from: Side | null;
}

/** A message that waits for a person. */
export interface Held extends OnConnection {
  readonly type: 'held';
  /** Unique in the session: `release` takes it. */
  readonly id: number;
  readonly heard: Heard;
  /** The message as bytes, whole. */
  readonly bytes: Uint8Array;
}

export interface Released extends OnConnection {
  readonly type: 'released';
  readonly id: number;
  /** `gone`: its connection ended while it waited. */
  readonly verdict: 'go' | 'edit' | 'drop' | 'gone';
}

/** About the tap itself, not about one connection: it listens, refuses, is silent, rests for want of descriptors. */
export interface Standing {
  readonly type: 'standing';
  readonly at: number;
  readonly tap: string;
  readonly listens: Address;
  readonly state: 'listening' | 'refusing' | 'silent' | 'resting' | 'closed';
  readonly why: string;
}

/** A line of a TLS key log: who has it can read the recording. */
export interface Key {
  readonly type: 'key';
  readonly at: number;
  readonly line: string;
}

export interface LostObservations {
  readonly type: 'lost';
  readonly at: number;
  readonly count: number;
  readonly why: string;
}

export type Observation =
  | Opened
  | Dialled
  | DialFailed
  | Bytes
  | Said
  | Trouble
  | HalfClosed
  | Ended
  | Broken
  | Held
  | Released
  | Standing
  | Key
  | LostObservations;
