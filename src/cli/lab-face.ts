/** What the lab's commands have around them: a terminal or none, somebody to ask or nobody, and who runs experiments. */
import type { Experiment } from '../lab/experiment.ts';
import type { RunExperiment } from '../lab/run-types.ts';
import type { Event } from '../session/events.ts';
import type { Painter } from '../view/colour.ts';
import type { Target } from './written-file.ts';

export interface Lanes {
  header(): string[];
  add(events: readonly Event[]): string[];
  /** Everything that waits; with a moment only what waits for nothing after it. */
  flush(at?: number): string[];
}

export interface LanesWish {
  readonly columns: number;
  readonly colour: boolean;
  readonly hosts: readonly string[];
}

export interface LabFace {
  readonly run: RunExperiment;
  readonly experiments: readonly (() => Promise<{ experiment: Experiment }>)[];
  readonly lanes: (wish: LanesWish) => Promise<Lanes>;
  readonly paint: Painter;
  readonly colour: boolean;
  readonly columns: number;
  /** Somebody reads what is printed, and somebody types. */
  readonly terminal: { readonly output: boolean; readonly input: boolean };
  print(text: string): void;
  warn(text: string): void;
  /** The line that was typed; null when the input ended or the answer was Ctrl-C. `erase`: the question goes when it is answered. */
  ask(question: string, erase?: boolean): Promise<string | null>;
  /** One line that the next text takes the place of; '' takes it away. Nothing where nobody reads. */
  progress(text: string): void;
  open(path: string): Target;
  /** Ctrl-C, SIGTERM. The reason is the signal's name. */
  readonly stop: AbortSignal;
  /** Ends early with `stop`. */
  pause(ms: number): Promise<void>;
  now(): number;
}
