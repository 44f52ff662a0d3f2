/** A value from the server: an answer, and to what; or something nobody asked for. */

import type { Ask } from './redis-commands.ts';
import { pushName, type RedisMessage, scanned } from './redis-message.ts';
import { answers, MAX_QUEUED, oldest, type State } from './redis-state.ts';
import { firstWord, readerOf, value } from './redis-value.ts';
import { startsWith } from './text.ts';

const TYPES: Readonly<Record<number, string>> = {
  43: 'simple',
  45: 'error',
  58: 'integer',
  36: 'bulk',
  42: 'array',
  95: 'null',
  35: 'boolean',
  44: 'double',
  40: 'bignumber',
  33: 'bulkerror',
  61: 'verbatim',
  37: 'map',
  126: 'set',
  62: 'push',
  124: 'attribute',
};

/** The words that begin what comes because of a subscription. */
const CONFIRMATIONS = new Set([
  'subscribe',
  'psubscribe',
  'ssubscribe',
  'unsubscribe',
  'punsubscribe',
  'sunsubscribe',
]);
const PUBLISHED = new Set(['message', 'pmessage', 'smessage']);

/** The value that `state.server` has just scanned at `from`. */
export function replied(bytes: Uint8Array, from: number, state: State): RedisMessage {
  const scan = state.server;
  const { type } = scan;
  const source = scan.kept ?? bytes;
  const start = scan.kept === null ? from : 0;
  const end = scan.kept === null ? scan.end : scan.keptLength;
  const ask = oldest(state);
  const subscribed = state.channels + state.patterns + state.shards > 0;
  if (
    type === 62 ||
    (type === 42 && (subscribed || ask?.special === 'subscribe' || ask?.special === 'unsubscribe'))
  ) {
    const word = firstWord(source, start, end);
    const name = pushName(source, word.start, word.end);
    if (CONFIRMATIONS.has(name)) {
      return confirmed(name, bytes, from, source, start, end, ask, state);
    }
    if (type === 62 || PUBLISHED.has(name)) {
      return scanned('push', 'notice', name === '(empty)' ? 'push' : name, -1, false, bytes, from, scan);
    }
  }
  if (state.monitoring && type === 43 && isDigit(source[start + 1])) {
    return scanned('monitor', 'notice', 'monitor', -1, false, bytes, from, scan);
  }
  return answer(bytes, from, source, start, end, ask, state);
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 48 && byte <= 57;
}

function answer(
  bytes: Uint8Array,
  from: number,
  source: Uint8Array,
  start: number,
  end: number,
  ask: Ask | null,
  state: State,
): RedisMessage {
  const scan = state.server;
  const failed = scan.type === 45 || scan.type === 33;
  const isNull =
    (scan.type === 36 || scan.type === 42) && source[start] === scan.type && source[start + 1] === 45;
  const waiting = state.answered < state.asked;
  const message = scanned(
    'reply',
    'reply',
    isNull ? 'null' : (TYPES[scan.type] ?? 'reply'),
    waiting ? state.answered : -1,
    failed,
    bytes,
    from,
    scan,
  );
  if (!waiting) {
    return message;
  }
  if (ask !== null) {
    message.command = ask.name;
    if (state.queued !== null && scan.type === 43 && startsWith(source, start, end, '+QUEUED\r')) {
      message.queued = true;
      if (state.queued.length < MAX_QUEUED) {
        state.queued.push(ask.name);
      }
    } else if (ask.special !== 'plain') {
      special(ask, failed, source, start, end, message, state);
    }
  }
  if (!message.more) {
    answers(state);
  }
  return message;
}

function special(
  ask: Ask,
  failed: boolean,
  source: Uint8Array,
  start: number,
  end: number,
  message: RedisMessage,
  state: State,
): void {
  switch (ask.special) {
    case 'monitor':
      state.monitoring ||= !failed;
      break;
    case 'multi':
      if (!failed) {
        state.queued = [];
      }
      break;
    case 'exec':
      if (!failed) {
        message.transaction = state.queued;
      }
      state.queued = null;
      break;
    case 'discard':
      state.queued = null;
      break;
    case 'reset':
      state.queued = null;
      state.monitoring = false;
      state.channels = 0;
      state.patterns = 0;
      state.shards = 0;
      break;
    case 'psync':
      if (startsWith(source, start, end, '+FULLRESYNC')) {
        state.replication = 'awaited';
        message.more = true;
      } else if (startsWith(source, start, end, '+CONTINUE')) {
        state.replication = 'stream';
      }
  }
}

/** `subscribe`, the channel, and how many subscriptions there are now: one of these for each channel asked for. */
function confirmed(
  name: string,
  bytes: Uint8Array,
  from: number,
  source: Uint8Array,
  start: number,
  end: number,
  ask: Ask | null,
  state: State,
): RedisMessage {
  const before = name.startsWith('p')
    ? state.patterns
    : name.startsWith('s') && name[1] !== 'u'
      ? state.shards
      : name === 'sunsubscribe'
        ? state.shards
        : state.channels;
  count(name, value(readerOf(source, start, end, state.server.kept !== null)), state);
  const asked = ask !== null && ask.name === name.toUpperCase();
  const message = scanned(
    asked ? 'reply' : 'push',
    asked ? 'reply' : 'notice',
    name,
    asked ? state.answered : -1,
    false,
    bytes,
    from,
    state.server,
  );
  if (asked) {
    message.command = ask.name;
    if (ask.expects < 0) {
      ask.expects = Math.max(1, before);
    }
    state.replies++;
    message.more = state.replies < ask.expects;
    if (!message.more) {
      answers(state);
    }
  }
  return message;
}

/** The server counts channels and patterns together, shard channels apart. */
function count(name: string, said: unknown, state: State): void {
  const total = Array.isArray(said) && typeof said[2] === 'number' ? said[2] : 0;
  switch (name) {
    case 'ssubscribe':
    case 'sunsubscribe':
      state.shards = total;
      break;
    case 'psubscribe':
    case 'punsubscribe':
      state.patterns = Math.max(0, total - state.channels);
      break;
    default:
      state.channels = Math.max(0, total - state.patterns);
  }
}
