/** Commands of memcached's text protocol (doc/protocol.txt of memcached). */
import type { Value, Values } from '../value.ts';
import type { Message } from './decoder.ts';
import { type Prefix, prefixOf } from './lines-prefix.ts';
import { numberOf, textOf } from './memcached-server.ts';
import { type State, waits } from './memcached-state.ts';

const STORAGE = new Set(['set', 'add', 'replace', 'append', 'prepend', 'cas']);
const META = new Set(['mg', 'ms', 'md', 'ma', 'me', 'mn']);
/** Commands whose last word may say that nobody will answer. */
const MAY_BE_SILENT = new Set([
  ...STORAGE,
  'delete',
  'incr',
  'decr',
  'touch',
  'flush_all',
  'verbosity',
  'cache_memlimit',
]);
const OTHERS = [
  'get',
  'gets',
  'gat',
  'gats',
  'stats',
  'version',
  'quit',
  'watch',
  'shutdown',
  'slabs',
  'lru',
  'lru_crawler',
  'misbehave',
  'refresh_certs',
];
export const COMMANDS: ReadonlySet<string> = new Set([...MAY_BE_SILENT, ...META, ...OTHERS]);

/** Arguments that are kept of a line of any length. */
const MAX_WORDS = 200;

/** The length of the body that follows this command; -1: none does. */
export function bodyOf(words: readonly string[]): number {
  const command = words[0]!;
  const word = STORAGE.has(command) ? words[4] : command === 'ms' ? words[2] : undefined;
  return word !== undefined && /^\d{1,10}$/.test(word) ? Number(word) : -1;
}

export function headOf(words: readonly string[], bytes: number, size: number) {
  return { words, bytes, data: prefixOf(size) };
}

export function request(words: readonly string[], bytes: number, data: Prefix | null, state: State): Message {
  const word = words[0]!;
  const name = COMMANDS.has(word) ? word : word.replace(/[^\x21-\x7e]/g, '.').slice(0, 32);
  const fields = () => fieldsOf(words, data);
  if (isSilent(words)) {
    return { protocol: 'memcached', kind: 'request', name, bytes, fields };
  }
  const pair = state.next++;
  const flags = META.has(word) ? words.slice(2) : [];
  waits(state, {
    pair,
    command: name,
    keys: word.startsWith('get') ? words.length - 1 : word.startsWith('gat') ? words.length - 2 : 0,
    quiet: flags.includes('q'),
    value: flags.includes('v'),
    opaque: flags.find((flag) => flag.startsWith('O'))?.slice(1) ?? null,
    key: flags.includes('k') ? (words[1] ?? null) : null,
  });
  return { protocol: 'memcached', kind: 'request', name, bytes, pair, fields };
}

function isSilent(words: readonly string[]): boolean {
  const command = words[0]!;
  return command === 'quit' || (words.length > 1 && words.at(-1) === 'noreply' && MAY_BE_SILENT.has(command));
}

function fieldsOf(words: readonly string[], data: Prefix | null): Values {
  const command = words[0]!;
  const fields: { [name: string]: Value } = { command: command.slice(0, 250) };
  const rest = words.at(-1) === 'noreply' && words.length > 1 ? words.slice(1, -1) : words.slice(1);
  if (META.has(command)) {
    if (rest.length > 0) {
      fields.key = rest[0]!;
    }
    const flags = rest.slice(command === 'ms' && data !== null ? 2 : 1);
    if (flags.length > 0) {
      fields.meta = flags.slice(0, MAX_WORDS);
    }
  } else if (STORAGE.has(command)) {
    fields.key = rest[0] ?? '';
    fields.flags = Number(rest[1] ?? 0);
    fields.ttl = Number(rest[2] ?? 0);
    if (command === 'cas' && rest[4] !== undefined) {
      fields.cas = rest[4];
    }
  } else {
    other(command, rest, fields);
  }
  if (data !== null) {
    fields.size = data.size;
    fields.value = textOf(data);
  }
  if (words.length > 1 && isSilent(words)) {
    fields.noreply = true;
  }
  return fields;
}

function other(command: string, rest: readonly string[], fields: { [name: string]: Value }): void {
  switch (command) {
    case 'gat':
    case 'gats':
      fields.ttl = Number(rest[0] ?? 0);
      keys(rest.slice(1), fields);
      break;
    case 'get':
    case 'gets':
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
      fields.ttl = Number(rest[1] ?? 0);
      break;
    default:
      if (rest.length > 0) {
        fields.args = rest.slice(0, MAX_WORDS).map((word) => word.slice(0, 250));
      }
  }
}

function keys(list: readonly string[], fields: { [name: string]: Value }): void {
  if (list.length > 0) {
    fields.key = list[0]!;
  }
  if (list.length > 1) {
    fields.keys = list.slice(0, MAX_WORDS);
  }
}
