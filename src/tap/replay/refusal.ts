/** What a replayed server says to a request that nobody recorded. */
import type { Made } from '../replies/made.ts';
import { type Reply, readReply } from '../replies/replies.ts';
import type { Said } from './log.ts';

/** decoder → the reply, in the words of `--fault 'reply …'`. */
const TEXTS: Readonly<Record<string, string>> = {
  http1: 'http 404 not in the recording\n',
  redis: 'redis -ERR not in the recording',
  memcached: 'memcached SERVER_ERROR not in the recording',
  jsonrpc: 'jsonrpc -32601 not in the recording',
};

const read = new Map<string, Reply | null>();

/** Null: this protocol has no such words here, or the client did not ask. */
export function refusalOf({ heard }: Said): Made | null {
  const { decoder, kind } = heard;
  if (kind !== 'request' || !Object.hasOwn(TEXTS, decoder)) {
    return null;
  }
  let reply = read.get(decoder);
  if (reply === undefined) {
    const made = readReply(TEXTS[decoder]!);
    reply = 'make' in made ? made : null;
    read.set(decoder, reply);
  }
  return reply?.make(heard) ?? null;
}
