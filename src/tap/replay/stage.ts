/** What all visits of a replayed server share, and what they tell. */
import type { Address, Reactor } from '../../reactor/reactor.ts';
import type { Pool } from './pool.ts';

export type ServeEvent = { readonly at: number; readonly number: number } & (
  | { readonly type: 'accepted'; readonly client: Address; readonly stream: number }
  /** `alike`: by what it means; its bytes are others. `stream`: whose reply it was. */
  | { readonly type: 'answered'; readonly shown: string; readonly stream: number; readonly alike: boolean }
  /** In order: what was said is not what had been recorded there, and it is answered all the same. */
  | { readonly type: 'differs'; readonly shown: string; readonly recorded: string }
  | { readonly type: 'unmatched'; readonly shown: string; readonly told: 'error' | 'closed' }
  | { readonly type: 'ended' }
);

export interface Manner {
  readonly inOrder: boolean;
  /** 1: as recorded; 10: ten times as fast; 0: at once. */
  readonly speed: number;
  readonly reveal: boolean;
  readonly tell: (event: ServeEvent) => void;
}

export interface Stage extends Manner {
  readonly reactor: Reactor;
  readonly pool: Pool;
}
