/** Replies that the tap makes itself: `http 503 Busy`, `redis -MOVED 1 127.0.0.1:7001`. One line per protocol. */
import type { Heard } from '../../wire/heard.ts';
import type { TextError } from '../rewrite-text.ts';
import { respReply } from '../set/resp.ts';
import { bytesOf, fromLatin1 } from '../set/value.ts';
import { httpReply } from './http.ts';
import { jsonrpcReply } from './jsonrpc.ts';
import type { Made } from './made.ts';

export interface Reply {
  readonly decoder: string;
  /** As written. */
  readonly text: string;
  make(request: Heard): Made;
}

type Reader = (text: string) => ((request: Heard) => Made) | TextError;

const always = (text: string): ReturnType<Reader> => {
  const bytes = fromLatin1(text);
  return () => ({ bytes: bytes.slice(), closes: false });
};

/** protocol → its decoder's name, and what makes a reply of the rest of the text. */
const replies: Readonly<Record<string, { readonly decoder: string; readonly read: Reader }>> = {
  http: { decoder: 'http1', read: httpReply },
  redis: { decoder: 'redis', read: (text) => always(respReply(bytesOf(text))) },
  memcached: { decoder: 'memcached', read: (text) => always(`${bytesOf(text || 'SERVER_ERROR busy')}\r\n`) },
  jsonrpc: { decoder: 'jsonrpc', read: jsonrpcReply },
};

export function readReply(text: string): Reply | TextError {
  const found = /^\s*(\S+)\s*/.exec(text);
  const protocol = found?.[1]?.toLowerCase() ?? '';
  const one = Object.hasOwn(replies, protocol) ? replies[protocol]! : null;
  if (found === null || one === null) {
    return { why: `a reply is one of: ${Object.keys(replies).join(', ')}`, at: 0 };
  }
  const make = one.read(text.slice(found[0].length));
  return 'why' in make
    ? { why: make.why, at: found[0].length + make.at }
    : { decoder: one.decoder, text, make };
}
