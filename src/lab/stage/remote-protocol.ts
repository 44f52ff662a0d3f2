/** What the stage's process and whoever started it say to each other. */
import type { Event, SessionHeader } from '../../session/events.ts';
import type { Stage, StageWish } from '../api.ts';
import type { Outcome } from '../run-types.ts';
import type { ToldWish } from './tell.ts';

export type ToStage =
  | { readonly type: 'experiment'; readonly name: string; readonly wish: ToldWish; readonly steps: boolean }
  /** The story may go on. */
  | { readonly type: 'go' }
  | { readonly type: 'build'; readonly wish: StageWish }
  /** A verb of the stage (''), of a host, of the wire, or of what an earlier verb gave. */
  | {
      readonly type: 'ask';
      readonly id: number;
      readonly of: Target;
      readonly method: string;
      readonly args: readonly unknown[];
    };

export type Target =
  | { readonly what: 'stage' | 'wire' }
  | { readonly what: 'host'; readonly name: string }
  | { readonly what: 'thing'; readonly thing: number };

/** A program, a child or a rule, which stays where it is. */
export interface Handle {
  readonly handle: number;
  readonly kind: 'program' | 'child' | 'rule';
  readonly pid: number;
  readonly host: string;
}

export interface Told {
  readonly code: string;
  readonly message: string;
  readonly hint: string;
  readonly exit: 1 | 2 | 3;
}

export type FromStage =
  | { readonly type: 'up' }
  | { readonly type: 'header'; readonly header: SessionHeader }
  | { readonly type: 'events'; readonly events: readonly Event[] }
  | { readonly type: 'step'; readonly text: string }
  | { readonly type: 'outcome'; readonly outcome: Outcome }
  | {
      readonly type: 'built';
      readonly seed: number;
      readonly tracing: Stage['tracing'];
      readonly missing: readonly string[];
      readonly hosts: readonly HostFacts[];
    }
  | { readonly type: 'failed'; readonly error: Told }
  | { readonly type: 'answer'; readonly id: number; readonly value: unknown }
  | { readonly type: 'refused'; readonly id: number; readonly error: Told };

export interface HostFacts {
  readonly name: string;
  readonly address: string;
  readonly address6: string;
  readonly addresses: readonly string[];
}
