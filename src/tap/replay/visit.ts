/** One client of a replayed server: what it says is understood as in the recording, looked up, and answered. */
import { AGAIN, type Stream } from '../../reactor/reactor.ts';
import { decoders } from '../../wire/app/decoders.ts';
import { Conversation as Talk } from '../../wire/conversation.ts';
import { likeness, readdressed } from './alike.ts';
import type { Exchange } from './exchanges.ts';
import { createSpans, type Said, saidOf } from './log.ts';
import { createOutbox } from './outbox.ts';
import type { Conversation } from './recording.ts';
import { refusalOf } from './refusal.ts';
import { shownBytes } from './shown.ts';
import type { Stage } from './stage.ts';

export interface Visit {
  begin(): void;
  readable(): void;
  writable(): void;
  close(): void;
}

const READ = 65_536;
/** One request may have so many bytes. */
const MAX_REQUEST = 64 * 1024 * 1024;
/** Header compression and frames bind each byte to those before it: only the recorded order makes sense. */
const BOUND: readonly string[] = ['http2'];

/** One visit reads at a time. */
const scratch = new Uint8Array(READ);

export function createVisit(
  stage: Stage,
  stream: Stream,
  own: Conversation,
  number: number,
  over: () => void,
): Visit {
  const { reactor, pool, speed, reveal } = stage;
  const inOrder = stage.inOrder || (own.decoder !== null && BOUND.includes(own.decoder));
  /** What the client has said and nobody has answered; it begins at `base` of its stream. */
  let pending = new Uint8Array(READ);
  let kept = 0;
  let base = 0;
  /** The next exchange, in order. */
  let next = 1;
  let lost = false;
  let gone = false;
  let clientEnded = false;
  /** Nothing that the client says matters any more. */
  let deaf = false;
  const spans = createSpans();
  const said: Said[] = [];

  const talk = own.log.decoded
    ? new Talk(
        { transport: 'tcp', clientPort: 0, serverPort: own.serverPort, midStream: false },
        decoders,
        {
          message(spoken) {
            if (spoken.side === 'client') {
              const one = saidOf(spoken, reveal);
              spans.add(one, spoken.message.bytes, spoken.endsAt);
              said.push(one);
            }
          },
          trouble({ side }) {
            lost ||= side === 'client';
          },
        },
        decoders.find(({ name }) => name === own.decoder),
      )
    : null;

  const outbox = createOutbox(reactor, stream, {
    sent(bytes, from, to) {
      talk?.feed('server', bytes, from, to, reactor.now());
      if (said.length > 0) {
        // The decoder had waited for the server's words to understand the client's.
        reactor.soon(() => {
          answerAll();
          outbox.pump();
        });
      }
    },
    ended(how) {
      if (how === 'reset') {
        stream.reset();
        finish();
      } else {
        stream.shutdown();
        if (clientEnded || deaf) {
          close();
        }
      }
    },
    broken: close,
    drained() {
      if (clientEnded && !gone && said.length === 0) {
        close();
      }
    },
  });

  function finish(): void {
    if (!gone) {
      gone = true;
      outbox.drop();
      stage.tell({ type: 'ended', at: reactor.now(), number });
      over();
    }
  }

  function close(): void {
    if (!gone) {
      stream.close();
      finish();
    }
  }

  function say(
    { parts, at, closes }: Exchange,
    recorded: Conversation,
    change: (reply: Uint8Array) => Uint8Array,
  ) {
    const now = reactor.now();
    const due = (when: number): number => (speed === 0 ? 0 : now + Math.max(0, when - at) / speed);
    for (const part of parts) {
      outbox.bytes(change(recorded.log.server.subarray(part.from, part.to)), due(part.at));
    }
    if (closes !== null) {
      outbox.end(closes, parts.length === 0 ? 0 : due(parts.at(-1)!.at));
    }
  }

  function keep(count: number): void {
    if (kept + count > pending.length) {
      const larger = new Uint8Array(2 * (kept + count));
      larger.set(pending.subarray(0, kept));
      pending = larger;
    }
    pending.set(scratch.subarray(0, count), kept);
    kept += count;
  }

  /** Everything up to `end` of the client's stream is dealt with. */
  function forget(end: number): void {
    const count = Math.max(0, Math.min(end - base, kept));
    pending.copyWithin(0, count, kept);
    kept -= count;
    base += count;
  }

  function answerAll(): void {
    for (const one of said.splice(0)) {
      if (gone || deaf) {
        return;
      }
      const bytes = pending.slice(Math.max(0, one.from - base), Math.max(0, one.to - base));
      if (inOrder) {
        answerNext(one, bytes);
      } else {
        answer(one, bytes);
      }
      forget(one.to);
    }
    if (gone || deaf) {
      forget(base + kept);
      return;
    }
    if (talk === null) {
      answerBytes();
    } else if (lost) {
      unmatched(null, pending.subarray(0, kept));
    } else if (kept > MAX_REQUEST) {
      unmatched(null, pending.subarray(0, READ));
    }
  }

  function answer(one: Said, bytes: Uint8Array): void {
    const found = pool.find(one, bytes, own);
    if (found === null) {
      unmatched(one, bytes);
      return;
    }
    const { conversation, exchange, alike } = found;
    stage.tell({
      type: 'answered',
      at: reactor.now(),
      number,
      shown: one.shown,
      stream: conversation.stream,
      alike,
    });
    say(exchange, conversation, (reply) => readdressed(reply, exchange.said!, one));
  }

  /** Whatever was said: the recording goes on. */
  function answerNext(one: Said, bytes: Uint8Array): void {
    const exchange = own.exchanges[next++];
    if (exchange === undefined) {
      unmatched(one, bytes);
      return;
    }
    const then = exchange.said;
    const alike = then !== null && likeness(then) === likeness(one);
    const at = reactor.now();
    if (alike) {
      stage.tell({ type: 'answered', at, number, shown: one.shown, stream: own.stream, alike: false });
    } else {
      stage.tell({ type: 'differs', at, number, shown: one.shown, recorded: then?.shown ?? 'bytes' });
    }
    say(exchange, own, (reply) => (then === null ? reply : readdressed(reply, then, one)));
  }

  function answerBytes(): void {
    while (kept > 0 && !gone && !deaf) {
      const bytes = pending.subarray(0, kept);
      const exchange = own.exchanges[next];
      if (inOrder && exchange !== undefined) {
        const length = exchange.to - exchange.from;
        if (kept < length) {
          return;
        }
        next++;
        sayBytes(exchange, own, bytes.slice(0, length));
      } else {
        const found = inOrder ? null : pool.findBytes(bytes, own);
        if (found === 'more' && !clientEnded && kept <= MAX_REQUEST) {
          return;
        }
        if (found === null || found === 'more') {
          unmatched(null, bytes);
          return;
        }
        sayBytes(found.exchange, found.conversation, bytes.slice(0, found.exchange.to - found.exchange.from));
      }
    }
  }

  function sayBytes(exchange: Exchange, recorded: Conversation, bytes: Uint8Array): void {
    const wanted = recorded.log.client.subarray(exchange.from, exchange.to);
    const at = reactor.now();
    if (Buffer.compare(wanted, bytes) === 0) {
      stage.tell({
        type: 'answered',
        at,
        number,
        shown: shownBytes(bytes),
        stream: recorded.stream,
        alike: false,
      });
    } else {
      stage.tell({ type: 'differs', at, number, shown: shownBytes(bytes), recorded: shownBytes(wanted) });
    }
    say(exchange, recorded, (reply) => reply);
    forget(base + bytes.length);
  }

  /** An error in the protocol's own words where it has any; otherwise the connection ends, for what follows would make no sense. */
  function unmatched(one: Said | null, bytes: Uint8Array): void {
    const refusal = one === null ? null : refusalOf(one);
    stage.tell({
      type: 'unmatched',
      at: reactor.now(),
      number,
      shown: one?.shown ?? shownBytes(bytes),
      told: refusal === null ? 'closed' : 'error',
    });
    if (refusal !== null) {
      outbox.bytes(refusal.bytes, 0);
    }
    if (refusal === null || refusal.closes) {
      deaf = true;
      outbox.end('fin', 0);
    }
  }

  return {
    begin() {
      say(own.exchanges[0]!, own, (reply) => reply);
    },
    readable() {
      while (!gone && !clientEnded) {
        const count = stream.read(scratch, 0, READ);
        if (count === AGAIN) {
          break;
        }
        if (count < 0) {
          close();
          return;
        }
        if (count === 0) {
          clientEnded = true;
          talk?.end('client', reactor.now());
          break;
        }
        keep(count);
        talk?.feed('client', scratch, 0, count, reactor.now());
        answerAll();
      }
      if (clientEnded && !gone) {
        answerAll();
        outbox.pump();
      }
    },
    writable() {
      outbox.pump();
    },
    close,
  };
}
