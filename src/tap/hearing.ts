/** Listens to one connection: bytes go in as they are forwarded; messages, troubles and statistics come out. */
import type { Decoder, Side } from '../wire/app/decoder.ts';
import { type Budget, Conversation, type Listener, type Spoken, type Trouble } from '../wire/conversation.ts';
import { blotted, secretsOf } from '../wire/secrets.ts';
import type { Statistics } from '../wire/statistics.ts';
import type { Ears } from './mover.ts';
import type { Observation } from './observation.ts';

/** What all connections of one engine share, and who is told. */
export interface Hearing {
  readonly decoders: readonly Decoder[];
  readonly statistics: Statistics;
  readonly budget: Budget;
  /** Nanoseconds since the session began. */
  now(): number;
  /** Somebody wants messages, or bytes, one by one. */
  readonly wants: { messages: boolean; bytes: boolean; reveal: boolean };
  /** The message as it is told. */
  said(spoken: Spoken, number: number): Observation;
  tell(observation: Observation): void;
  trouble(side: Side, why: string, number: number): void;
  bytes(side: Side, bytes: Uint8Array, number: number): void;
}

export interface Listened extends Ears {
  /** This side says no more. */
  end(side: Side): void;
}

/** Per connection; the newest are kept. */
const MOST_SECRETS = 64;
const NONE: readonly Uint8Array[] = [];
/** Infinity: nobody looks at any byte. */
const ALL = Number.POSITIVE_INFINITY;

/** `number` is the connection's, for those who are told. `fixed`: `auto`, `none` or a decoder's name. */
export function listenTo(
  hearing: Hearing,
  number: number,
  fixed: string,
  ports: { readonly client: number; readonly server: number },
): Listened {
  return new Ear(hearing, number, fixed, ports);
}

/**
 * A class, because every connection has one. As an object of closures with a getter it had a hidden class of its own each time, which
 * lives in V8's old space and keeps the whole connection until the next full collection.
 */
class Ear implements Listened, Listener {
  readonly #hearing: Hearing;
  readonly #number: number;
  readonly #fixed: string;
  readonly #ports: { readonly client: number; readonly server: number };
  #conversation: Conversation | null = null;
  /** What this connection's messages have told that nobody shall read. */
  #secrets: readonly Uint8Array[] = NONE;
  /** Messages that are told when the bytes that completed them have been. */
  #afterBytes: Observation[] | null = null;

  constructor(
    hearing: Hearing,
    number: number,
    fixed: string,
    ports: { readonly client: number; readonly server: number },
  ) {
    this.#hearing = hearing;
    this.#number = number;
    this.#fixed = fixed;
    this.#ports = ports;
  }

  hear(side: Side, bytes: Uint8Array, from: number, to: number): void {
    if (this.#hearing.wants.bytes) {
      this.#hearBytes(side, bytes, from, to);
    } else {
      this.#feed(side, bytes, from, to);
    }
  }

  indifferent(side: Side): number {
    if (this.#hearing.wants.bytes) {
      return 0;
    }
    return this.#fixed === 'none' ? ALL : (this.#conversation?.indifferent(side) ?? 0);
  }

  passedBy(side: Side, count: number): void {
    this.#conversation?.passedBy(side, count, this.#hearing.now());
  }

  end(side: Side): void {
    this.#conversation?.end(side, this.#hearing.now());
  }

  message(spoken: Spoken): void {
    const { statistics, wants } = this.#hearing;
    statistics.message(spoken);
    if (wants.bytes && !wants.reveal) {
      this.#remember(secretsOf(spoken));
    }
    if (wants.messages) {
      const said = this.#hearing.said(spoken, this.#number);
      if (this.#afterBytes === null) {
        this.#hearing.tell(said);
      } else {
        this.#afterBytes.push(said);
      }
    }
  }

  trouble({ side, why }: Trouble): void {
    this.#hearing.trouble(side, why, this.#number);
  }

  #remember(found: readonly Uint8Array[]): void {
    if (found.length > 0) {
      this.#secrets = [...this.#secrets, ...found].slice(-MOST_SECRETS);
    }
  }

  /** Decoded first, because what is secret in these bytes is known only then. */
  #hearBytes(side: Side, bytes: Uint8Array, from: number, to: number): void {
    const waiting: Observation[] = [];
    this.#afterBytes = waiting;
    this.#feed(side, bytes, from, to);
    this.#afterBytes = null;
    this.#hearing.bytes(side, blotted(bytes, from, to, this.#secrets), this.#number);
    for (const said of waiting) {
      this.#hearing.tell(said);
    }
  }

  #feed(side: Side, bytes: Uint8Array, from: number, to: number): void {
    if (this.#fixed !== 'none') {
      (this.#conversation ?? this.#begin()).feed(side, bytes, from, to, this.#hearing.now());
    }
  }

  #begin(): Conversation {
    const { decoders, budget } = this.#hearing;
    this.#conversation = new Conversation(
      {
        transport: 'tcp',
        clientPort: this.#ports.client,
        serverPort: this.#ports.server,
        midStream: false,
      },
      decoders,
      this,
      decoders.find(({ name }) => name === this.#fixed),
      budget,
    );
    return this.#conversation;
  }
}
