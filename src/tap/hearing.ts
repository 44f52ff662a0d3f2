/** Listens to one connection: bytes go in as they are forwarded; messages, troubles and statistics come out. */
import type { Decoder, Side } from '../wire/app/decoder.ts';
import { type Budget, Conversation, type Listener, type Spoken } from '../wire/conversation.ts';
import type { Statistics } from '../wire/statistics.ts';
import type { Ears } from './mover.ts';

/** What all connections of one engine share, and who is told. */
export interface Hearing {
  readonly decoders: readonly Decoder[];
  readonly statistics: Statistics;
  readonly budget: Budget;
  /** Nanoseconds since the session began. */
  now(): number;
  /** Somebody wants messages, or bytes, one by one. */
  readonly wants: { messages: boolean; bytes: boolean };
  message(spoken: Spoken, number: number): void;
  trouble(side: Side, why: string, number: number): void;
  bytes(side: Side, bytes: Uint8Array, from: number, to: number, number: number): void;
}

export interface Listened extends Ears {
  /** This side says no more. */
  end(side: Side): void;
  readonly protocol: string | null;
}

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
  const listener: Listener = {
    message(spoken) {
      hearing.statistics.message(spoken);
      if (hearing.wants.messages) {
        hearing.message(spoken, number);
      }
    },
    trouble({ side, why }) {
      hearing.trouble(side, why, number);
    },
  };

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
        hearing.bytes(side, bytes, from, to, number);
      }
      if (!deaf) {
        (conversation ?? begin()).feed(side, bytes, from, to, hearing.now());
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
