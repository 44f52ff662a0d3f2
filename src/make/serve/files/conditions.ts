/** Conditional requests, in the order of RFC 9110, section 13.2.2. */
import type { IncomingHttpHeaders } from 'node:http';
import { readDate } from '../../cache/http-date.ts';

export interface Validators {
  /** Strong. */
  readonly tag: string;
  /** Milliseconds since 1970, whole seconds. */
  readonly changed: number;
}

const TAGS = /(?:W\/)?"[^"]*"/g;

/** `send` the file; `same`: 304; `other`: 412. */
export function judge(
  headers: IncomingHttpHeaders,
  file: Validators,
  now: number,
): 'send' | 'same' | 'other' {
  const match = headers['if-match'];
  if (match !== undefined) {
    if (match.trim() !== '*' && !tagsOf(match).includes(file.tag)) {
      return 'other';
    }
  } else {
    const unmodified = readDate(headers['if-unmodified-since'], now);
    if (unmodified !== null && file.changed > unmodified) {
      return 'other';
    }
  }
  const none = headers['if-none-match'];
  if (none !== undefined) {
    return none.trim() === '*' || tagsOf(none).some((one) => one.replace(/^W\//, '') === file.tag)
      ? 'same'
      : 'send';
  }
  const since = readDate(headers['if-modified-since'], now);
  return since !== null && file.changed <= since ? 'same' : 'send';
}

function tagsOf(list: string): string[] {
  return list.match(TAGS) ?? [];
}

/**
 * The client has the other part of this very file (section 13.1.5). A date is only good for that when the file cannot have changed
 * twice within its second.
 */
export function rangeApplies(condition: string | undefined, file: Validators, now: number): boolean {
  if (condition === undefined) {
    return true;
  }
  const wanted = condition.trim();
  if (wanted.startsWith('"') || wanted.startsWith('W/')) {
    return wanted === file.tag;
  }
  return readDate(wanted, now) === file.changed && now - file.changed >= 2000;
}
