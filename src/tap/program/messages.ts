/** What the stage and its parent say to each other, one message at a time. Datagrams travel as they are; all else is JSON. */

export type Verdict = 'go' | 'refused' | 'unreachable' | 'no-route' | 'silence';
export type DatagramFailure = 'refused' | 'unreachable';

export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** The program wants to talk to `host` and `port`; `from` is what it calls itself. */
export interface Wanted extends Endpoint {
  readonly id: number;
  readonly family: 4 | 6;
  readonly from: Endpoint;
  /** Who in the program's family does; null when it was gone already. */
  readonly pid: number | null;
  readonly name: string | null;
}

export interface Order {
  /** On top of the stage's own environment. */
  readonly environment: Readonly<Record<string, string>>;
  /** Who the program is to be; null: whoever the stage is. */
  readonly user: { readonly uid: number; readonly gid: number } | null;
  /** What the program shall find as its own addresses, and which of them it speaks from. Null: nothing leads there. */
  readonly addresses: readonly string[];
  readonly source4: string | null;
  readonly source6: string | null;
  readonly loopback6: boolean;
  readonly settings: Readonly<Record<string, string>>;
  /** Removed when the parent is gone without having done so. */
  readonly folder: string;
}

export type FromStage =
  | { readonly type: 'started'; readonly pid: number; readonly namespace: number }
  | { readonly type: 'failed'; readonly step: string; readonly errno: number }
  | ({ readonly type: 'dial' } & Wanted)
  | { readonly type: 'accepted'; readonly id: number }
  | { readonly type: 'abandoned'; readonly id: number }
  | ({ readonly type: 'flow' } & Wanted)
  | { readonly type: 'flowEnded'; readonly id: number }
  | { readonly type: 'listening'; readonly at: readonly Endpoint[] }
  | { readonly type: 'entered'; readonly id: number; readonly result: number }
  | { readonly type: 'exited'; readonly code: number | null; readonly signal: NodeJS.Signals | null }
  | { readonly type: 'trouble'; readonly text: string };

export type ToStage =
  | ({ readonly type: 'order' } & Order)
  | { readonly type: 'verdict'; readonly id: number; readonly verdict: Verdict }
  | { readonly type: 'fail'; readonly id: number; readonly failure: DatagramFailure }
  | { readonly type: 'enter'; readonly id: number; readonly host: string; readonly port: number }
  | { readonly type: 'kill'; readonly signal: NodeJS.Signals };

const JSON_MESSAGE = 0;
const DATAGRAM = 1;
const DATAGRAM_HEADER = 5;

export function encode(message: FromStage | ToStage): Buffer {
  const text = JSON.stringify(message);
  const bytes = Buffer.allocUnsafe(1 + Buffer.byteLength(text));
  bytes[0] = JSON_MESSAGE;
  bytes.write(text, 1);
  return bytes;
}

export function encodeDatagram(flow: number, payload: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(DATAGRAM_HEADER + payload.length);
  bytes[0] = DATAGRAM;
  bytes.writeUInt32LE(flow, 1);
  bytes.set(payload, DATAGRAM_HEADER);
  return bytes;
}

/** A datagram's bytes are those of the message: borrowed as long as they are. Both ends are our own, so JSON is taken at its word. */
export function decode<T>(bytes: Buffer): T | { type: 'datagram'; flow: number; payload: Buffer } | null {
  if (bytes[0] === DATAGRAM && bytes.length >= DATAGRAM_HEADER) {
    return { type: 'datagram', flow: bytes.readUInt32LE(1), payload: bytes.subarray(DATAGRAM_HEADER) };
  }
  return bytes[0] === JSON_MESSAGE ? (JSON.parse(bytes.toString('utf8', 1)) as T) : null;
}
