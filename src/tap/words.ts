/** What follows `sockscope tap` on the command line, as taps. */
import { SockscopeError } from '../errors.ts';
import { type OrderedTap, orderTap, uniqueName } from './config-defaults.ts';
import { isPlaceError, type PlaceError, type PlaceSide, readPlace, type WrittenPlace } from './place.ts';

export interface TapWords {
  readonly words: readonly string[];
  /** `-l`, each time it was given. */
  readonly listens: readonly string[];
  /** `-r`. */
  readonly targets: readonly string[];
}

interface Pair {
  readonly listen: WrittenPlace | null;
  readonly target: WrittenPlace | null;
}

const FORMS =
  'Say `tap 6379`, `tap LISTEN TARGET`, `tap LISTEN=TARGET LISTEN=TARGET …`, or `-l LISTEN -r TARGET` in pairs.';

function usage(message: string, hint = FORMS): SockscopeError {
  return new SockscopeError('TAP_WORDS', message, hint, 2);
}

export function readTapWords(given: TapWords): OrderedTap[] | SockscopeError {
  const pairs = given.listens.length + given.targets.length > 0 ? fromOptions(given) : fromWords(given.words);
  if (pairs instanceof SockscopeError) {
    return pairs;
  }
  const taken = new Set<string>();
  const taps: OrderedTap[] = [];
  for (const { listen, target } of pairs) {
    const ordered = orderTap(listen, target);
    if ('error' in ordered) {
      return usage(ordered.error, ordered.hint);
    }
    taps.push({ ...ordered.plan, name: uniqueName(ordered.called, taken) });
  }
  return taps;
}

/** A single bare word beside a single `-l` or `-r` is the other half. */
function fromOptions({ words, listens, targets }: TapWords): Pair[] | SockscopeError {
  if (words.length > 0) {
    if (words.length === 1 && listens.length + targets.length === 1) {
      return listens.length === 1 ? pair(listens[0]!, words[0]!) : pair(words[0]!, targets[0]!);
    }
    return usage('addresses are given both with -l/-r and without.', 'Use one way for all of them.');
  }
  if (listens.length === 0) {
    return collect(targets.map((target) => pair(null, target)));
  }
  if (targets.length === 0) {
    return collect(listens.map((listen) => pair(listen, null)));
  }
  return listens.length === targets.length
    ? collect(listens.map((listen, i) => pair(listen, targets[i]!)))
    : usage(
        `-l was given ${times(listens.length)} and -r ${times(targets.length)}.`,
        'The first -l belongs to the first -r, and so on: give as many of each.',
      );
}

function times(count: number): string {
  return count === 1 ? 'once' : count === 2 ? 'twice' : `${count} times`;
}

function collect(all: readonly (Pair[] | SockscopeError)[]): Pair[] | SockscopeError {
  return all.find((one) => one instanceof SockscopeError) ?? (all as Pair[][]).flat();
}

function fromWords(words: readonly string[]): Pair[] | SockscopeError {
  if (words.length === 0) {
    return usage('nothing to tap.');
  }
  const whole: (Pair[] | SockscopeError)[] = [];
  const bare: string[] = [];
  for (const word of words) {
    const one = wholeTap(word);
    if (one === null) {
      bare.push(word);
    } else {
      whole.push(one);
    }
  }
  if (bare.length === 2 && whole.length === 0) {
    return pair(bare[0]!, bare[1]!);
  }
  if (bare.length > 1) {
    return usage(
      `${bare.length} addresses in a row, and it is not said which leads where: ${bare.slice(0, 5).join(' ')}${bare.length > 5 ? ' …' : ''}`,
      `Say which belongs to which: tap ${bare[0]}=${bare[1]} … . ${FORMS}`,
    );
  }
  // In the order of the words: the first tap named is the first one shown.
  return collect(words.map((word) => wholeTap(word) ?? pair(null, word)));
}

/** A word that says everything: `LISTEN=TARGET`, or a front. Null: an address. */
function wholeTap(word: string): Pair[] | SockscopeError | null {
  const front = readPlace(word, 'listen');
  if (!isPlaceError(front) && front.front !== 'none') {
    return [{ listen: front, target: null }];
  }
  if (!word.includes('=')) {
    return null;
  }
  // Paths of sockets and of URLs may have an = of their own.
  for (let at = word.indexOf('='); at >= 0; at = word.indexOf('=', at + 1)) {
    const split = pair(word.slice(0, at), word.slice(at + 1));
    if (!(split instanceof SockscopeError)) {
      return split;
    }
  }
  if (!isPlaceError(readPlace(word, 'target'))) {
    return null;
  }
  const at = word.indexOf('=');
  return pair(word.slice(0, at), word.slice(at + 1));
}

function pair(listen: string | null, target: string | null): Pair[] | SockscopeError {
  const here = listen === null ? null : readPlace(listen, 'listen');
  const there = target === null ? null : readPlace(target, 'target');
  if (here !== null && isPlaceError(here)) {
    return badPlace(listen!, here, 'listen');
  }
  if (there !== null && isPlaceError(there)) {
    return badPlace(target!, there, 'target');
  }
  return [{ listen: here, target: there }];
}

const SHOWN = 60;

function badPlace(text: string, { error, at, hint }: PlaceError, side: PlaceSide): SockscopeError {
  const from = Math.max(0, at - SHOWN / 2);
  const shown = text.slice(from, from + SHOWN).replace(/[\p{Cc}\p{Zl}\p{Zp}]/gu, ' ');
  const where = side === 'listen' ? 'to listen on' : 'to lead to';
  const caret = `${' '.repeat(at - from)}^`;
  return new SockscopeError(
    'TAP_ADDRESS',
    `The address ${where}: ${error}.\n  ${shown}\n  ${caret}`,
    hint,
    2,
  );
}
