/** `--config FILE`: taps, their rules and faults, from YAML or JSON. Everything that is wrong is told, each with its place. */
import { type FileHandle, open } from 'node:fs/promises';
import { SockscopeError } from '../errors.ts';
import { type OrderedTap, uniqueName } from './config-defaults.ts';
import { fieldsOf, listOf, shown } from './config-fields.ts';
import {
  type ConfigNode,
  type ConfigProblem,
  type Entry,
  MOST_CONFIG_BYTES,
  type Problems,
  readSource,
} from './config-source.ts';
import { readTap, type TapRead } from './config-tap.ts';
import { readProxy } from './config-toxiproxy.ts';
import { isPlaceError, placeText, plainPlace, readPlace } from './place.ts';
import type { Place } from './plan.ts';

export interface Config {
  readonly taps: readonly OrderedTap[];
  /** Null: not said. */
  readonly seed: number | null;
  readonly api: Place | null;
}

export const API_PORT = 8474;
const MOST_SEED = 2 ** 32;
const ROOT_KEYS = ['taps', 'seed', 'api'];

export async function readConfig(text: string): Promise<Config | readonly ConfigProblem[]> {
  const { root, problems } = await readSource(text);
  if (root === null) {
    return problems.list;
  }
  if (root.kind === 'value') {
    problems.add(root.offset, 'this is not a configuration', 'It begins with taps: and a list of them.');
    return problems.list;
  }
  const config = root.kind === 'list' ? toxiproxys(root.items, problems) : ours(root, problems);
  return problems.list.length > 0 || config === null ? problems.list : config;
}

function ours(root: ConfigNode, problems: Problems): Config | null {
  const fields = fieldsOf(root, ROOT_KEYS, 'the file', problems);
  if (fields === null) {
    return null;
  }
  const taps = listOf(fields.get('taps'), problems).map((node) => readTap(node, problems));
  return {
    taps: checked(taps, problems),
    seed: seedOf(fields.get('seed'), problems),
    api: apiOf(fields.get('api'), problems),
  };
}

function toxiproxys(items: readonly ConfigNode[], problems: Problems): Config {
  return {
    taps: checked(
      items.map((node) => readProxy(node, problems)),
      problems,
    ),
    seed: null,
    api: null,
  };
}

function checked(read: readonly (TapRead | null)[], problems: Problems): OrderedTap[] {
  const taps = read.filter((one) => one !== null);
  const names = new Set<string>();
  for (const { plan, named, nameAt } of taps) {
    if (named && names.has(plan.name)) {
      problems.add(nameAt, `two taps are called ${shown(plan.name)}`, 'Give each a name of its own.');
    }
    if (named) {
      names.add(plan.name);
    }
  }
  const before: OrderedTap[] = [];
  for (const { plan, listenAt } of taps) {
    const other = before.find((one) => clash(one, plan));
    if (other !== undefined) {
      const where = `${placeText(plan.listen)} is taken by the tap ${shown(other.name)}`;
      problems.add(listenAt, where, 'Give one of them another listen.');
    }
    before.push(plan);
  }
  return taps.map(({ plan, named }) => (named ? plan : { ...plan, name: uniqueName(plan.name, names) }));
}

/** An address of all interfaces leaves its port to nobody else. */
function clash(one: OrderedTap, other: OrderedTap): boolean {
  const [a, b] = [one.listen, other.listen];
  if (one.searches || other.searches || a.kind !== b.kind) {
    return false;
  }
  if (a.kind === 'unix') {
    return a.path === b.path;
  }
  const [here, there] = [hostOf(a), hostOf(b)];
  return a.port !== 0 && a.port === b.port && (here === there || isAll(here) || isAll(there));
}

function hostOf({ host }: Place): string {
  return host.toLowerCase() === 'localhost' ? '127.0.0.1' : host.toLowerCase();
}

function isAll(host: string): boolean {
  return host === '0.0.0.0' || host === '::';
}

function seedOf(entry: Entry | undefined, problems: Problems): number | null {
  const value = entry?.value;
  const seed = value?.kind === 'value' ? value.value : null;
  if (value === undefined) {
    return null;
  }
  if (typeof seed === 'number' && Number.isInteger(seed) && seed >= 0 && seed < MOST_SEED) {
    return seed;
  }
  problems.add(value.offset, `seed is a whole number below ${MOST_SEED}`, 'Write seed: 42.');
  return null;
}

/** `true` is Toxiproxy's own address; `false` is none. */
function apiOf(entry: Entry | undefined, problems: Problems): Place | null {
  const value = entry?.value;
  if (value === undefined || (value.kind === 'value' && value.value === false)) {
    return null;
  }
  if (value.kind !== 'value' || value.value === null) {
    problems.add(value.offset, 'api is true, or where it listens', `Write api: 127.0.0.1:${API_PORT}.`);
    return null;
  }
  const read = readPlace(value.value === true ? String(API_PORT) : value.text, 'listen');
  if (isPlaceError(read)) {
    problems.add(value.offset, `api: ${read.error}`, read.hint);
    return null;
  }
  if (read.kind === 'udp' || read.front !== 'none' || read.tls) {
    problems.add(value.offset, 'the API is served over plain HTTP', `Write api: 127.0.0.1:${API_PORT}.`);
    return null;
  }
  return plainPlace(read);
}

/** `file` is a path; `-` is standard input's own business and is not read here. */
export async function loadConfig(file: string): Promise<Config | SockscopeError> {
  const text = await contents(file);
  if (text instanceof SockscopeError) {
    return text;
  }
  const read = await readConfig(text);
  return 'taps' in read ? read : configError(file, read);
}

const SHOWN_PROBLEMS = 20;

/** `FILE:LINE:COL what is wrong`, and under each what to do. */
export function configError(file: string, problems: readonly ConfigProblem[]): SockscopeError {
  const sorted = [...problems].sort((a, b) => a.line - b.line || a.column - b.column);
  const lines = sorted
    .slice(0, SHOWN_PROBLEMS)
    .map(({ line, column, message, hint }) => `${file}:${line}:${column} ${message}\n  ${hint}`);
  if (sorted.length > SHOWN_PROBLEMS) {
    lines.push(`and ${sorted.length - SHOWN_PROBLEMS} more`);
  }
  return new SockscopeError(
    'CONFIG',
    lines.join('\n'),
    'Nothing of it is in force: put this right and try again.',
    2,
  );
}

async function contents(file: string): Promise<string | SockscopeError> {
  let handle: FileHandle | null = null;
  try {
    handle = await open(file, 'r');
    const bytes = Buffer.alloc(MOST_CONFIG_BYTES + 1);
    let length = 0;
    for (let more = -1; more !== 0 && length < bytes.length; ) {
      more = (await handle.read(bytes, length, bytes.length - length, null)).bytesRead;
      length += more;
    }
    if (length > MOST_CONFIG_BYTES) {
      return unreadable(file, `it has more than ${MOST_CONFIG_BYTES} bytes`);
    }
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(0, length));
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    return unreadable(
      file,
      code === 'ERR_ENCODING_INVALID_ENCODED_DATA' ? 'it is not UTF-8' : String(code),
      error,
    );
  } finally {
    await handle?.close();
  }
}

function unreadable(file: string, why: string, cause?: unknown): SockscopeError {
  const hint = 'It is a YAML or JSON file that names taps.';
  return new SockscopeError('CONFIG_FILE', `${file} cannot be read: ${why}.`, hint, 2, cause);
}
