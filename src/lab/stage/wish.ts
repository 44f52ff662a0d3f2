/** What was wished for, checked: a test in plain JavaScript has no compiler that finds a misspelt word. */
import { SockscopeError } from '../../errors.ts';
import type { Act, HostWish, Match, Path, StageWish } from '../api.ts';
import { pathFault } from '../wire/paths.ts';

type Words<T> = readonly (keyof T & string)[];

const STAGE: Words<StageWish> = ['hosts', 'wire', 'seed', 'trace', 'sysctl'];
const HOST: Words<HostWish> = ['on', 'more', 'sysctl', 'mtu', 'gateway', 'router', 'neighbours', 'absent'];
export const PATH: Words<Path> = ['delayMs', 'jitterMs', 'bitsPerSecond', 'queueBytes', 'mtu', 'loss'];
export const MATCH: Words<Match> = [
  'from',
  'to',
  'flags',
  'data',
  'filter',
  'nth',
  'after',
  'most',
  'chance',
];
export const ACTS: readonly Act['do'][] = ['drop', 'duplicate', 'delay', 'corrupt', 'hold'];

/** IPv6 needs so much on every link (RFC 8200 section 5). */
const LEAST_MTU = 1280;
const MOST_MTU = 65_535;
/** The last part of an IPv4 address. */
const MOST_PLACES = 254;
const MOST_SEED = 2 ** 32 - 1;

export function checkWish(wish: StageWish): void {
  mustBeOf('The stage', wish, STAGE);
  const { hosts, wire = {}, seed = 1 } = wish;
  mustBeWhole('The seed', seed, 0, MOST_SEED);
  mustBeOf('The path of a wire', wire, PATH);
  const fault = pathFault(wire);
  if (fault !== null) {
    throw bad(`The wire cannot be so: ${fault}.`, 'See docs/lab.md.');
  }
  if (hosts !== undefined) {
    const named = Object.entries(hosts);
    if (named.length === 0) {
      throw bad(
        'A stage without hosts has nothing to show.',
        'Name some, or leave `hosts` out: client and server.',
      );
    }
    for (const [index, [name, host]] of named.entries()) {
      checkHost(name, host, index + 1);
    }
  }
}

function checkHost(name: string, host: HostWish, number: number): void {
  mustBeOf(`The host ${name}`, host, HOST);
  const { on, more = 0, mtu = LEAST_MTU } = host;
  if (on !== undefined && (on.length === 0 || new Set(on).size < on.length)) {
    throw bad(
      `The host ${name} is on ${on.length === 0 ? 'no segment' : 'one segment twice'}.`,
      "Example: on: ['lan', 'office']",
    );
  }
  mustBeWhole(`The number of more addresses of ${name}`, more, 0, Math.max(0, MOST_PLACES + 1 - 10 * number));
  mustBeWhole(`The MTU of ${name}`, mtu, LEAST_MTU, MOST_MTU);
}

function mustBeWhole(name: string, value: number, least: number, most: number): void {
  if (!Number.isInteger(value) || value < least || value > most) {
    throw bad(
      `${name} is a whole number from ${least} to ${most}, not ${JSON.stringify(value)}.`,
      'Change it.',
    );
  }
}

/** Only words that there are. */
export function mustBeOf(what: string, value: object, words: readonly string[]): void {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw bad(`${what} is an object, not ${JSON.stringify(value)}.`, `It may have ${words.join(', ')}.`);
  }
  for (const word of Object.keys(value)) {
    mustBeOneOf(what, word, words);
  }
}

export function mustBeOneOf(what: string, word: string, words: readonly string[]): void {
  if (!words.includes(word)) {
    throw bad(`${what} has no ${JSON.stringify(word)}.`, `What there is: ${words.join(', ')}.`);
  }
}

function bad(what: string, hint: string): SockscopeError {
  return new SockscopeError('STAGE_WISH', what, hint, 2);
}
