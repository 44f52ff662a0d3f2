/** What the live screen is given: plain values that travel from the thread that reads packets to the one that draws. */
import type { Owner } from '../../wire/display/subject.ts';
import type { Heard } from '../../wire/heard.ts';
import type { ClosedHow } from '../../wire/streams.ts';
import type { Value, Values } from '../../wire/value.ts';

export interface PacketRow {
  /** From 1, over everything seen. */
  readonly number: number;
  readonly at: number;
  /** The time of day. */
  readonly time: string;
  /** The connection's number, -1 for what belongs to none. */
  readonly connection: number;
  readonly sender: 0 | 1;
  readonly protocol: string;
  /** Flags and numbers of a segment, or what the packet is. */
  readonly info: string;
  readonly notes: number;
  readonly payload: number;
  readonly wireLength: number;
  /** '' where there is only one interface. */
  readonly device: string;
  /** The frame's first bytes, and what is needed to dissect them once more. */
  readonly frame: Uint8Array;
  readonly linkType: number;
  /** The type it was entered with above the link layer; -1: the frame begins with its link header. */
  readonly etherType: number;
  /** TCP: counted from the beginning of the stream; `ack` and `window` are -1 where they are not known. */
  readonly seq: number;
  readonly ack: number;
  readonly window: number;
}

export interface MessageRow {
  /** The packet that completed it. */
  readonly packet: number;
  readonly connection: number;
  readonly time: string;
  /** Null for a trouble: a decoder gave up, or bytes are missing. */
  readonly heard: Heard | null;
  readonly side: 'client' | 'server';
  readonly protocol: string;
  readonly text: string;
}

export interface EndRow {
  readonly address: string;
  readonly port: number;
  readonly text: string;
  readonly owner: Owner | null;
  readonly packets: number;
  readonly payload: number;
  readonly repeated: number;
}

/** A connection as it stands; the row with the same number takes its place. The first fields are named as a `Flow`'s. */
export interface ConnectionRow {
  readonly id: number;
  readonly stream: number;
  readonly protocol: number;
  readonly net: number;
  readonly clientEnd: 0 | 1;
  readonly ends: readonly [EndRow, EndRow];
  readonly notes: number;
  readonly state: 'open' | 'half-closed' | 'closed';
  readonly finBy: 0 | 1 | -1;
  readonly resetBy: 0 | 1 | -1;
  readonly handshakeNs: number;
  readonly first: number;
  readonly last: number;
  /** How often each of its notes was made: `retransmission ×3`. */
  readonly noteTexts: readonly string[];
  /** Null while it goes on. */
  readonly how: ClosedHow | null;
  /** What is spoken; '' while nobody knows. */
  readonly speaks: string;
  readonly messages: number;
  readonly failed: number;
  readonly trouble: string;
}

/** Some bytes of one direction, in order. */
export interface Talk {
  readonly connection: number;
  readonly side: 'client' | 'server';
  readonly time: string;
  readonly bytes: Uint8Array;
}

export interface Secrets {
  readonly connection: number;
  readonly values: readonly Uint8Array[];
}

export interface Batch {
  /** Of all packets so far, shown or not. */
  readonly packets: number;
  readonly bytes: number;
  /** By the kernel, because the ring was full. */
  readonly lost: number;
  readonly rows: readonly PacketRow[];
  readonly messages: readonly MessageRow[];
  readonly connections: readonly ConnectionRow[];
  readonly talk: readonly Talk[];
  readonly secrets: readonly Secrets[];
  /** What there was no room for in this batch. */
  readonly missed: { readonly rows: number; readonly messages: number; readonly connections: number };
  /** connection → bytes of its conversation that there was no room for. */
  readonly unheard: ReadonlyMap<number, number>;
}

const TEXT_KEPT = 2048;
const LIST_KEPT = 64;
const DEPTH_KEPT = 4;

/** Fields as a screen can show them: a body of many kilobytes is cut, so that thousands of messages fit into memory. */
export function trimmed(fields: Values): Values {
  const result: { [name: string]: Value } = {};
  for (const [name, value] of Object.entries(fields)) {
    result[name] = trimmedValue(value, 0);
  }
  return result;
}

function trimmedValue(value: Value, depth: number): Value {
  if (typeof value === 'string') {
    return value.length <= TEXT_KEPT ? value : `${value.slice(0, TEXT_KEPT)}…`;
  }
  if (typeof value !== 'object' || value === null) {
    return value;
  }
  if (depth === DEPTH_KEPT) {
    return '…';
  }
  if (Array.isArray(value)) {
    const kept = value.slice(0, LIST_KEPT).map((one: Value) => trimmedValue(one, depth + 1));
    return value.length <= LIST_KEPT ? kept : [...kept, '…'];
  }
  const entries = Object.entries(value as Values);
  const kept = entries
    .slice(0, LIST_KEPT)
    .map(([name, one]): [string, Value] => [name, trimmedValue(one, depth + 1)]);
  return Object.fromEntries(entries.length <= LIST_KEPT ? kept : [...kept, ['…', '…']]);
}
