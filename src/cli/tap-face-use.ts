/** What somebody who decides about a running tap is given, and what is asked of them. */
import type { Wants } from '../tap/engine.ts';
import type { Observation } from '../tap/observation.ts';
import type { Taps } from '../tap/taps.ts';
import type { TapFlags } from './tap-flags.ts';
import type { ShowOptions } from './tap-show.ts';

export interface FaceUse {
  readonly flags: TapFlags;
  readonly taps: Taps;
  /** Shared with whoever shows lines: keys change it. */
  readonly look: ShowOptions;
  readonly wants: () => Wants;
  /** Some tap holds messages. */
  readonly holds: boolean;
  /** Of the session, in nanoseconds. */
  readonly now: () => number;
  readonly statistics: () => Promise<string>;
  readonly write: (text: string) => void;
}

export interface Face {
  /** True: it is shown; false: somebody else may. */
  seen(observation: Observation): boolean;
  start(): void;
  /** Somebody pressed q or Ctrl-C. */
  readonly ended: Promise<void>;
  /** The terminal is an editor's: Ctrl-C is meant for that. */
  readonly away: boolean;
  close(): void;
}
