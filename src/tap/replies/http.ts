/** `503 [TEXT]`: a whole HTTP/1.1 reply (RFC 9112) to one request. */
import type { Heard } from '../../wire/heard.ts';
import type { TextError } from '../rewrite-text.ts';
import { bytesOf, fromLatin1 } from '../set/value.ts';
import type { Made } from './made.ts';
import { STATUS_CODES } from './status-codes.ts';

export function httpReply(text: string): ((request: Heard) => Made) | TextError {
  const found = /^([2-9]\d\d)(?:\s+(.*))?$/s.exec(text.trim());
  if (found === null) {
    return { why: 'a status from 200 to 999 is expected, and maybe a text', at: 0 };
  }
  const status = Number(found[1]);
  const reason = STATUS_CODES[status] ?? '';
  // RFC 9110 6.4.1: these never have content.
  const none = status === 204 || status === 304;
  const body = none ? '' : bytesOf(found[2] ?? `${status} ${reason}\n`.replace(' \n', '\n'));
  const type = /^\s*[[{]/.test(body) ? 'application/json' : 'text/plain; charset=utf-8';
  return ({ fields }) => {
    const closes = !keepsAlive(fields.version, fields['request.header.connection']);
    let head = `HTTP/1.1 ${status} ${reason}\r\n`;
    if (!none) {
      head += `Content-Type: ${type}\r\nContent-Length: ${body.length}\r\n`;
    }
    head += `Connection: ${closes ? 'close' : 'keep-alive'}\r\n\r\n`;
    return { bytes: fromLatin1(fields.method === 'HEAD' ? head : head + body), closes };
  };
}

function keepsAlive(version: unknown, connection: unknown): boolean {
  const said = typeof connection === 'string' ? connection.toLowerCase() : '';
  return version === '1.0' ? /\bkeep-alive\b/.test(said) : !/\bclose\b/.test(said);
}
