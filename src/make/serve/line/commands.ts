/** What the words of `serve line` do. A command answers with lines, without their ends. docs/line.md is the grammar. */
import type { Store } from './store.ts';

/** One client, as commands see it. */
export interface Client {
  readonly channels: Set<string>;
  subscribe(channel: string): void;
  unsubscribe(channel: string): void;
}

export interface Desk {
  readonly store: Store;
  now(): number;
  /** How many heard it. */
  publish(channel: string, text: string): number;
}

export interface Answer {
  readonly lines: readonly string[];
  /** Goodbye. */
  readonly last: boolean;
}

const SECOND = 1e9;
const LONGEST_KEY = 256;
const MOST_CHANNELS = 100;
const MOST_LISTED = 10_000;
const MOST_SECONDS = 10 * 365 * 24 * 3600;

interface Command {
  readonly name: string;
  readonly usage: string;
  readonly what: string;
  run(rest: string, client: Client, desk: Desk): readonly string[];
}

function cut(line: string): [string, string] {
  const space = line.indexOf(' ');
  return space < 0 ? [line, ''] : [line.slice(0, space), line.slice(space + 1)];
}

const fault = (code: string, text: string): string[] => [`ERR ${code} ${text}`];

function keyFault(key: string): string[] | null {
  if (key === '') {
    return fault('missing', 'a key');
  }
  return Buffer.byteLength(key) > LONGEST_KEY
    ? fault('too-long', `a key has at most ${LONGEST_KEY} bytes`)
    : null;
}

function secondsOf(text: string): number | null {
  const seconds = /^\d{1,9}(\.\d{1,3})?$/.test(text) ? Number(text) : 0;
  return seconds > 0 && seconds <= MOST_SECONDS ? seconds : null;
}

const SECONDS_WANTED = `seconds are a number above 0 and at most ${MOST_SECONDS}`;

function put(key: string, value: string, seconds: number | null, { store, now }: Desk): string[] {
  const at = now();
  return store.set(key, value, seconds === null ? null : at + seconds * SECOND, at)
    ? ['OK']
    : fault('full', 'no room for more keys');
}

const commands: readonly Command[] = [
  {
    name: 'PING',
    usage: 'PING [text]',
    what: 'PONG, and the text',
    run: (rest) => [rest === '' ? 'PONG' : `PONG ${rest}`],
  },
  { name: 'ECHO', usage: 'ECHO text', what: 'the text', run: (rest) => [`VALUE ${rest}`] },
  {
    name: 'TIME',
    usage: 'TIME',
    what: 'milliseconds since 1970, and the same for people',
    run: () => {
      const now = new Date();
      return [`TIME ${now.getTime()} ${now.toISOString()}`];
    },
  },
  {
    name: 'SET',
    usage: 'SET key value',
    what: 'keeps a value',
    run(rest, _client, desk) {
      const [key, value] = cut(rest);
      return keyFault(key) ?? put(key, value, null, desk);
    },
  },
  {
    name: 'SETEX',
    usage: 'SETEX key seconds value',
    what: 'keeps a value for so long',
    run(rest, _client, desk) {
      const [key, more] = cut(rest);
      const [given, value] = cut(more);
      const seconds = secondsOf(given);
      return (
        keyFault(key) ??
        (seconds === null ? fault('bad-seconds', SECONDS_WANTED) : put(key, value, seconds, desk))
      );
    },
  },
  {
    name: 'GET',
    usage: 'GET key',
    what: 'VALUE and the value, or NIL',
    run(key, _client, { store, now }) {
      const value = store.get(key, now());
      return keyFault(key) ?? [value === null ? 'NIL' : `VALUE ${value}`];
    },
  },
  {
    name: 'DEL',
    usage: 'DEL key…',
    what: 'how many there were',
    run(rest, _client, { store, now }) {
      const keys = rest.split(' ').filter((key) => key !== '');
      return keys.length === 0
        ? fault('missing', 'a key')
        : [`OK ${keys.filter((key) => store.delete(key, now())).length}`];
    },
  },
  {
    name: 'KEYS',
    usage: 'KEYS [pattern]',
    what: 'names; * and ? stand for anything and one character',
    run(pattern, _client, { store, now }) {
      const keys = store.keys(pattern === '' ? '*' : pattern, now());
      const listed = keys.slice(0, MOST_LISTED);
      return [`LIST ${listed.length}`, ...listed.map((key) => `- ${key}`)];
    },
  },
  {
    name: 'EXPIRE',
    usage: 'EXPIRE key seconds',
    what: 'the key goes then',
    run(rest, _client, { store, now }) {
      const [key, given] = cut(rest);
      const seconds = secondsOf(given);
      const at = now();
      return (
        keyFault(key) ??
        (seconds === null
          ? fault('bad-seconds', SECONDS_WANTED)
          : [store.expire(key, at + seconds * SECOND, at) ? 'OK' : 'NIL'])
      );
    },
  },
  {
    name: 'TTL',
    usage: 'TTL key',
    what: 'seconds that are left, or never, or NIL',
    run(key, _client, { store, now }) {
      const left = store.left(key, now());
      return (
        keyFault(key) ?? [
          left === undefined ? 'NIL' : `VALUE ${left === null ? 'never' : (left / SECOND).toFixed(3)}`,
        ]
      );
    },
  },
  {
    name: 'SUBSCRIBE',
    usage: 'SUBSCRIBE channel…',
    what: 'from now on: EVENT channel text',
    run(rest, client) {
      const wanted = rest.split(' ').filter((name) => name !== '');
      if (wanted.length === 0) {
        return fault('missing', 'a channel');
      }
      if (new Set([...client.channels, ...wanted]).size > MOST_CHANNELS) {
        return fault('too-many', `a client hears at most ${MOST_CHANNELS} channels`);
      }
      wanted.forEach(client.subscribe);
      return [`OK ${client.channels.size}`];
    },
  },
  {
    name: 'UNSUBSCRIBE',
    usage: 'UNSUBSCRIBE [channel…]',
    what: 'these no more, or none',
    run(rest, client) {
      const named = rest.split(' ').filter((name) => name !== '');
      (named.length === 0 ? [...client.channels] : named).forEach(client.unsubscribe);
      return [`OK ${client.channels.size}`];
    },
  },
  {
    name: 'PUBLISH',
    usage: 'PUBLISH channel text',
    what: 'how many heard it',
    run(rest, _client, desk) {
      const [channel, said] = cut(rest);
      return channel === '' ? fault('missing', 'a channel') : [`OK ${desk.publish(channel, said)}`];
    },
  },
  {
    name: 'HELP',
    usage: 'HELP',
    what: 'these lines',
    run: () => [`LIST ${commands.length}`, ...commands.map(({ usage, what }) => `- ${usage}  ${what}`)],
  },
  { name: 'QUIT', usage: 'QUIT', what: 'BYE, and the end', run: () => ['BYE'] },
];

const byName = new Map(commands.map((command) => [command.name, command]));

export const commandNames: readonly string[] = commands.map(({ name }) => name);

/** A line without its end. `name` is empty for what is no command. */
export function answerLine(line: string, client: Client, desk: Desk): Answer & { readonly name: string } {
  const [word, rest] = cut(line.trimEnd());
  const command = byName.get(word.toUpperCase());
  if (command === undefined) {
    const shown = word.slice(0, LONGEST_KEY).replace(/\p{Cc}/gu, '?');
    const lines =
      word === ''
        ? fault('empty', 'a line says what to do; HELP lists it')
        : fault('unknown', `${shown}; HELP lists what there is`);
    return { name: '', lines, last: false };
  }
  return { name: command.name, lines: command.run(rest, client, desk), last: command.name === 'QUIT' };
}
