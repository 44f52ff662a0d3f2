/** Commands of memcached's text protocol (doc/protocol.txt of memcached). */
import type { Value, Values } from '../value.ts';
import type { Message } from './decoder.ts';
import { type Prefix, prefixOf } from './lines-prefix.ts';
import { numberOf, textOf } from './memcached-server.ts';
import { type State, waits } from './memcached-state.ts';
import { shortened } from './text.ts';

const STORAGE = new Set(['set', 'add', 'replace', 'append', 'prepend', 'cas']);
const META = new Set(['mg', 'ms', 'md', 'ma', 'me', 'mn']);
const GET = new Set(['get', 'gets', 'bget']);
/** How many words a command has whose last, `noreply`, is obeyed: with any other number the server says ERROR (proto_text.c). */
const MAY_BE_SILENT: Readonly<Record<string, readonly [number, number]>> = {
  set: [5, 6],
  add: [5, 6],
  replace: [5, 6],
  append: [5, 6],
  prepend: [5, 6],
  cas: [6, 7],
  delete: [3, 4],
  incr: [3, 4],
  decr: [3, 4],
  touch: [3, 4],
  flush_all: [2, 3],
  verbosity: [2, 3],
  cache_memlimit: [2, 3],
  slabs: [3, 4],
  lru: [2, 23],
  watch: [2, 23],
};
const OTHERS = [
  'gat',
  'gats',
  'stats',
  'version',
  'quit',
  'shutdown',
  'lru_crawler',
  'misbehave',
  'refresh_certs',
];
export const COMMANDS: ReadonlySet<string> = new Set([
  ...Object.keys(MAY_BE_SILENT),
  ...META,
  ...GET,
  ...OTHERS,
]);

/** Arguments that are kept of a line of any length, and characters of a key or an argument that the server refuses. */
const MAX_WORDS = 200;
const MAX_WORD = 1024;
const LONGEST_KEY = 250;
const LARGEST = 2 ** 31 - 3;

/**
 * The length of the body that follows this command; -1: none does. Of a command it does not understand the server reads no
 * body: what was meant as one is then the next command (process_update_command and process_mset_command of proto_text.c).
 */
export function bodyOf(words: readonly string[], keyLength: number, state: State): number {
  const command = words[0]!;
  const { length } = words;
  if (state.locked) {
    return command === 'set' && length >= 5 ? sizeOf(words[4]) : -1;
  }
  if (keyLength > LONGEST_KEY) {
    return -1;
  }
  if (command === 'ms') {
    return sizeOf(words[2]);
  }
  const cas = command === 'cas' ? 1 : 0;
  const understood =
    STORAGE.has(command) &&
    (length === 5 + cas || length === 6 + cas) &&
    isNumber(words[2], false) &&
    isNumber(words[3], true) &&
    (cas === 0 || isNumber(words[5], false));
  return understood ? sizeOf(words[4]) : -1;
}

/** As strtoul and strtol read it, in 64 bits. */
function isNumber(word: string | undefined, signed: boolean): boolean {
  if (word === undefined || !/^[+-]?\d{1,40}$/.test(word) || (!signed && word.startsWith('-'))) {
    return false;
  }
  const number = word.length < 18 ? 0n : BigInt(word);
  return signed ? BigInt.asIntN(64, number) === number : BigInt.asUintN(64, number) === number;
}

/** The server keeps 32 bits of it, and so a length above them is a smaller one. */
function sizeOf(word: string | undefined): number {
  if (!isNumber(word, true)) {
    return -1;
  }
  const size = word!.length < 10 ? Number(word) : Number(BigInt.asIntN(32, BigInt(word!)));
  return size >= 0 && size <= LARGEST ? size : -1;
}

export function headOf(words: readonly string[], bytes: number, size: number) {
  return { words, bytes, data: prefixOf(size) };
}

/** `sound`: nothing was wrong with how its body ended. */
export function request(
  words: readonly string[],
  bytes: number,
  data: Prefix | null,
  state: State,
  sound = true,
): Message {
  const word = words[0]!;
  const name = COMMANDS.has(word) ? word : word.replace(/[^\x21-\x7e]/g, '.').slice(0, 32) || 'blank';
  const login = data !== null && isLogin(words, data, state);
  const silent = isSilent(words) && !state.locked;
  const fields = () => fieldsOf(words, data, login);
  state.begun = true;
  state.known ||= COMMANDS.has(word);
  if (login) {
    // What comes behind it is sent in the belief that it was right.
    state.locked = false;
  }
  if (silent) {
    return { protocol: 'memcached', kind: 'request', name, bytes, fields };
  }
  const pair = state.next++;
  const flags = META.has(word) ? words.slice(2) : [];
  waits(state, {
    pair,
    command: name,
    keys: GET.has(word) ? words.length - 1 : word === 'gat' || word === 'gats' ? words.length - 2 : 0,
    // Flag q hides no error.
    quiet: flags.includes('q') && (word !== 'ms' || (data !== null && sound)),
    value: flags.includes('v'),
    creates: word === 'ma' && flags.some((flag) => flag.startsWith('N')),
    opaque: flags.find((flag) => flag.startsWith('O'))?.slice(1) ?? null,
    key: flags.includes('k') ? (words[1] ?? null) : null,
  });
  return { protocol: 'memcached', kind: 'request', name, bytes, pair, fields };
}

function isSilent(words: readonly string[]): boolean {
  const { length } = words;
  const most = words[length - 1] === 'noreply' ? MAY_BE_SILENT[words[0]!] : undefined;
  return words[0] === 'quit' || (most !== undefined && length >= most[0] && length <= most[1]);
}

const MAX_LOGIN = 512;

/**
 * A server with users (-Y) takes a `set` of any key as a login, its value `user password`. Certain after the server has asked
 * for one; of the first command of a connection a value of that shape is taken for one: a password shown is the worse mistake.
 */
function isLogin(words: readonly string[], data: Prefix, state: State): boolean {
  if (words[0] !== 'set') {
    return false;
  }
  const plain = words.length === 5 && words[2] === '0' && words[3] === '0' && data.size <= MAX_LOGIN;
  return state.locked || (!state.begun && plain && /^[\w.@+-]+ [\x21-\x7e]+$/.test(textOf(data)));
}

function fieldsOf(words: readonly string[], data: Prefix | null, login: boolean): Values {
  const command = words[0]!;
  const fields: { [name: string]: Value } = { command: command.slice(0, LONGEST_KEY) };
  const rest = words.at(-1) === 'noreply' && words.length > 1 ? words.slice(1, -1) : words.slice(1);
  if (META.has(command)) {
    keys(rest.slice(0, 1), fields);
    const flags = rest.slice(command === 'ms' && data !== null ? 2 : 1);
    if (flags.length > 0) {
      fields.meta = some(flags);
    }
  } else if (STORAGE.has(command)) {
    keys(rest.slice(0, 1), fields);
    fields.flags = numberOrText(rest[1]);
    fields.expiry = numberOrText(rest[2]);
    if (command === 'cas' && rest[4] !== undefined) {
      fields.cas = shortened(rest[4], MAX_WORD);
    }
  } else {
    other(command, rest, fields);
  }
  if (data !== null) {
    fields.size = data.size;
    const value = textOf(data);
    const space = login ? value.indexOf(' ') : 0;
    if (!login) {
      fields.value = value;
    } else if (space > 0) {
      fields.user = value.slice(0, space);
    }
    if (login) {
      fields.password = value.slice(space + 1);
    }
  }
  if (words.length > 1 && isSilent(words)) {
    fields.noreply = true;
  }
  return fields;
}

/** A number where the server would take it for one. */
function numberOrText(word: string | undefined): Value {
  return isNumber(word, true) ? numberOf(word!) : shortened(word ?? '', MAX_WORD);
}

function some(words: readonly string[]): readonly string[] {
  return words.slice(0, MAX_WORDS).map((word) => shortened(word, MAX_WORD));
}

function other(command: string, rest: readonly string[], fields: { [name: string]: Value }): void {
  switch (command) {
    case 'gat':
    case 'gats':
      fields.expiry = numberOrText(rest[0]);
      keys(rest.slice(1), fields);
      break;
    case 'get':
    case 'gets':
    case 'bget':
      keys(rest, fields);
      break;
    case 'delete':
      keys(rest.slice(0, 1), fields);
      break;
    case 'incr':
    case 'decr':
      keys(rest.slice(0, 1), fields);
      if (/^\d{1,20}$/.test(rest[1] ?? '')) {
        fields.number = numberOf(rest[1]!);
      }
      break;
    case 'touch':
      keys(rest.slice(0, 1), fields);
      fields.expiry = numberOrText(rest[1]);
      break;
    default:
      if (rest.length > 0) {
        fields.args = some(rest);
      }
  }
}

function keys(list: readonly string[], fields: { [name: string]: Value }): void {
  if (list.length > 0) {
    fields.key = shortened(list[0]!, MAX_WORD);
  }
  if (list.length > 1) {
    fields.keys = some(list);
  }
}
