/** What was asked of `ls`, checked and complete. */
import type { Filter } from '../see/filter/index.ts';
import type { ReadOptions } from '../see/sockets.ts';
import type { Protocol } from '../session/socket.ts';
import type { SortKey } from '../view/groups.ts';

export interface Wish {
  protocols: readonly Protocol[];
  families: readonly (4 | 6)[];
  states: number | undefined;
  filter: Filter | null;
  /** The part of the filter that no one can retype: lsof specs. */
  fixedFilter: Filter | null;
  filterText: string;
  owners: 'auto' | 'always' | 'never';
  timers: boolean;
  info: boolean;
  memory: boolean;
  extended: boolean;
  summary: boolean;
  header: boolean;
  output: 'table' | 'json' | 'csv' | { format: string } | { template: string };
  sort: readonly SortKey[];
  top: number | null;
  countBy: string | null;
  pairs: boolean;
  /** Sockets as they end, instead of those that are. */
  events: boolean;
  netns: string | null;
  watchSeconds: number | null;
}

/** The part of a wish that the table is asked with. */
export function asked(wish: Wish): ReadOptions {
  const { protocols, families, filter, owners, states } = wish;
  return { protocols, families, filter, owners, ...(states === undefined ? {} : { states }) };
}
