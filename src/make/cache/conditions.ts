/** Conditional requests, answered from what is at hand (RFC 9110, section 13; RFC 9111, section 4.3.2). */
import { type Fields, fieldOf, has } from './fields.ts';
import { readDate } from './http-date.ts';

const TAGS = /(?:W\/)?"[^"]*"/g;

function opaque(tag: string): string {
  return tag.startsWith('W/') ? tag.slice(2) : tag;
}

export function sameTag(one: string, other: string): boolean {
  return opaque(one.trim()) === opaque(other.trim());
}

/** True: the client has it already. If-None-Match wins over If-Modified-Since. */
export function notModified(request: Fields, answer: Fields, now: number): boolean {
  const wanted = fieldOf(request, 'if-none-match');
  if (wanted !== undefined) {
    const tag = fieldOf(answer, 'etag');
    return (
      wanted.trim() === '*' ||
      (tag !== undefined && (wanted.match(TAGS) ?? []).some((one) => sameTag(one, tag)))
    );
  }
  const since = readDate(fieldOf(request, 'if-modified-since'), now);
  if (since === null) {
    return false;
  }
  const changed = readDate(fieldOf(answer, 'last-modified') ?? fieldOf(answer, 'date'), now);
  return changed !== null && changed <= since;
}

/** The range may be cut out of this answer: If-Range names it, strongly, or is not there (RFC 9110, section 13.1.5). */
export function rangeApplies(request: Fields, answer: Fields): boolean {
  const condition = fieldOf(request, 'if-range');
  if (condition === undefined) {
    return true;
  }
  return condition.startsWith('"')
    ? condition === fieldOf(answer, 'etag')
    : !condition.startsWith('W/') && condition === fieldOf(answer, 'last-modified');
}

/** Only the origin can answer these (RFC 9111, section 4.3.2). */
export function isForOrigin(request: Fields): boolean {
  return has(request, 'if-match') || has(request, 'if-unmodified-since');
}

export function isConditional(request: Fields): boolean {
  return has(request, 'if-none-match') || has(request, 'if-modified-since') || has(request, 'range');
}
