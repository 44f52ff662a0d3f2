/** Cache-Control (RFC 9111, section 5.2), as tolerant as caches have to be. */
import { type Fields, fieldOf } from './fields.ts';

/** Longer is not told apart (RFC 9111, section 1.2.2). */
export const MOST_SECONDS = 2 ** 31;

/** Name in lower case → what stands behind the =, null for nothing. */
export type Directives = ReadonlyMap<string, string | null>;

const DIRECTIVE = /([!#$%&'*+.^_`|~\w-]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*)))?/g;
const NONE: Directives = new Map();

export function readDirectives(text: string | undefined): Directives {
  if (text === undefined) {
    return NONE;
  }
  const read = new Map<string, string | null>();
  for (const [, name, quoted, plain] of text.matchAll(DIRECTIVE)) {
    const key = name!.toLowerCase();
    const value = quoted ?? plain ?? null;
    const before = read.get(key);
    // Twice with different numbers: the smaller one makes nobody older than he may be.
    if (before === undefined || secondsOf(value) < secondsOf(before)) {
      read.set(key, value);
    }
  }
  return read;
}

/** Of a request; without Cache-Control an old `Pragma: no-cache` means the same (RFC 9111, section 5.4). */
export function requestDirectives(fields: Fields): Directives {
  const text = fieldOf(fields, 'cache-control');
  if (text === undefined && fieldOf(fields, 'pragma')?.toLowerCase().includes('no-cache')) {
    return new Map([['no-cache', null]]);
  }
  return readDirectives(text);
}

/** What is no number of seconds counts as 0: what cannot be understood makes nothing fresh (RFC 9111, section 4.2.1). */
function secondsOf(value: string | null): number {
  return value !== null && /^\d+$/.test(value) ? Math.min(Number(value), MOST_SECONDS) : 0;
}

/** Milliseconds; undefined when the directive is not there. */
export function millis(directives: Directives, name: string): number | undefined {
  const value = directives.get(name);
  return value === undefined ? undefined : secondsOf(value) * 1000;
}
