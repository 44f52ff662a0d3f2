/** `Cache-Status` (RFC 9211), and the word for the log. */
import type { FromCache, Question } from './cache.ts';
import type { Fields } from './fields.ts';
import { fieldOf, without } from './fields.ts';

const NAME = 'sockscope';

export type CacheWord = 'hit' | 'miss' | 'stale' | 'revalidated' | 'bypass';

/** What became of a request, as far as a cache goes. */
export interface Fate {
  /** Null: it was answered without asking. */
  readonly question: Question | null;
  /** What the origin said; null: nothing, or nobody asked it. */
  readonly fwdStatus: number | null;
  readonly from: FromCache | null;
  readonly stored: boolean;
  /** It was answered by what somebody else had asked for. */
  readonly collapsed: boolean;
}

export function wordOf({ question, from }: Fate): CacheWord {
  if (from !== null) {
    return from.how;
  }
  return question === null || question.why === 'bypass' || question.why === 'method' ? 'bypass' : 'miss';
}

export function statusText({ question, fwdStatus, from, stored, collapsed }: Fate): string {
  const parts = [NAME];
  if (question === null) {
    parts.push(collapsed ? 'fwd=uri-miss; collapsed' : 'hit');
  } else {
    parts.push(`fwd=${question.why}`);
    if (fwdStatus !== null && (from !== null || question.stored !== null)) {
      parts.push(`fwd-status=${fwdStatus}`);
    }
    if (stored) {
      parts.push('stored');
    }
  }
  if (from !== null) {
    parts.push(`ttl=${Math.floor(from.ttl / 1000)}`);
    if (from.detail !== '') {
      parts.push(`detail=${from.detail}`);
    }
  }
  return parts.join('; ');
}

/** Behind what caches nearer to the origin said. */
export function withStatus(fields: Fields, text: string): string[] {
  const before = fieldOf(fields, 'cache-status');
  if (before === undefined) {
    return [...fields, 'Cache-Status', text];
  }
  const others = without(fields, (name) => name === 'cache-status');
  return [...others, 'Cache-Status', `${before}, ${text}`];
}
