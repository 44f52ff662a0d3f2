/** The recorded replies beside those of now: what differs, and what may. */
import { type Exchange, latencyOf, replyBytes } from './exchanges.ts';
import { type Log, type Said, shownIn } from './log.ts';
import type { Played } from './play.ts';
import { shownBytes } from './shown.ts';

export interface Difference {
  /** `http.status`; `bytes` where nobody understands them, `replies` for their number, `connection` for its end. */
  readonly field: string;
  readonly then: string;
  readonly now: string;
}

export interface Compared {
  readonly stream: number;
  /** What the client said, for people. '' for the server's greeting. */
  readonly request: string;
  readonly protocol: string;
  readonly differences: readonly Difference[];
  /** Nanoseconds from the request to the end of the reply; null without one. */
  readonly latencyThen: number | null;
  readonly latencyNow: number | null;
}

/** What is never the same twice, and means nothing. */
export const USUAL_IGNORES: readonly string[] = [
  'http.response.header.date',
  'http.response.header.age',
  'http.response.header.x-request-id',
  'postgres.backend.pid',
  'postgres.backend.key',
];
const MAX_VALUE = 80;
/** Of one exchange, so many differences are told. */
const MAX_DIFFERENCES = 20;

export interface Ignores {
  has(field: string): boolean;
}

/** `http.response.header.date`, also `http.reply.header.date` and `date`'s like with a `*` in it. */
export function ignoresOf(patterns: readonly string[]): Ignores {
  const tests = patterns.map((pattern) => {
    const parts = pattern
      .toLowerCase()
      .replace(/^http\.reply\./, 'http.response.')
      .split('*')
      .map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
    return new RegExp(`^${parts.join('.*')}$`);
  });
  return { has: (field) => tests.some((one) => one.test(field.toLowerCase())) };
}

export function compare({ conversation, log, exchanges, errno }: Played, ignores: Ignores): Compared[] {
  return conversation.exchanges.flatMap((then, index): Compared[] => {
    const now = exchanges[index];
    const silent = then.said === null && then.to === then.from && then.parts.length === 0;
    if (silent && (now === undefined || now.parts.length === 0)) {
      return [];
    }
    const differences =
      log === null || now === undefined
        ? [{ field: 'reply', then: repliesText(then, conversation.log), now: notSent(errno) }]
        : differencesOf({ of: then, log: conversation.log }, { of: now, log }, ignores);
    return [
      {
        stream: conversation.stream,
        request: requestText(then, conversation.log),
        protocol: then.said?.heard.protocol ?? then.replies[0]?.heard.protocol ?? '',
        differences: differences.slice(0, MAX_DIFFERENCES),
        latencyThen: latencyOf(then),
        latencyNow: now === undefined ? null : latencyOf(now),
      },
    ];
  });
}

function notSent(errno: number): string {
  return errno < 0 ? 'not reached' : 'not asked: the connection was over';
}

function requestText({ said, from, to }: Exchange, { client }: Log): string {
  return said?.shown ?? (to > from ? shownBytes(client.subarray(from, to)) : '');
}

function repliesText(exchange: Exchange, { server }: Log): string {
  const { replies, parts } = exchange;
  if (parts.length === 0) {
    return 'no reply';
  }
  return replies.length > 0
    ? cut(replies.map(({ shown }) => shown).join(' · '))
    : cut(shownBytes(replyBytes(exchange, server)));
}

interface Side {
  readonly of: Exchange;
  readonly log: Log;
}

function differencesOf(then: Side, now: Side, ignores: Ignores): Difference[] {
  const found: Difference[] = [];
  const [before, after] = [then.of.replies, now.of.replies];
  if (then.log.decoded && now.log.decoded) {
    if (before.length === after.length) {
      for (const [i, reply] of before.entries()) {
        found.push(...messageDifferences(reply, after[i]!, then.log, now.log, ignores));
      }
    } else {
      found.push({
        field: 'replies',
        then: repliesText(then.of, then.log),
        now: repliesText(now.of, now.log),
      });
    }
  } else {
    const one = bytesDifference(replyBytes(then.of, then.log.server), replyBytes(now.of, now.log.server));
    if (one !== null) {
      found.push(one);
    }
  }
  if (then.of.closes !== now.of.closes) {
    found.push({ field: 'connection', then: closesText(then.of), now: closesText(now.of) });
  }
  return found;
}

const ENDS = { fin: 'closed by the server', reset: 'reset by the server' } as const;

function closesText({ closes }: Exchange): string {
  return closes === null ? 'stays open' : ENDS[closes];
}

function messageDifferences(
  then: Said,
  now: Said,
  thenLog: Log,
  nowLog: Log,
  ignores: Ignores,
): Difference[] {
  const { protocol, fields } = then.heard;
  const other = now.heard.fields;
  if (protocol !== now.heard.protocol) {
    return [{ field: 'protocol', then: protocol, now: now.heard.protocol }];
  }
  const found: Difference[] = [];
  let expected = Buffer.from(thenLog.server.subarray(then.from, then.to)).toString('latin1');
  let opaque = false;
  for (const name of new Set([...Object.keys(fields), ...Object.keys(other)])) {
    const [a, b] = [fields[name], other[name]];
    if (json(a) === json(b)) {
      continue;
    }
    if (!ignores.has(`${protocol}.${name}`)) {
      found.push({ field: `${protocol}.${name}`, then: shown(then, name), now: shown(now, name) });
    } else if (typeof a === 'string' && typeof b === 'string') {
      // With the ignored value in its place the rest of the bytes can still be compared.
      expected = expected.replace(a, () => b);
    } else {
      opaque = true;
    }
  }
  if (found.length === 0 && !opaque) {
    const bytes = Buffer.from(nowLog.server.subarray(now.from, now.to));
    const one = bytesDifference(Buffer.from(expected, 'latin1'), bytes);
    return one === null ? [] : [{ ...one, field: `${protocol} bytes` }];
  }
  return found;
}

function json(value: unknown): string {
  return JSON.stringify(value, (_, one: unknown) => (typeof one === 'bigint' ? `${one}n` : one)) ?? '';
}

/** A field's value for people: secrets are masked. */
function shown(said: Said, name: string): string {
  const value = shownIn(said, name);
  return value === undefined ? 'nothing' : cut(typeof value === 'string' ? value : json(value));
}

function cut(text: string): string {
  return text.length > MAX_VALUE ? `${text.slice(0, MAX_VALUE)}…` : text;
}

const AROUND = 8;

function bytesDifference(then: Uint8Array, now: Uint8Array): Difference | null {
  const most = Math.max(then.length, now.length);
  let at = 0;
  while (at < most && then[at] === now[at]) {
    at++;
  }
  if (at === most) {
    return null;
  }
  const excerpt = (bytes: Uint8Array): string =>
    bytes.length === 0
      ? 'nothing'
      : `${bytes.length} B, at ${at}: ${shownBytes(bytes.subarray(Math.max(0, at - AROUND), at + 2 * AROUND)).replace(/^\d+ B {2}/, '')}`;
  return { field: 'bytes', then: excerpt(then), now: excerpt(now) };
}
