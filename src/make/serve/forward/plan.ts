/** What a forward proxy is to do, and how it is typed. */
import { randomBytes } from 'node:crypto';
import { SockscopeError } from '../../../errors.ts';
import type { Typed } from '../kind.ts';
import { CACHE_BYTES, DEFAULTS } from '../proxy/plan.ts';
import { millis, size } from '../proxy/values.ts';
import { type Lists, readPattern } from './allowed.ts';

export interface ForwardPlan extends Lists {
  /** In `Via`, by which a request that comes back is known. */
  readonly id: string;
  /** 0: no cache. */
  readonly cacheBytes: number;
  readonly stale: boolean;
  readonly timeoutMs: number;
}

export function planFrom({ words, options }: Typed): ForwardPlan {
  if (words.length > 0) {
    throw new SockscopeError(
      'FORWARD_WORDS',
      `A forward proxy leads wherever its clients ask, not to ${words[0]}.`,
      'Leave it out, or use `sockscope serve proxy` to stand in front of one server.',
      2,
    );
  }
  const patterns = (value: unknown) =>
    value === undefined ? [] : [value].flat().map(String).map(readPattern);
  return {
    id: `sockscope-${randomBytes(4).toString('hex')}`,
    allow: patterns(options.allow),
    deny: patterns(options.deny),
    cacheBytes: options.cache === undefined ? CACHE_BYTES : size(String(options.cache)),
    stale: options.stale === true,
    timeoutMs: options.timeout === undefined ? DEFAULTS.timeoutMs : millis(String(options.timeout)),
  };
}
