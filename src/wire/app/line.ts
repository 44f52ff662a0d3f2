/** The text protocol of `serve line` (docs/line.md): a line there, a line back, and messages of channels in between. */
import type { Values } from '../value.ts';
import { decoderOf, type Hint, type Message, malformed, ok, type Step } from './decoder.ts';
import { oneLine } from './lines-shown.ts';
import { lineEnd, text } from './text.ts';

/** What `serve line` listens on when nobody says otherwise. */
const PORT = 7777;
const LONGEST = 64 * 1024;
/** Of a line, and of a list together, this much is kept. */
const KEPT = 16_000;
const MOST_NAME = 32;
const SHOWN = 60;
const AT_HOME = 0.9;
const ELSEWHERE = 0.25;
/** Redis, mail and FTP know some of these as well. */
const COMMANDS =
  /^(PING|ECHO|TIME|SET|SETEX|GET|DEL|KEYS|EXPIRE|TTL|SUBSCRIBE|UNSUBSCRIBE|PUBLISH|HELP|QUIT)$/i;
const REPLY = /^(PONG|TIME|OK|VALUE|NIL|LIST|ERR|BYE)$/;

interface State {
  asked: number;
  answered: number;
  /** Items of a list that are still to come. */
  left: number;
  items: number;
  listed: string;
  listBytes: number;
}

export const decoder = decoderOf<State>({
  name: 'line',
  transports: ['tcp'],
  secrets: [],
  speaks: {
    line: [
      'command',
      'args',
      'key',
      'value',
      'seconds',
      'channel',
      'text',
      'status',
      'items',
      'error.code',
      'error.text',
    ],
  },
  recognises,
  begin: () => ({ asked: 0, answered: 0, left: 0, items: 0, listed: '', listBytes: 0 }),
  client: (bytes, from, to, state) =>
    eachLine(bytes, from, to, (line, size) => [request(line, size, ++state.asked)]),
  server: (bytes, from, to, state) => eachLine(bytes, from, to, (line, size) => reply(line, size, state)),
  summary,
});

function recognises(hint: Hint, bytes: Uint8Array, from: number, to: number): number {
  const home = hint.transport === 'tcp' && hint.serverPort === PORT;
  if (from >= to) {
    return home ? ELSEWHERE : 0;
  }
  const [first = ''] = text(bytes, from, Math.min(to, from + MOST_NAME)).split(/[ \r\n]/);
  if (hint.side === 'client') {
    return COMMANDS.test(first) ? (home ? AT_HOME : ELSEWHERE / 2) : 0;
  }
  return home && REPLY.test(first) ? AT_HOME : 0;
}

/** The complete lines in bytes[from, to). */
function eachLine(
  bytes: Uint8Array,
  from: number,
  to: number,
  read: (line: string, size: number) => readonly Message[],
): Step {
  const messages: Message[] = [];
  let at = from;
  for (;;) {
    const end = lineEnd(bytes, at, to);
    if (end < 0) {
      return to - at > LONGEST
        ? malformed(at - from, `a line of more than ${LONGEST} bytes`)
        : ok(messages, at - from);
    }
    const stop = end > at && bytes[end - 1] === 13 ? end - 1 : end;
    messages.push(...read(text(bytes, at, Math.min(stop, at + KEPT)), end + 1 - at));
    at = end + 1;
  }
}

function messageOf(
  kind: Message['kind'],
  name: string,
  size: number,
  values: Values,
  pair?: number,
): Message {
  return {
    protocol: 'line',
    kind,
    name,
    bytes: size,
    fields: () => values,
    ...(pair === undefined ? {} : { pair }),
    ...(name === 'ERR' ? { failed: true } : {}),
  };
}

function request(line: string, size: number, pair: number): Message {
  const [word = '', rest = ''] = cut(line);
  const command = word.toUpperCase();
  const known = COMMANDS.test(command) ? command : 'other';
  const [first, second] = cut(rest);
  const values: Record<string, string> = { command, args: rest };
  switch (known) {
    case 'GET':
    case 'TTL':
    case 'SET':
    case 'EXPIRE':
    case 'SETEX':
      values.key = first;
      if (known === 'SET') {
        values.value = second;
      } else if (known === 'EXPIRE') {
        values.seconds = second;
      } else if (known === 'SETEX') {
        [values.seconds, values.value] = cut(second);
      }
      break;
    case 'PUBLISH':
      values.channel = first;
      values.text = second;
      break;
    case 'SUBSCRIBE':
    case 'UNSUBSCRIBE':
      values.channel = rest;
      break;
    case 'ECHO':
    case 'PING':
      values.text = rest;
      break;
  }
  return messageOf('request', known, size, values, pair);
}

function reply(line: string, size: number, state: State): readonly Message[] {
  if (state.left > 0) {
    state.items += 1;
    if (state.listed.length + line.length < KEPT) {
      state.listed += `${state.listed === '' ? '' : ' '}${line.replace(/^- /, '')}`;
    }
    state.listBytes += size;
    if (--state.left > 0) {
      return [];
    }
    const values = { status: 'LIST', items: state.items, text: state.listed };
    const bytes = state.listBytes;
    state.items = 0;
    state.listed = '';
    return [messageOf('reply', 'LIST', bytes, values, ++state.answered)];
  }
  const [word = '', rest = ''] = cut(line);
  if (word === 'EVENT') {
    const [channel, said] = cut(rest);
    return [messageOf('notice', 'EVENT', size, { channel, text: said })];
  }
  if (word === 'LIST') {
    state.left = Math.min(Number(rest) || 0, LONGEST);
    state.listBytes = size;
    if (state.left > 0) {
      return [];
    }
    return [messageOf('reply', 'LIST', size, { status: 'LIST', items: 0 }, ++state.answered)];
  }
  const values: Record<string, string> = { status: word };
  if (word === 'ERR') {
    [values['error.code'], values['error.text']] = cut(rest);
  } else if (word === 'VALUE') {
    values.value = rest;
  } else {
    values.text = rest;
  }
  return [messageOf('reply', REPLY.test(word) ? word : 'other', size, values, ++state.answered)];
}

function cut(line: string): [string, string] {
  const space = line.indexOf(' ');
  return space < 0 ? [line, ''] : [line.slice(0, space), line.slice(space + 1)];
}

function summary({ kind, name }: Message, fields: Values): string {
  const said = (field: string): string => oneLine(String(fields[field] ?? ''), SHOWN);
  if (kind === 'request') {
    return `${said('command')} ${said('args')}`.trim();
  }
  if (kind === 'notice') {
    return `EVENT ${said('channel')}: ${said('text')}`;
  }
  switch (name) {
    case 'LIST':
      return `LIST ${said('items')}: ${said('text')}`;
    case 'ERR':
      return `ERR ${said('error.code')} ${said('error.text')}`;
    case 'VALUE':
      return `VALUE ${said('value')}`;
    default:
      return `${said('status')} ${said('text')}`.trim();
  }
}
