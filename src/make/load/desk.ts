/** What all connections of a thread share, and how they tell the engine what became of them. */
import type { Reactor } from '../../reactor/reactor.ts';
import type { LoadKind } from './kind.ts';
import type { Pace } from './pace.ts';
import type { LoadPlan } from './plan.ts';
import type { Tally } from './tally.ts';

/** Why a thread stopped by itself. */
export type Cause =
  | { readonly code: 'time' | 'count' | 'interrupted' }
  | { readonly code: 'errno'; readonly errno: number }
  | { readonly code: 'protocol'; readonly problem: string };

/** A connection, or a socket for datagrams. */
export interface Caller {
  /** Requests on their way. */
  readonly flying: number;
  readonly connecting: boolean;
  /** When the oldest request on its way began. */
  readonly oldest: number;
  /** The first thing it does. */
  launch(now: number): void;
  /** A request may be due, and this one was free. */
  fill(now: number): void;
  /** Looks whether something takes too long. */
  sweep(now: number): void;
  close(): void;
}

export interface Desk {
  readonly reactor: Reactor;
  readonly plan: LoadPlan;
  readonly kind: LoadKind;
  readonly pace: Pace;
  readonly tally: Tally;
  /** One request. */
  readonly request: Uint8Array;
  /** As many as fly at once, one behind the other. */
  readonly batch: Uint8Array;
  readonly buffer: Uint8Array;
  /** Nothing counts any more. */
  ended: boolean;
  /** Connections that stand. */
  open: number;
  /** Requests on their way, all together. */
  flying: number;
  clock(): number;
  /** It can take another request as soon as one is due. */
  free(caller: Caller): void;
  /** Nobody was free when the next one came to be due. */
  readonly nobodyFree: boolean;
  /** The first attempt to connect of a caller is over. */
  launched(): void;
  /** A request was answered, or something else showed that the target lives. */
  lives(now: number): void;
  /** Some requests are over, well or not. */
  settle(): void;
  /** Could not connect. False: the whole run ends with it. */
  goesOn(errno: number): boolean;
  stop(cause: Cause): void;
}
