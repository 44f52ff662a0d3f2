/** `--set`: what is changed in a decoded message, and in which. */
import type { Side } from '../../wire/app/decoder.ts';
import type { Heard } from '../../wire/heard.ts';
import type { TextError } from '../rewrite-text.ts';
import { changedHttp, type HttpPart } from './http.ts';
import { respCommand, respReply } from './resp.ts';
import { bytesOf, fromLatin1, glob } from './value.ts';

export interface SetRuleParsed {
  /** As written. */
  readonly text: string;
  readonly from: Side;
  /** Whether this message is to be changed; for replies that are chosen by their request, the request is asked. */
  readonly about: 'message' | 'request';
  matches(heard: Heard): boolean;
  /** Whether the reply of a request that matched may be changed: not a 1xx, not `+QUEUED`. */
  changes(reply: Heard): boolean;
  /** The message as it shall be; null when that cannot be done with these bytes. */
  change(bytes: Uint8Array, heard: Heard): Uint8Array | null;
}

const EXPECTED =
  'http.request|reply.header.NAME=, http.request.path=, http.reply.status=, http.request|reply.body=, redis.reply[GET key]=, redis.request[GET key]=';

export function readSet(text: string): SetRuleParsed | TextError {
  const found = /^(http|redis)\.(request|reply)(?:\[([^\]]*)\])?(?:\.([^=]+))?=/s.exec(text);
  if (found === null) {
    return { why: `one of these is expected: ${EXPECTED}`, at: 0 };
  }
  const [start, protocol, kind, chosen, part] = found;
  const value = bytesOf(text.slice(start.length));
  const from: Side = kind === 'request' ? 'client' : 'server';
  return protocol === 'http'
    ? readHttp(text, start.length, from, chosen, part ?? '', value)
    : readRedis(text, start.length, from, chosen, part, value);
}

function readHttp(
  text: string,
  valueAt: number,
  from: Side,
  chosen: string | undefined,
  named: string,
  value: string,
): SetRuleParsed | TextError {
  const part = partOf(named, from);
  const at = text.indexOf(`.${named}=`) + 1;
  if (part === null) {
    return { why: `'${named}' cannot be set: ${EXPECTED}`, at: Math.max(0, at) };
  }
  if (part.part === 'header' && !/^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(part.name)) {
    return { why: `'${part.name}' is not a header's name`, at };
  }
  if (part.part === 'header' && (part.name === 'content-length' || part.name === 'transfer-encoding')) {
    return { why: `${part.name} says where the message ends; setting the body sets it`, at };
  }
  if (part.part !== 'body' && /[\r\n\0]/.test(value)) {
    return { why: 'a line break cannot stand here', at: valueAt };
  }
  if (part.part === 'path' && (value === '' || /\s/.test(value))) {
    return { why: 'a path without blanks is expected', at: valueAt };
  }
  if (part.part === 'status' && !/^[2-9]\d\d$/.test(value)) {
    return { why: 'a status is expected, 200 to 999', at: valueAt };
  }
  const path = chosen === undefined ? null : glob(chosen);
  const kind = from === 'client' ? 'request' : 'reply';
  return {
    text,
    from,
    about: 'message',
    matches: ({ decoder, kind: what, fields }) =>
      decoder === 'http1' &&
      what === kind &&
      (what === 'request' || Number(fields.status) >= 200) &&
      (path === null || path.test(String(fields.path))),
    changes: () => true,
    change: (bytes, { fields }) => {
      const { status } = fields;
      const bodiless = kind === 'reply' && (fields.method === 'HEAD' || status === 204 || status === 304);
      return changedHttp(bytes, part, value, bodiless);
    },
  };
}

function partOf(named: string, from: Side): HttpPart | null {
  if (named.startsWith('header.')) {
    return { part: 'header', name: named.slice(7).toLowerCase() };
  }
  if (
    named === 'body' ||
    (named === 'path' && from === 'client') ||
    (named === 'status' && from === 'server')
  ) {
    return { part: named };
  }
  return null;
}

function readRedis(
  text: string,
  valueAt: number,
  from: Side,
  chosen: string | undefined,
  part: string | undefined,
  value: string,
): SetRuleParsed | TextError {
  if (part !== undefined) {
    return {
      why: `'.${part}' cannot be set: a reply or a request is set as a whole`,
      at: text.indexOf(`.${part}=`),
    };
  }
  if (from === 'client' && value.trim() === '') {
    return { why: 'a command is expected', at: valueAt };
  }
  const made = fromLatin1(from === 'client' ? respCommand(value) : respReply(value));
  const words = (chosen ?? '').split(/\s+/).filter((word) => word !== '');
  const patterns = words.map((word, i) => glob(word, i === 0 ? 'i' : ''));
  return {
    text,
    from,
    about: from === 'client' ? 'message' : 'request',
    matches: (heard) => heard.protocol === 'redis' && heard.kind === 'request' && commanded(heard, patterns),
    changes: ({ fields }) => fields.queued !== true,
    change: () => made.slice(),
  };
}

/** `GET user:*`: the command's words one by one; words that follow those of the pattern are any. */
function commanded({ fields }: Heard, patterns: readonly RegExp[]): boolean {
  const { command, args } = fields;
  const words = [...String(command).split(' '), ...(Array.isArray(args) ? args.map(String) : [])];
  return patterns.every((pattern, i) => i < words.length && pattern.test(words[i]!));
}
