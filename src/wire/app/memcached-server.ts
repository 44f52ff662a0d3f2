/** Answers of memcached: a line, a line with a body, or lines until END. */
import type { Value, Values } from '../value.ts';
import type { Message } from './decoder.ts';
import { BODY_KEPT, type Prefix, prefixOf } from './lines-prefix.ts';
import { shown } from './lines-shown.ts';
import {
  type Ask,
  answers,
  type Gathered,
  type Head,
  newGathered,
  oldest,
  type State,
} from './memcached-state.ts';

/** Values and statistics of one answer that are kept, and bytes of all those values. */
const MAX_ITEMS = 100;
const MAX_STATS = 1000;
const MAX_KEPT = 64 * 1024;

/** First words of a whole answer. */
const STATUSES = new Set(
  (
    'STORED NOT_STORED EXISTS NOT_FOUND DELETED TOUCHED OK RESET VERSION ERROR CLIENT_ERROR SERVER_ERROR BUSY BADCLASS NOSPARE ' +
    'NOTFULL UNSAFE SAME HD EN NS EX NF MN ME NOTSTARTED MEMLIMIT_TOO_SMALL MEMLIMIT_ADJUST_FAILED WATCHER_TOO_MANY ' +
    'WATCHER_FAILED'
  ).split(' '),
);
const LISTED = new Set(['STAT', 'ITEM', 'PREFIX']);
const ERRORS = new Set(['ERROR', 'CLIENT_ERROR', 'SERVER_ERROR']);
/** What a server with users (-Y) says to who has not logged in. */
const LOCKED = new Set([
  'CLIENT_ERROR unauthenticated',
  'CLIENT_ERROR authentication failure',
  'CLIENT_ERROR auth token too long',
  'CLIENT_ERROR bad authentication token format',
  'CLIENT_ERROR bad command line termination',
]);

/** One line from the server: a message, a body that follows (left in `state.server`), nothing yet, or why it is none. */
export function answerLine(line: string, bytes: number, state: State): Message | string | null {
  const words = line.split(' ');
  // `ERROR: shutdown not enabled` has a colon.
  const status = words[0] === 'ERROR:' ? 'ERROR' : words[0]!;
  switch (status) {
    case 'VALUE':
      return value(words, bytes, state);
    case 'VA': {
      const size = sizeOf(words[1]);
      if (size < 0) {
        return 'a value without a length';
      }
      state.server = { words, bytes, data: prefixOf(size) };
      return null;
    }
    case 'END':
      return ended(bytes, state);
  }
  if (LISTED.has(status)) {
    return listed(words, line, bytes, state);
  }
  if (state.watching && status !== 'OK') {
    const text = line;
    return { protocol: 'memcached', kind: 'notice', name: 'watch', bytes, fields: () => ({ text }) };
  }
  if (oldest(state)?.command === 'lru_crawler' && !STATUSES.has(status)) {
    const gathered = gather(state);
    gathered.lines++;
    gathered.bytes += bytes;
    return null;
  }
  const number = /^\d{1,20}$/.test(status);
  if (!STATUSES.has(status) && !number) {
    return 'no reply begins so';
  }
  const ask = answers(state, status, words.slice(1));
  state.watching ||= ask?.command === 'watch' && status === 'OK';
  state.locked ||= LOCKED.has(line);
  // An error may come in the place of END.
  const all = bytes + (state.gathered?.bytes ?? 0);
  state.gathered = null;
  return reply(ask, number ? 'number' : status, all, ERRORS.has(status), () =>
    lineFields(status, words, line, number),
  );
}

function sizeOf(word: string | undefined): number {
  return word !== undefined && /^\d{1,10}$/.test(word) ? Number(word) : -1;
}

function gather(state: State): Gathered {
  state.gathered ??= newGathered();
  return state.gathered;
}

function value(words: readonly string[], bytes: number, state: State): string | null {
  const size = sizeOf(words[3]);
  if (size < 0) {
    return 'a value without a length';
  }
  const gathered = gather(state);
  const room = gathered.items.length < MAX_ITEMS ? MAX_KEPT - gathered.kept : 0;
  const data = prefixOf(size, Math.max(0, Math.min(room, BODY_KEPT)));
  gathered.kept += data.kept.length;
  state.server = { words, bytes, data };
  return null;
}

function listed(words: readonly string[], line: string, bytes: number, state: State): null {
  const gathered = gather(state);
  gathered.bytes += bytes;
  if (gathered.stats.length < MAX_STATS) {
    const name = words[1] ?? '';
    gathered.stats.push([name, line.slice(words[0]!.length + name.length + 2)]);
  }
  return null;
}

/** The body of `head` is complete. A VALUE waits for END; `VA` is an answer by itself. */
export function answerBody(head: Head, state: State): Message | null {
  const { words, data } = head;
  const bytes = head.bytes + data.size + 2;
  if (words[0] === 'VALUE') {
    const gathered = gather(state);
    gathered.bytes += bytes;
    gathered.hits++;
    if (gathered.items.length < MAX_ITEMS) {
      gathered.items.push({ key: words[1]!, flags: words[2]!, cas: words[4] ?? null, data });
    }
    return null;
  }
  const flags = words.slice(2);
  return reply(answers(state, 'VA', flags), 'VA', bytes, false, () => ({
    status: 'VA',
    size: data.size,
    ...(flags.length > 0 ? { meta: flags } : {}),
    value: textOf(data),
  }));
}

function ended(bytes: number, state: State): Message {
  const { gathered } = state;
  state.gathered = null;
  const ask = answers(state, 'END', []);
  const all = bytes + (gathered?.bytes ?? 0);
  const name =
    gathered === null ? 'END' : gathered.hits > 0 ? 'VALUE' : gathered.stats.length > 0 ? 'STAT' : 'END';
  return reply(ask, name, all, false, () => gatheredFields(gathered, ask));
}

function gatheredFields(gathered: Gathered | null, ask: Ask | null): Values {
  const fields: { [name: string]: Value } = { status: 'END' };
  if (gathered !== null && gathered.stats.length > 0) {
    fields.stats = Object.fromEntries(gathered.stats);
  } else if (gathered !== null && gathered.lines > 0) {
    fields.lines = gathered.lines;
  } else {
    const hits = gathered?.hits ?? 0;
    fields.hits = hits;
    if (ask !== null && ask.keys > 0) {
      fields.misses = Math.max(0, ask.keys - hits);
    }
    const items = (gathered?.items ?? []).map(({ key, flags, cas, data }) => ({
      key,
      flags: Number(flags),
      size: data.size,
      ...(cas === null ? {} : { cas }),
      value: textOf(data),
    }));
    if (hits === 1) {
      Object.assign(fields, items[0]);
    } else if (hits > 1) {
      fields.values = items;
    }
  }
  return fields;
}

export function textOf(data: Prefix): string {
  const text = shown(data.kept, 0, data.length);
  return data.size > data.length && !text.endsWith('…') ? `${text}…` : text;
}

function lineFields(status: string, words: readonly string[], line: string, number: boolean): Values {
  if (number) {
    return { status: 'number', number: numberOf(status) };
  }
  const rest = line.slice(words[0]!.length + 1);
  if (ERRORS.has(status)) {
    return { status, error: rest === '' ? status : rest };
  }
  if (status === 'VERSION') {
    return { status, version: rest };
  }
  return words.length > 1 ? { status, meta: words.slice(1) } : { status };
}

export function numberOf(digits: string): number | bigint {
  const number = Number(digits);
  return Number.isSafeInteger(number) ? number : BigInt(digits);
}

function reply(ask: Ask | null, name: string, bytes: number, failed: boolean, make: () => Values): Message {
  const fields = () => (ask === null ? make() : { command: ask.command, ...make() });
  return ask === null
    ? { protocol: 'memcached', kind: 'reply', name, bytes, failed, fields }
    : { protocol: 'memcached', kind: 'reply', name, bytes, failed, pair: ask.pair, fields };
}
