/** A rule's `Match`: which frames it means, how often, and the same in words. */
import { createRandom } from '../../session/random.ts';
import { compileFilter } from '../../wire/filter.ts';
import { isFilterFault } from '../../wire/filter-fault.ts';
import { type Loaded, loadProgram, runFilter } from '../../wire/filter-run.ts';
import { type Headers, LINK } from '../../wire/headers.ts';
import type { Match } from '../api.ts';
import { type FlagWish, flagsFit, flagWish } from './flags.ts';

const TCP = 6;

export interface Matcher {
  /** Whether the rule meets this frame. It counts: every frame is asked about once. */
  meets(headers: Headers, from: string, to: string): boolean;
  readonly hits: number;
  /** What it has met most recently, e.g. `the 3rd A from client`. */
  describe(): string;
}

/** The keys make this rule's chances its own. A sentence when the match cannot be understood. */
export function createMatcher(match: Match, seed: number, ...keys: (string | number)[]): Matcher | string {
  const fault = countFault(match);
  const wish = match.flags === undefined ? null : flagWish(match.flags);
  const filter = match.filter === undefined ? null : loadFilter(match.filter);
  if (fault !== null || typeof wish === 'string' || typeof filter === 'string') {
    return fault ?? (typeof wish === 'string' ? wish : String(filter));
  }
  const { after = 0, most = Number.POSITIVE_INFINITY, chance = 1 } = match;
  const nth = match.nth === undefined ? null : new Set([match.nth].flat());
  const random = createRandom(seed, 'rule', ...keys);
  let fitted = 0;
  let hits = 0;
  return {
    meets(headers, from, to) {
      if (!fits(match, wish, filter, headers, from, to)) {
        return false;
      }
      fitted++;
      const wanted = fitted > after && (nth === null || nth.has(fitted)) && hits < most;
      const met = wanted && (chance === 1 || random() < chance);
      hits += met ? 1 : 0;
      return met;
    },
    get hits() {
      return hits;
    },
    describe: () => (nth === null ? describeMatch(match) : `the ${ordinal(fitted)} ${subjectOf(match)}`),
  };
}

function fits(
  match: Match,
  wish: FlagWish | null,
  filter: Loaded | null,
  headers: Headers,
  from: string,
  to: string,
): boolean {
  return (
    (match.from === undefined || match.from === from) &&
    (match.to === undefined || match.to === to) &&
    (wish === null || (headers.protocol === TCP && flagsFit(wish, headers.flags))) &&
    (match.data === undefined || match.data === headers.payloadLength > 0) &&
    (filter === null || runFilter(filter, headers.bytes, headers.from, headers.to, headers.wireLength))
  );
}

function loadFilter(text: string): Loaded | string {
  const compiled = compileFilter(text, { linkType: LINK.ethernet });
  return isFilterFault(compiled)
    ? `the filter "${text}": ${compiled.message}. ${compiled.hint}`
    : loadProgram(compiled.program);
}

const isCount = (value: number): boolean => Number.isSafeInteger(value) && value >= 0;

function countFault({ nth, after, most, chance }: Match): string | null {
  if (nth !== undefined && ![nth].flat().every((one) => isCount(one) && one > 0)) {
    return 'nth counts from 1, in whole numbers';
  }
  if ((after !== undefined && !isCount(after)) || (most !== undefined && !isCount(most))) {
    return 'after and most are whole numbers, 0 or more';
  }
  return chance !== undefined && !(chance >= 0 && chance <= 1) ? 'chance is a number from 0 to 1' : null;
}

/** `the 3rd A from client`, `every S to server`, `the first 2 frames`. */
export function describeMatch(match: Match): string {
  const { nth, after, most, chance } = match;
  const subject = subjectOf(match);
  if (nth !== undefined) {
    const numbers = [nth].flat().map(ordinal);
    const last = numbers.pop() ?? 'no';
    return `the ${numbers.length === 0 ? last : `${numbers.join(', ')} and ${last}`} ${subject}`;
  }
  return [
    `every ${subject}`,
    after === undefined ? '' : `after the ${ordinal(after)}`,
    most === undefined ? '' : `at most ${most}`,
    chance === undefined ? '' : `with a chance of ${percent(chance)}`,
  ]
    .filter((part) => part !== '')
    .join(', ');
}

/** 0.05 → `5 %` */
export function percent(share: number): string {
  return `${Number((share * 100).toPrecision(3))} %`;
}

function subjectOf({ flags, data, filter, from, to }: Match): string {
  return [
    flags ?? (data === undefined ? 'frame' : ''),
    data === undefined
      ? ''
      : flags === undefined
        ? data
          ? 'data'
          : 'empty frame'
        : data
          ? 'with data'
          : 'without data',
    filter === undefined ? '' : `of "${filter}"`,
    from === undefined ? '' : `from ${from}`,
    to === undefined ? '' : `to ${to}`,
  ]
    .filter((part) => part !== '')
    .join(' ');
}

export function ordinal(number: number): string {
  const tens = number % 100;
  const suffix = tens > 10 && tens < 14 ? 'th' : (['th', 'st', 'nd', 'rd'][number % 10] ?? 'th');
  return `${number}${suffix}`;
}
