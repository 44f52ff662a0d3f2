/** What a reload changes: taps are the same when their names are. */
import { isDeepStrictEqual } from 'node:util';
import type { Config } from './config.ts';
import type { OrderedTap } from './config-defaults.ts';

export interface ConfigChange {
  readonly added: readonly OrderedTap[];
  /** As they were. */
  readonly removed: readonly OrderedTap[];
  /** As they shall be. */
  readonly changed: readonly OrderedTap[];
}

export function compareConfigs(old: Pick<Config, 'taps'>, next: Pick<Config, 'taps'>): ConfigChange {
  const before = new Map(old.taps.map((tap) => [tap.name, tap]));
  const after = new Map(next.taps.map((tap) => [tap.name, tap]));
  return {
    added: next.taps.filter(({ name }) => !before.has(name)),
    removed: old.taps.filter(({ name }) => !after.has(name)),
    changed: next.taps.filter((tap) => before.has(tap.name) && !isDeepStrictEqual(before.get(tap.name), tap)),
  };
}
