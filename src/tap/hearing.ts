/** Listens to one connection: bytes go in as they are forwarded; messages, troubles and statistics come out. */
import type { Decoder, Side } from '../wire/app/decoder.ts';
import { type Budget, Conversation, type Listener, type Spoken } from '../wire/conversation.ts';
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
  readonly protocol: string | null;
}

/** Per connection; the newest are kept. */
const MOST_SECRETS = 64;
/** Infinity: nobody looks at any byte. */
const ALL = Number.POSITIVE_INFINITY;

/** `number` is the connection's, for those who are told. `fixed`: `auto`, `none` or a decoder's name. */
export function listenTo(
  hearing: Hearing,
  number: number,
  fixed: string,
  ports: { readonly client: number; readonly server: number },
): Listened {
  let conversation: Conversation | null = null;
  const deaf = fixed === 'none';
  /** What this connection's messages have told that nobody shall read. */
  let secrets: Uint8Array[] = [];
  /** Messages that are told when the bytes that completed them have been. */
  let afterBytes: Observation[] | null = null;
  const listener: Listener = {
    message(spoken) {
      hearing.statistics.message(spoken);
      if (hearing.wants.bytes && !hearing.wants.reveal) {
        remember(secretsOf(spoken));
      }
      if (hearing.wants.messages) {
        const said = hearing.said(spoken, number);
        if (afterBytes === null) {
          hearing.tell(said);
        } else {
          afterBytes.push(said);
        }
      }
    },
    trouble({ side, why }) {
      hearing.trouble(side, why, number);
    },
  };

  function remember(found: readonly Uint8Array[]): void {
    if (found.length > 0) {
      secrets = [...secrets, ...found].slice(-MOST_SECRETS);
    }
  }

  /** Decoded first, because what is secret in these bytes is known only then. */
  function hearBytes(side: Side, bytes: Uint8Array, from: number, to: number): void {
    afterBytes = [];
    feed(side, bytes, from, to);
    const waiting = afterBytes;
    afterBytes = null;
    hearing.bytes(side, blotted(bytes, from, to, secrets), number);
    for (const said of waiting) {
      hearing.tell(said);
    }
  }

  function feed(side: Side, bytes: Uint8Array, from: number, to: number): void {
    if (!deaf) {
      (conversation ?? begin()).feed(side, bytes, from, to, hearing.now());
    }
  }

  function begin(): Conversation {
    conversation = new Conversation(
      { transport: 'tcp', clientPort: ports.client, serverPort: ports.server, midStream: false },
      hearing.decoders,
      listener,
      hearing.decoders.find(({ name }) => name === fixed),
      hearing.budget,
    );
    return conversation;
  }

  return {
    get protocol() {
      return conversation?.decoder?.name ?? null;
    },
    hear(side, bytes, from, to) {
      if (hearing.wants.bytes) {
        hearBytes(side, bytes, from, to);
      } else {
        feed(side, bytes, from, to);
      }
    },
    indifferent(side) {
      return hearing.wants.bytes ? 0 : deaf ? ALL : (conversation?.indifferent(side) ?? 0);
    },
    passedBy(side, count) {
      conversation?.passedBy(side, count, hearing.now());
    },
    end(side) {
      conversation?.end(side, hearing.now());
    },
  };
}
