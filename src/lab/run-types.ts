/** Running an experiment, as the faces see it. */
import type { Because } from '../session/causes-chain.ts';
import type { Event, SessionHeader } from '../session/events.ts';
import type { Sysctls } from './api.ts';
import type { Check } from './experiment.ts';

export interface RunWish {
  /** The remedy instead of the fault. */
  readonly twin: boolean;
  readonly seed: number;
  /** Whether the kernel's own trace is read where root allows; without it, several stages at once cannot mistake each other's. */
  readonly trace: boolean;
  /** Over the story's own: `--set tcp_retries2=5`. */
  readonly sysctl: Sysctls;
  /** Over the story's own: `--set closes=1`. */
  readonly knobs: Readonly<Record<string, number | boolean>>;
  /** Ends it early: nothing is left behind. */
  readonly signal?: AbortSignal;
}

export interface RunHandlers {
  begins(header: SessionHeader): void;
  /** In the order of their moments, except that one may come a few milliseconds after a later one. */
  events(batch: readonly Event[]): void;
  /** Called before each step; the story goes on when it resolves. */
  step?(text: string): Promise<void>;
}

export interface Outcome {
  readonly name: string;
  readonly twin: boolean;
  /** `skipped`: this kernel or this user cannot; `broken`: the story could not be told to its end. */
  readonly how: 'passed' | 'failed' | 'skipped' | 'broken';
  /** Of what was skipped or broken. */
  readonly why?: string;
  readonly checks: readonly Check[];
  /** What the other telling (the twin, or the fault) must see: at least one of these has to fail here, or it proves nothing. */
  readonly counter: readonly Check[];
  readonly moment?: Event;
  /** What led to it, as far as it is certain: the last cause first. */
  readonly because?: readonly Because[];
  readonly tookMs: number;
  /** Settings that were asked for and that this kernel lacks. */
  readonly missing: readonly string[];
  readonly tracing: { readonly on: true } | { readonly on: false; readonly why: string };
}

/** `src/lab/run.ts` exports it. */
export type RunExperiment = (name: string, wish: RunWish, handlers: RunHandlers) => Promise<Outcome>;
