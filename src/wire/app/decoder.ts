/**
 * The contract of a decoder: an application protocol in one file. A decoder is pure and holds nothing but the state it is
 * given; it reads bytes with offsets, and makes strings only when `fields` is asked for.
 */
import type { Values } from '../value.ts';

export type Side = 'client' | 'server';

/** What is known about a conversation beside its bytes. */
export interface Hint {
  readonly transport: 'tcp' | 'udp';
  readonly clientPort: number;
  readonly serverPort: number;
  /** Whose bytes are being looked at. */
  readonly side: Side;
  /** The connection began before we looked, or bytes are missing before these: they may start inside a message. */
  readonly midStream: boolean;
}

export interface Message {
  /** What the display filter and JSON call it: `http` for HTTP/1 and HTTP/2 alike, otherwise mostly the decoder's name. */
  readonly protocol: string;
  /** A notice is neither asked for nor an answer: a push, a handshake step, an alert. */
  readonly kind: 'request' | 'reply' | 'notice';
  /** What statistics group by: `GET`, `SELECT`, `A`, `Parse`. From a small set wherever the protocol has one. */
  readonly name: string;
  /** How many bytes of the stream it took, all of it: head, body, framing. */
  readonly bytes: number;
  /** The same value on a request and on its reply; absent: paired with nothing. Unique among what is outstanding. */
  readonly pair?: number | string;
  /** A reply of which more follow for the same request (1xx, rows of a stream): it is timed, and the request stays open. */
  readonly more?: boolean;
  /** A reply that says no: an error reply, a status of 400 and above, an alert. */
  readonly failed?: boolean;
  /**
   * What it says, by plain names (`command`, `status`, `request.header.host`); secrets are in fields of their own, named in
   * `Decoder.secrets`. May read the bytes the decoder was given, so it is valid only until the decoder is called again.
   */
  fields(): Values;
  /** Enough of `fields` for the summary to be the same, where making them all costs much more. */
  brief?(): Values;
}

export type Step =
  /** `messages` were completed by `consumed` bytes. Consumed 0 with no message means: more bytes, please. */
  | { readonly step: 'ok'; readonly messages: readonly Message[]; readonly consumed: number }
  /** At least `bytes` bytes from `from` on are needed before there is anything to say. Never more than MAX_NEED. */
  | { readonly step: 'need'; readonly bytes: number }
  /** The next `bytes` bytes are a body nobody looks at. Afterwards the decoder is called again, even when nothing follows yet. */
  | { readonly step: 'skip'; readonly bytes: number }
  /** Not this protocol, or broken: at `offset` from `from`, and why in a few words. */
  | { readonly step: 'malformed'; readonly offset: number; readonly why: string }
  /**
   * From here on both directions speak another protocol: the decoder of that name, or (null) whichever recognises it.
   * `given` reaches that decoder's `begin`.
   */
  | {
      readonly step: 'become';
      readonly decoder: string | null;
      readonly messages: readonly Message[];
      readonly consumed: number;
      readonly given?: unknown;
      /** The request answered last is answered once more by the new protocol, under this pair (h2c: RFC 7540 section 3.2). */
      readonly asksAgain?: number | undefined;
    };

/** The most a decoder may ask to be buffered. What is longer is summarised from its beginning, and the rest skipped. */
export const MAX_NEED = 256 * 1024;

export interface Decoder<State = unknown> {
  readonly name: string;
  readonly transports: readonly ('tcp' | 'udp')[];
  /** Field names whose values are masked unless the user says --reveal. A `*` at the end stands for any ending. */
  readonly secrets: readonly string[];
  /**
   * How sure it is that these bytes, the first of their side, are its protocol: 0 no · up to 0.3 only the port says so ·
   * 0.5 plausible · 0.8 and above certain by the bytes themselves. May be called with one byte or none.
   */
  recognises(hint: Hint, bytes: Uint8Array, from: number, to: number): number;
  /** protocol (as in its messages) → the names of their fields; `request.header.*` for any that begins so. Filters are checked against them. */
  readonly speaks: Readonly<Record<string, readonly string[]>>;
  /** State for a new conversation, both directions. */
  begin(hint: Hint, given?: unknown): State;
  /** Bytes from the client: bytes[from, to), which starts where the last step left off. On UDP: one whole datagram. */
  client(bytes: Uint8Array, from: number, to: number, state: State): Step;
  server(bytes: Uint8Array, from: number, to: number, state: State): Step;
  /** No more bytes will come from this side: what can still be said (a reply that ends with the connection). */
  end?(side: Side, state: State): readonly Message[];
  /** It only counts what this side still says: bytes may be told with `passedBy` instead. */
  indifferent?(side: Side, state: State): boolean;
  passedBy?(side: Side, count: number, state: State): void;
  /** One line for a person. `fields` may be masked; nothing else may be shown. */
  summary(message: Message, fields: Values): string;
}

export function ok(messages: readonly Message[], consumed: number): Step {
  return { step: 'ok', messages, consumed };
}

export function need(bytes: number): Step {
  return { step: 'need', bytes };
}

export function skip(bytes: number): Step {
  return { step: 'skip', bytes };
}

export function malformed(offset: number, why: string): Step {
  return { step: 'malformed', offset, why };
}

export function become(
  decoder: string | null,
  messages: readonly Message[],
  consumed: number,
  given?: unknown,
  asksAgain?: number,
): Step {
  return { step: 'become', decoder, messages, consumed, given, asksAgain };
}

/** The decoder with its state's type hidden: the list holds decoders of different states. */
export function decoderOf<State>(decoder: Decoder<State>): Decoder {
  return decoder as Decoder;
}
