/** What is remembered of one TLS connection. */
import type { Values } from '../value.ts';
import type { Hint, Message } from './decoder.ts';

export const NOTHING = new Uint8Array(0);

export interface Lane {
  /** A handshake message as far as it has come: message[0, have), its header first. */
  message: Uint8Array;
  have: number;
  /** Of one longer than HANDSHAKE_KEPT: bytes still to pass by. */
  pass: number;
  /** Of a record of application data: bytes still to pass by. */
  rest: number;
  /** Bytes that belong to no message yet go to the next one. */
  unsaid: number;
  /** Said before its record's last byte is consumed. */
  problem: string | null;
  /** ChangeCipherSpec was sent: handshake and alerts are encrypted (up to TLS 1.2). */
  changed: boolean;
  finished: boolean;
  records: number;
  bytes: number;
}

export interface State {
  readonly midStream: boolean;
  readonly client: Lane;
  readonly server: Lane;
  /** The ClientHellos so far: their number pairs the answer. */
  hellos: number;
  asked: boolean;
  session: string;
  /** Chosen by the server; 0 before. */
  version: number;
  cipher: number;
  alpn: string | null;
  resumed: boolean;
  encrypted: boolean;
}

function newLane(): Lane {
  return {
    message: NOTHING,
    have: 0,
    pass: 0,
    rest: 0,
    unsaid: 0,
    problem: null,
    changed: false,
    finished: false,
    records: 0,
    bytes: 0,
  };
}

export function begin({ midStream }: Hint): State {
  return {
    midStream,
    client: newLane(),
    server: newLane(),
    hellos: 0,
    asked: false,
    session: '',
    version: 0,
    cipher: 0,
    alpn: null,
    resumed: false,
    encrypted: false,
  };
}

type Writable<T> = { -readonly [name in keyof T]: T[name] };

export function say(
  lane: Lane,
  kind: Message['kind'],
  name: string,
  fields: () => Values,
  extra: { pair?: number; failed?: boolean } = {},
): Message {
  const message: Writable<Message> = { protocol: 'tls', kind, name, bytes: lane.unsaid, fields };
  lane.unsaid = 0;
  if (extra.pair !== undefined) {
    message.pair = extra.pair;
  }
  if (extra.failed === true) {
    message.failed = true;
  }
  return message;
}
