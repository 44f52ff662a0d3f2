/** How old an answer is and how long it is fresh (RFC 9111, section 4.2). Milliseconds. */
import { type Directives, MOST_SECONDS, millis } from './directives.ts';
import { type Fields, fieldOf } from './fields.ts';
import { readDate } from './http-date.ts';

/** RFC 9110, section 15.1: these may be kept without being told for how long. */
const HEURISTIC = new Set([200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501]);
/** Of the time since it was last changed; what RFC 9111, section 4.2.2 names as typical. */
const HEURISTIC_SHARE = 0.1;
const MOST_HEURISTIC = 24 * 3600 * 1000;

export function isHeuristic(status: number): boolean {
  return HEURISTIC.has(status);
}

/** The origin said for how long. */
export function isExplicit(fields: Fields, directives: Directives): boolean {
  return directives.has('s-maxage') || directives.has('max-age') || fieldOf(fields, 'expires') !== undefined;
}

/** A shared cache's: s-maxage before max-age before Expires before a guess. */
export function lifetime(status: number, fields: Fields, directives: Directives, received: number): number {
  const told = millis(directives, 's-maxage') ?? millis(directives, 'max-age');
  if (told !== undefined) {
    return told;
  }
  const date = readDate(fieldOf(fields, 'date'), received) ?? received;
  const expires = fieldOf(fields, 'expires');
  if (expires !== undefined) {
    // No date, or two of them, is in the past (section 5.3).
    return Math.max(0, (readDate(expires, received) ?? 0) - date);
  }
  const changed = readDate(fieldOf(fields, 'last-modified'), received);
  if (changed === null || !(isHeuristic(status) || directives.has('public'))) {
    return 0;
  }
  return Math.min(Math.max(0, date - changed) * HEURISTIC_SHARE, MOST_HEURISTIC);
}

/** The age it had when it came: what others say it was, and the time its way took (section 4.2.3). */
export function initialAge(fields: Fields, asked: number, received: number): number {
  const date = readDate(fieldOf(fields, 'date'), received);
  const apparent = date === null ? 0 : Math.max(0, received - date);
  // Of several, the first counts; what is no number is ignored (section 5.1).
  const told = /^\s*(\d+)\s*(?:,|$)/.exec(fieldOf(fields, 'age') ?? '')?.[1];
  const age = told === undefined ? 0 : Math.min(Number(told), MOST_SECONDS) * 1000;
  return Math.max(apparent, age + Math.max(0, received - asked));
}
