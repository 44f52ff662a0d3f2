/** Redis and what speaks like it (Valkey, KeyDB): RESP2 and RESP3, inline commands, subscriptions, MONITOR, replication. */
import { decoderOf, type Hint, type Message, malformed, need, ok, type Step, skip } from './decoder.ts';
import { type Command, commandOf } from './redis-commands.ts';
import { fullName, RedisMessage, scanned, summarise } from './redis-message.ts';
import { recogniseClient, recogniseServer } from './redis-recognise.ts';
import { snapshot, wholeSnapshot } from './redis-replication.ts';
import { replied } from './redis-reply.ts';
import { advance, BAD, DONE, restart, type Scan, SKIP } from './redis-scan.ts';
import { asks, newState, oldest, type State } from './redis-state.ts';
import { firstWord } from './redis-value.ts';
import { latin1, lineEnd } from './text.ts';

/** PROTO_INLINE_MAX_SIZE of server.h. */
const INLINE_MAX = 64 * 1024;
const NOTHING: readonly Message[] = [];

export const decoder = decoderOf<State>({
  name: 'redis',
  transports: ['tcp'],
  secrets: ['password'],
  recognises: (hint: Hint, bytes, from, to) =>
    (hint.side === 'client' ? recogniseClient : recogniseServer)(hint, bytes, from, to),
  speaks: {
    redis: [
      'command',
      'args',
      'key',
      'password',
      'type',
      'reply',
      'error',
      'error.code',
      'attributes',
      'queued',
      'commands',
      'channel',
      'pattern',
      'payload',
      'keys',
      'text',
      'time',
      'database',
      'from',
      'size',
    ],
  },
  begin: newState,
  client,
  server,
  summary: summarise,
});

function client(bytes: Uint8Array, from: number, to: number, state: State): Step {
  const scan = state.client;
  let messages: Message[] | null = null;
  let next = from;
  while (next < to || scan.blobLeft >= 0) {
    if (bytes[next] !== 42 && isFresh(scan)) {
      const end = lineEnd(bytes, next + state.searched, to);
      const length = (end < 0 ? to : end) - next;
      const blank = bytes[next] === 10 || bytes[next] === 13;
      if (length > INLINE_MAX || (!blank && !isInline(bytes, next, next + state.searched, next + length))) {
        return messages === null && next === from
          ? malformed(0, 'neither an array nor a line of text')
          : ok(messages ?? NOTHING, next - from);
      }
      if (end < 0) {
        state.searched = bytes[to - 1] === 13 ? length - 1 : length;
        return messages === null && next === from ? need(length + 1) : ok(messages ?? NOTHING, next - from);
      }
      state.searched = 0;
      if (length > (bytes[end - 1] === 13 ? 1 : 0)) {
        messages ??= [];
        messages.push(inline(bytes, next, end, state));
      }
      next = end + 1;
      continue;
    }
    const outcome = advance(bytes, next, to, scan);
    if (outcome !== DONE) {
      return paused(outcome, scan, from, next, messages);
    }
    const message = asked(bytes, next, state);
    if (message !== null) {
      messages ??= [];
      messages.push(message);
    }
    next = scan.end;
    restart(scan);
  }
  return ok(messages ?? NOTHING, next - from);
}

function server(bytes: Uint8Array, from: number, to: number, state: State): Step {
  const scan = state.server;
  let messages: Message[] | null = null;
  let next = from;
  while (next < to || scan.blobLeft >= 0 || state.replication === 'sized') {
    if (state.replication === 'sized' && state.rdbLeft === 0) {
      messages ??= [];
      messages.push(wholeSnapshot(state));
      continue;
    }
    if (awaitsSnapshot(bytes, next, state)) {
      return next > from ? ok(messages ?? NOTHING, next - from) : snapshot(bytes, next, to, state);
    }
    const outcome = advance(bytes, next, to, scan);
    if (outcome !== DONE) {
      return paused(outcome, scan, from, next, messages);
    }
    messages ??= [];
    messages.push(
      state.replication === 'stream' && scan.type === 42
        ? scanned('command', 'notice', named(bytes, next, scan).ask.name, -1, false, bytes, next, scan)
        : replied(bytes, next, state),
    );
    next = scan.end;
    restart(scan);
  }
  return ok(messages ?? NOTHING, next - from);
}

function isFresh(scan: Scan): boolean {
  return scan.at === 0 && scan.kept === null && scan.stack.length === 0;
}

/** A value is not complete: what was consumed is given back first, then the caller is told what is missing. */
function paused(outcome: number, scan: Scan, from: number, next: number, messages: Message[] | null): Step {
  const end = outcome === BAD ? next : scan.end;
  if (messages !== null || end > from) {
    return ok(messages ?? NOTHING, end - from);
  }
  if (outcome === BAD) {
    return malformed(scan.end - from, scan.why);
  }
  return outcome === SKIP ? skip(scan.wanted) : need(scan.wanted);
}

/** SYNC is answered by the file itself; line feeds come while it is being made. */
function awaitsSnapshot(bytes: Uint8Array, at: number, state: State): boolean {
  switch (state.replication) {
    case 'none':
      return (
        (bytes[at] === 36 || bytes[at] === 10) && isFresh(state.server) && oldest(state)?.special === 'sync'
      );
    case 'stream':
      return false;
    default:
      return true;
  }
}

function named(bytes: Uint8Array, from: number, scan: Scan): Command {
  const source = scan.kept ?? bytes;
  const word = scan.kept === null ? firstWord(source, from, scan.end) : firstWord(source, 0, scan.keptLength);
  return commandOf(source, word.start, word.end);
}

/** The second word, for names like `CONFIG GET`. */
function second(bytes: Uint8Array, from: number, to: number): { start: number; end: number } {
  // Two words of an array look like one array that begins at the first: header, then `$`.
  const first = firstWord(bytes, from, to);
  return firstWord(bytes, first.end, to);
}

/** The command that `state.client` has just scanned at `from`; null for an empty array, which the server passes over. */
function asked(bytes: Uint8Array, from: number, state: State): RedisMessage | null {
  const scan = state.client;
  const source = scan.kept ?? bytes;
  const start = scan.kept === null ? from : 0;
  const end = scan.kept === null ? scan.end : scan.keptLength;
  const words = wordCount(source, start);
  if (words === 0) {
    return null;
  }
  const command = named(bytes, from, scan);
  let name = command.name;
  let argument = '';
  if (command.family && words > 1) {
    const word = second(source, start, end);
    name = fullName(command, latin1(source, word.start, Math.min(word.end, word.start + 40)));
    if (name === 'CLIENT REPLY' && words > 2) {
      const third = firstWord(source, word.end, end);
      argument = latin1(source, third.start, Math.min(third.end, third.start + 8)).toUpperCase();
    }
  }
  const pair = numbered(command, name, argument, words, state);
  return scanned('command', kindOf(state), name, pair, false, bytes, from, scan);
}

/** How many words a command has: the count behind `*`. */
function wordCount(bytes: Uint8Array, from: number): number {
  let count = 0;
  for (let at = from + 1; bytes[at]! >= 48 && bytes[at]! <= 57; at++) {
    count = count * 10 + bytes[at]! - 48;
  }
  return count;
}

/** What a replica says once it follows (REPLCONF ACK) is not answered. */
function kindOf(state: State): 'request' | 'notice' {
  return state.replication === 'none' ? 'request' : 'notice';
}

/** The request's number among those that are answered; -1: no reply will come. */
function numbered(command: Command, name: string, argument: string, words: number, state: State): number {
  if (state.replication !== 'none') {
    return -1;
  }
  if (name === 'CLIENT REPLY') {
    if (argument === 'ON') {
      state.mute = false;
    } else if (argument === 'OFF') {
      state.mute = true;
    } else if (argument === 'SKIP') {
      state.muteNext = !state.mute;
      return -1;
    }
  } else if (state.muteNext) {
    state.muteNext = false;
    return -1;
  }
  if (state.mute) {
    return -1;
  }
  const { ask } = command;
  if (ask.special === 'subscribe' || ask.special === 'unsubscribe') {
    return asks(state, { name, special: ask.special, expects: words > 1 ? words - 1 : -1 });
  }
  return asks(state, name === command.name ? ask : { name, special: 'plain', expects: 1 });
}

/** Text typed by hand begins with a letter and holds no control characters. */
function isInline(bytes: Uint8Array, start: number, from: number, to: number): boolean {
  const first = bytes[start]! | 32;
  if (first < 97 || first > 122) {
    return false;
  }
  for (let i = from; i < to; i++) {
    const byte = bytes[i]!;
    if (byte < 32 && byte !== 9 && !(byte === 13 && i === to - 1)) {
      return false;
    }
  }
  return true;
}

function inline(bytes: Uint8Array, from: number, lineFeed: number, state: State): RedisMessage {
  const to = bytes[lineFeed - 1] === 13 ? lineFeed - 1 : lineFeed;
  const words = latin1(bytes, from, Math.min(to, from + 256))
    .trim()
    .split(/[ \t]+/);
  let end = from;
  while (end < to && bytes[end] !== 32 && bytes[end] !== 9) {
    end++;
  }
  const command = commandOf(bytes, from, end);
  const name = fullName(command, words[1]);
  const pair = numbered(command, name, (words[2] ?? '').toUpperCase(), words.length, state);
  return new RedisMessage(
    'inline',
    kindOf(state),
    name,
    pair,
    false,
    lineFeed + 1 - from,
    bytes,
    from,
    to,
    false,
  );
}
