/** What a shared cache may keep (RFC 9111, section 3). Null: it may; otherwise why not. */
import type { Directives } from './directives.ts';
import { type Fields, fieldOf, has } from './fields.ts';
import { isExplicit, isHeuristic } from './freshness.ts';

/** What must-understand asks for: the final statuses of RFC 9110 whose caching is understood here. Not 206: only whole answers are kept. */
const UNDERSTOOD = new Set([
  200, 201, 202, 203, 204, 300, 301, 302, 303, 307, 308, 400, 401, 402, 403, 404, 405, 406, 408, 409, 410,
  411, 412, 413, 414, 415, 416, 417, 421, 422, 426, 500, 501, 502, 503, 504, 505,
]);

export function whyNotStored(
  request: Fields,
  asked: Directives,
  status: number,
  fields: Fields,
  told: Directives,
): string | null {
  if (asked.has('no-store')) {
    return 'the request says no-store';
  }
  if (status < 200 || status === 206 || status === 304) {
    return `${status} is no whole answer`;
  }
  const mustUnderstand = told.has('must-understand');
  if (mustUnderstand && !UNDERSTOOD.has(status)) {
    return `must-understand, and ${status} is not understood`;
  }
  // Whoever understands is not meant by the no-store beside it (section 5.2.2.3).
  if (told.has('no-store') && !mustUnderstand) {
    return 'no-store';
  }
  if (told.has('private')) {
    return 'private';
  }
  if (
    has(request, 'authorization') &&
    !told.has('public') &&
    !told.has('s-maxage') &&
    !told.has('must-revalidate')
  ) {
    return 'it answers a request with Authorization';
  }
  if (
    fieldOf(fields, 'vary')
      ?.split(',')
      .some((one) => one.trim() === '*')
  ) {
    return 'Vary: *';
  }
  const said = told.has('public') || isExplicit(fields, told);
  if (!said && !isHeuristic(status)) {
    return `${status}, and it is not said for how long`;
  }
  // Section 7.3 leaves cookies to the origin's Cache-Control; where there is none, one client's cookie is not given to another.
  if (!said && has(fields, 'set-cookie')) {
    return 'it sets a cookie, and it is not said for how long it is fresh';
  }
  return null;
}
