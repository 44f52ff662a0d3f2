/** Questions that are not ours go to another server, each over a socket and with an id of its own (RFC 5452). */
import { randomInt } from 'node:crypto';
import { errnoName } from '../../../kernel/errno.ts';
import type { Reactor } from '../../../reactor/reactor.ts';
import { type Exchange, exchangeTcp, exchangeUdp, type Heard } from '../../dial/dns/exchange.ts';
import { mismatch } from '../../dial/dns/match.ts';
import type { Query, Question } from './query.ts';

/** What may be under way at once: each has a descriptor. */
const MOST_ASKED = 512;
const TRIES = 2;
const PATIENCE_NS = 2e9;

export interface Upstream {
  readonly host: string;
  readonly port: number;
}

/** The upstream's answer with the client's id, or why there is none. */
export type Forwarded = (bytes: Uint8Array | null, why: string) => void;

export interface Forwarder {
  /**
   * The query's bytes are borrowed. `size` is what the client can take over UDP (0: over TCP, so everything): an answer that was
   * cut is asked for again over TCP only when the client could take the whole.
   */
  ask(bytes: Uint8Array, query: Query & { readonly question: Question }, size: number, done: Forwarded): void;
  close(): void;
}

export function createForwarder(reactor: Reactor, server: Upstream, patienceNs = PATIENCE_NS): Forwarder {
  const asked = new Set<{ exchange: Exchange }>();
  return {
    ask(bytes, query, size, done) {
      if (asked.size >= MOST_ASKED) {
        done(null, `${MOST_ASKED} questions are with the upstream already`);
        return;
      }
      const id = randomInt(0x10000);
      const message = bytes.slice();
      putU16(message, 0, id);
      if (query.edns !== null && size > 0) {
        putU16(message, query.edns.sizeAt, size);
      }
      const refuse = (bytes: Uint8Array, length: number): string =>
        mismatch(bytes, length, { id, ...query.question });
      const end = (answer: Uint8Array | null, why: string): void => {
        asked.delete(one);
        if (answer !== null) {
          putU16(answer, 0, query.id);
        }
        done(answer, why);
      };
      const start = (over: 'udp' | 'tcp', left: number): Exchange => {
        const ask = over === 'udp' ? exchangeUdp : exchangeTcp;
        return ask(reactor, {
          server,
          message,
          patienceNs,
          refuse,
          done({ bytes, errno }: Heard) {
            const cut = bytes !== null && (bytes[2]! & 0x02) !== 0;
            if (cut && over === 'udp' && size === 0) {
              one.exchange = start('tcp', 1);
            } else if (bytes === null && errno === ETIMEDOUT && left > 1) {
              one.exchange = start(over, left - 1);
            } else {
              end(bytes, bytes === null ? errnoName(-errno) : '');
            }
          },
        });
      };
      const one = { exchange: { cancel() {} } };
      asked.add(one);
      one.exchange = start('udp', TRIES);
    },
    close() {
      for (const { exchange } of asked) {
        exchange.cancel();
      }
      asked.clear();
    },
  };
}

const ETIMEDOUT = -110;

function putU16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >> 8;
  bytes[at + 1] = value & 255;
}
