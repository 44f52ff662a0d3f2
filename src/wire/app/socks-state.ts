/** What a conversation with a SOCKS proxy is at, and how a message is made. */
import type { Value, Values } from '../value.ts';
import type { Message, Side } from './decoder.ts';

export interface Asked {
  readonly version: '4' | '4a' | '5';
  readonly command: number;
  readonly host: string;
  readonly port: number;
  readonly user: string;
}

export interface Lane {
  readonly side: Side;
  /** Inside GSSAPI's encapsulation: nothing more is read, and this many bytes were. */
  sealed: boolean;
  sealedBytes: number;
}

export interface State {
  readonly client: Lane;
  readonly server: Lane;
  /** What the client offered; null before its greeting, and in SOCKS 4. */
  offered: Uint8Array | null;
  /** What the server took; -1 before. */
  method: number;
  /** A user and a password were sent, and not answered. */
  proving: boolean;
  asked: Asked | null;
  /** The first of the two answers to BIND was given. */
  bound: boolean;
  /** No more is to come: refused, or only kept open while datagrams go another way. */
  over: 'no' | 'refused' | 'datagrams';
}

export function begin(): State {
  return {
    client: newLane('client'),
    server: newLane('server'),
    offered: null,
    method: -1,
    proving: false,
    asked: null,
    bound: false,
    over: 'no',
  };
}

function newLane(side: Side): Lane {
  return { side, sealed: false, sealedBytes: 0 };
}

/** `pair` is the step of the handshake: there is one of each. */
export function say(
  kind: Message['kind'],
  name: string,
  bytes: number,
  fields: () => Values,
  extra: { pair?: 'greeting' | 'password' | 'request'; failed?: boolean; more?: boolean } = {},
): Message {
  return { protocol: 'socks', kind, name, bytes, fields, ...extra };
}

export type Fields = { [name: string]: Value };
