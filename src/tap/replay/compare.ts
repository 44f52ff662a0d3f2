/** The recorded replies beside those of now: what differs, and what may. */
import { type Exchange, latencyOf, replyBytes } from './exchanges.ts';
import { type Log, type Said, shownIn } from './log.ts';
import type { Played } from './play.ts';
import { shownBytes, shownText } from './shown.ts';

export interface Difference {
  /** `http.status`; `bytes` where nobody understands them, `replies` for their number, `connection` for its end. */
  readonly field: string;
  readonly recorded: string;
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
        ? [{ field: 'reply', recorded: repliesText(then, conversation.log), now: notSent(errno) }]
        : [
            ...differencesOf({ of: then, log: conversation.log }, { of: now, log }, ignores),
            ...endDifference(then, now, index === conversation.exchanges.length - 1),
          ];
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
        recorded: repliesText(then.of, then.log),
        now: repliesText(now.of, now.log),
      });
    }
  } else {
    const one = bytesDifference(replyBytes(then.of, then.log.server), replyBytes(now.of, now.log.server));
    if (one !== null) {
      found.push(one);
    }
  }
  return found;
}

const ENDS = { fin: 'closed by the server', reset: 'reset by the server' } as const;

/** After the last exchange it is the client that goes, unless the server did: what the server would have done is not known. */
function endDifference(then: Exchange, now: Exchange, last: boolean): Difference[] {
  return then.closes === now.closes || (last && then.closes === null)
    ? []
    : [{ field: 'connection', recorded: closesText(then), now: closesText(now) }];
}

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
    return [{ field: 'protocol', recorded: protocol, now: now.heard.protocol }];
  }
  const found: Difference[] = [];
  /** Values that may differ, where the rest of the bytes can still be compared around them. */
  const varying: [string, string][] = [];
  let opaque = ignores.has(`${protocol}.bytes`);
  for (const name of new Set([...Object.keys(fields), ...Object.keys(other)])) {
    const [a, b] = [fields[name], other[name]];
    if (json(a) === json(b)) {
      continue;
    }
    if (!ignores.has(`${protocol}.${name}`)) {
      found.push({ field: `${protocol}.${name}`, recorded: shown(then, name), now: shown(now, name) });
    } else if (typeof a === 'string' && typeof b === 'string') {
      varying.push([a, b]);
    } else {
      opaque = true;
    }
  }
  if (found.length > 0 || opaque) {
    return found;
  }
  // A decoder does not tell of everything (rows, the end of a long body): the bytes do.
  const one = bytesDifference(
    thenLog.server.subarray(then.from, then.to),
    nowLog.server.subarray(now.from, now.to),
    varying,
  );
  return one === null ? [] : [{ ...one, field: `${protocol}.bytes` }];
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

function bytesDifference(
  then: Uint8Array,
  now: Uint8Array,
  varying: readonly (readonly [string, string])[] = [],
): Difference | null {
  let a = 0;
  let b = 0;
  for (;;) {
    while (a < then.length && then[a] === now[b]) {
      a++;
      b++;
    }
    if (a === then.length && b === now.length) {
      return null;
    }
    const past = pastVarying(then, a, now, b, varying);
    if (past === null) {
      return {
        field: 'bytes',
        recorded: excerpt(then, a),
        now: excerpt(now, b),
      };
    }
    [a, b] = past;
  }
}

/** The difference lies inside a value that may differ: where both go on behind it. */
function pastVarying(
  then: Uint8Array,
  a: number,
  now: Uint8Array,
  b: number,
  varying: readonly (readonly [string, string])[],
): [number, number] | null {
  for (const [one, other] of varying) {
    for (let back = 0; back <= Math.min(one.length, other.length, a, b); back++) {
      const [from, to] = [a - back + one.length, b - back + other.length];
      if (from > a && textAt(then, a - back, from) === one && textAt(now, b - back, to) === other) {
        return [from, to];
      }
    }
  }
  return null;
}

function textAt(bytes: Uint8Array, from: number, to: number): string {
  return Buffer.from(bytes.subarray(from, to)).toString('latin1');
}

function excerpt(bytes: Uint8Array, at: number): string {
  const near = bytes.subarray(Math.max(0, at - AROUND), at + 2 * AROUND);
  return bytes.length === 0 ? 'nothing' : `${bytes.length} B, from ${at}: ${shownText(near)}`;
}
