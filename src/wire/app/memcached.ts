/** memcached's text protocol, classic and meta commands. */
import type { Value, Values } from '../value.ts';
import { decoderOf, type Hint, type Message, malformed, need, ok, type Step, skip } from './decoder.ts';
import { fill, isFull } from './lines-prefix.ts';
import { oneLine } from './lines-shown.ts';
import { bodyOf, COMMANDS, headOf, request } from './memcached-client.ts';
import { answerBody, answerLine } from './memcached-server.ts';
import { newState, type State } from './memcached-state.ts';
import { lineEnd, text } from './text.ts';

/** A get of many keys makes a long line; the server has no fixed limit for it. */
const LONGEST_LINE = 64 * 1024;
const PORT = 11211;
const BINARY = 'memcached binary protocol is not decoded';

export const decoder = decoderOf<State>({
  name: 'memcached',
  transports: ['tcp'],
  secrets: ['password'],
  speaks: {
    memcached: [
      'command',
      'key',
      'keys',
      'flags',
      'expiry',
      'cas',
      'size',
      'value',
      'values',
      'user',
      'password',
      'noreply',
      'number',
      'meta',
      'args',
      'status',
      'hits',
      'misses',
      'stats',
      'lines',
      'version',
      'error',
      'text',
    ],
  },
  recognises,
  begin: (hint) => newState(hint.midStream),
  client: (bytes, from, to, state) => step(bytes, from, to, state, 'client'),
  server: (bytes, from, to, state) => step(bytes, from, to, state, 'server'),
  summary,
});

function step(bytes: Uint8Array, from: number, to: number, state: State, side: 'client' | 'server'): Step {
  const messages: Message[] = [];
  let at = from;
  for (;;) {
    const head = state[side];
    if (head !== null) {
      at += fill(head.data, bytes, at, to);
      if (isFull(head.data)) {
        if (at > from) {
          return ok(messages, at - from);
        }
        const { left } = head.data;
        head.data.left = 0;
        return skip(left);
      }
      if (head.data.left > 0 || to - at < 2) {
        return at > from ? ok(messages, at - from) : need(head.data.left > 0 ? 1 : 2);
      }
      const sound = bytes[at] === 13 && bytes[at + 1] === 10;
      if (!sound && side === 'server') {
        return at > from
          ? ok(messages, at - from)
          : malformed(0, 'a value does not end where its length says');
      }
      // The server takes two bytes, whatever they are, refuses the value, and goes on behind them.
      at += 2;
      state[side] = null;
      const message =
        side === 'client'
          ? request(head.words, head.bytes + head.data.size + 2, head.data, state, sound)
          : answerBody(head, state);
      if (message !== null) {
        messages.push(message);
      }
      continue;
    }
    if (at >= to) {
      return ok(messages, at - from);
    }
    if (bytes[at] === (side === 'client' ? 0x80 : 0x81) && !state.known) {
      return at > from ? ok(messages, at - from) : malformed(0, BINARY);
    }
    const searched = side === 'client' ? state.clientSearched : state.serverSearched;
    const end = lineEnd(bytes, at + searched, to);
    const length = (end < 0 ? to : end) - at;
    if (length > LONGEST_LINE) {
      return at > from ? ok(messages, at - from) : malformed(0, 'a line longer than 64 KiB');
    }
    remember(state, side, end < 0 ? length : 0);
    if (end < 0) {
      return at > from ? ok(messages, at - from) : need(length + 1);
    }
    const last = bytes[end - 1] === 13 && end > at ? end - 1 : end;
    const size = end + 1 - at;
    const said =
      side === 'client'
        ? asked(bytes, at, last, size, state)
        : answerLine(text(bytes, at, last), size, state);
    if (typeof said === 'string') {
      return at > from ? ok(messages, at - from) : malformed(0, said);
    }
    at = end + 1;
    if (said !== null) {
      messages.push(said);
    }
  }
}

function remember(state: State, side: 'client' | 'server', searched: number): void {
  if (side === 'client') {
    state.clientSearched = searched;
  } else {
    state.serverSearched = searched;
  }
}

/** A line from the client: a request, a body that follows (null), or why it is none. */
function asked(
  bytes: Uint8Array,
  from: number,
  to: number,
  size: number,
  state: State,
): Message | string | null {
  for (let i = from; i < to && !state.known; i++) {
    if (bytes[i]! < 32) {
      return 'a command holds control characters';
    }
  }
  const words = text(bytes, from, to).trim().split(/ +/);
  const body = bodyOf(words, keyLength(bytes, from, to), state);
  if (body >= 0) {
    state.client = headOf(words, size, body);
    return null;
  }
  return request(words, size, null, state);
}

/** Bytes of the second word. */
function keyLength(bytes: Uint8Array, from: number, to: number): number {
  const word = pass(bytes, pass(bytes, from, to, true), to, false);
  const key = pass(bytes, word, to, true);
  return pass(bytes, key, to, false) - key;
}

/** Behind the spaces, or behind what is none. */
function pass(bytes: Uint8Array, from: number, to: number, spaces: boolean): number {
  let at = from;
  while (at < to && (bytes[at] === 32) === spaces) {
    at++;
  }
  return at;
}

function recognises(hint: Hint, bytes: Uint8Array, from: number, to: number): number {
  const home = hint.serverPort === PORT;
  if (from >= to) {
    return home ? 0.3 : 0;
  }
  if (bytes[from] === 0x80 || bytes[from] === 0x81) {
    // The binary protocol: only to say that it is not decoded.
    return home ? 0.5 : 0;
  }
  const end = lineEnd(bytes, from, Math.min(to, from + 512));
  const whole = end >= 0;
  const line = text(bytes, from, whole ? (bytes[end - 1] === 13 ? end - 1 : end) : Math.min(to, from + 512));
  const found = (hint.side === 'client' ? client : server)(line, whole);
  return found === 0 ? 0 : Math.min(0.95, found + (home ? 0.4 : 0));
}

function client(line: string, whole: boolean): number {
  const words = line.split(' ');
  if (!COMMANDS.has(words[0]!)) {
    return 0;
  }
  if (/^(set|add|replace|append|prepend|cas) \S+ \d+ -?\d+ \d+( \d+)?( noreply)?$/.test(line)) {
    return whole ? 0.9 : 0.5;
  }
  // A Redis client may type `get x` too; but the rest of memcached's words are its own.
  return whole || words.length > 1 ? 0.4 : 0.1;
}

function server(line: string, whole: boolean): number {
  if (/^VALUE \S+ \d+ \d+( \d+)?$/.test(line) || /^STAT \S+ /.test(line)) {
    return 0.85;
  }
  if (!whole) {
    return 0;
  }
  if (/^(STORED|NOT_STORED|DELETED|TOUCHED|NOT_FOUND|EXISTS)$/.test(line)) {
    return 0.8;
  }
  return /^(END|HD|EN|MN|ERROR|VERSION \S+|VA \d+|CLIENT_ERROR .*|SERVER_ERROR .*)$/.test(line) ? 0.4 : 0;
}

function summary(message: Message, fields: Values): string {
  const { key, value, size, command, error, status } = fields;
  const data = value === undefined ? '' : ` ${String(size)} B ${quoted(value)}`;
  if (message.kind === 'notice') {
    return oneLine(String(fields.text ?? ''));
  }
  if (message.kind === 'request') {
    const list = listOf(fields.keys ?? fields.args);
    const what = list ?? (key === undefined ? '' : ` ${String(key)}`);
    const number = fields.number === undefined ? '' : ` ${String(fields.number)}`;
    const flags = listOf(fields.meta) ?? '';
    if (fields.password !== undefined) {
      return oneLine(`set ${String(key)} as ${String(fields.user ?? '?')}`);
    }
    return oneLine(`${String(command) || 'blank line'}${what}${flags}${number}${data}`);
  }
  if (error !== undefined) {
    return oneLine(error === status ? String(status) : `${String(status)} ${String(error)}`);
  }
  if (fields.stats !== undefined) {
    return `${Object.keys(fields.stats as Values).length} statistics`;
  }
  if (fields.lines !== undefined) {
    return `${String(fields.lines)} lines`;
  }
  if (fields.hits !== undefined) {
    return oneLine(hits(fields, data));
  }
  const more = fields.number ?? fields.version ?? (listOf(fields.meta) ?? '').trim();
  return oneLine(`${status === 'number' ? '' : String(status)} ${String(more)}`.trim() + data);
}

function hits(fields: Values, data: string): string {
  if (fields.hits === 0) {
    return 'not found';
  }
  const missed = typeof fields.misses === 'number' && fields.misses > 0 ? `, ${fields.misses} not found` : '';
  return fields.hits === 1
    ? `${String(fields.key)}${data}${missed}`
    : `${String(fields.hits)} values${missed}: ${(fields.values as readonly Values[]).map((one) => one.key).join(' ')}`;
}

function listOf(value: Value | undefined): string | null {
  return Array.isArray(value) ? ` ${(value as readonly Value[]).slice(0, 20).join(' ')}` : null;
}

function quoted(value: Value): string {
  return `"${String(value).slice(0, 150)}"`;
}
