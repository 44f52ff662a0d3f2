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
  secrets: [],
  speaks: {
    memcached: [
      'command',
      'key',
      'keys',
      'flags',
      'ttl',
      'cas',
      'size',
      'value',
      'values',
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
  begin: newState,
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
      if (bytes[at] !== 13 || bytes[at + 1] !== 10) {
        return at > from
          ? ok(messages, at - from)
          : malformed(0, 'a value does not end where its length says');
      }
      at += 2;
      state[side] = null;
      const message =
        side === 'client'
          ? request(head.words, head.bytes + head.data.size + 2, head.data, state)
          : answerBody(head, state);
      if (message !== null) {
        messages.push(message);
      }
      continue;
    }
    if (at >= to) {
      return ok(messages, at - from);
    }
    if (bytes[at] === (side === 'client' ? 0x80 : 0x81)) {
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
    const line = text(bytes, at, bytes[end - 1] === 13 ? end - 1 : end);
    const said = side === 'client' ? asked(line, end + 1 - at, state) : answerLine(line, end + 1 - at, state);
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

/** A line from the client: a request, a body that follows, nothing, or why it is none. */
function asked(line: string, bytes: number, state: State): Message | string | null {
  for (let i = 0; i < line.length; i++) {
    if (line.charCodeAt(i) < 32) {
      return 'a command holds control characters';
    }
  }
  const words = line.trim().split(/ +/);
  if (words[0] === '') {
    return null;
  }
  const size = bodyOf(words);
  if (size >= 0) {
    state.client = headOf(words, bytes, size);
    return null;
  }
  return request(words, bytes, null, state);
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
    return oneLine(`${String(command)}${what}${flags}${number}${data}`);
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
