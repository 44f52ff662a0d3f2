/** What an experiment is: a question, a story, what must be seen, and what to learn from it. */
import type { Event } from '../session/events.ts';
import type { Host, Seen, Stage, StageWish } from './api.ts';

export const THEMES = [
  'opening',
  'closing',
  'errors',
  'queues',
  'data',
  'loss',
  'ports',
  'udp',
  'processes',
  'programs',
] as const;
export type Theme = (typeof THEMES)[number];

/** One thing that must be so, and what was seen. */
export interface Check {
  readonly claim: string;
  readonly ok: boolean;
  /** In words: `ECONNRESET`, `2.06 s`, `3 packets`. */
  readonly seen: string;
}

/** What a story finds on the stage. */
export interface Lab {
  readonly stage: Stage;
  /** The hosts of these names; every experiment that names no hosts has them. */
  readonly client: Host;
  readonly server: Host;
  host(name: string): Host;
  /** The next step, in the person's words; the lanes show it, and `--steps` waits here. */
  say(text: string): Promise<void>;
  /** Still waiting after so many milliseconds? */
  waits(promise: Promise<unknown>, ms: number): Promise<boolean>;
  /** Settings that this kernel lacks and that the story asked for are skipped by name. */
  skip(why: string): never;
}

export type Knobs = Readonly<Record<string, number | boolean>>;

export interface Experiment<R = object, K extends Knobs = Knobs> {
  readonly name: string;
  readonly theme: Theme;
  /** One line for the catalogue. */
  readonly asks: string;
  /** Two or three sentences at most: the situation, and what is asked. */
  readonly question: string;
  readonly answers: Readonly<Record<string, string>>;
  readonly answer: string;
  /** How long it takes, about. */
  readonly seconds: number;
  /** What takes longer in life, and is shown by its timer instead. */
  readonly shortened?: string;
  readonly stage?: (knobs: K) => StageWish;
  /** What may be turned, and how it stands in the story as told. */
  readonly knobs: K;
  story(lab: Lab, knobs: K): Promise<R>;
  /** What must have been seen. Every line of it can fail. */
  expect(result: R, seen: Seen): Check[];
  /** The moment that decides. */
  moment?(result: R, seen: Seen): Event | undefined;
  readonly explanation: string;
  readonly remedy: string;
  readonly references: readonly string[];
  /** The same story with the remedy, and what is seen then. Told with these knobs, the expectations above must fail. */
  readonly twin: {
    readonly title: string;
    readonly knobs: Partial<K>;
    expect(result: R, seen: Seen): Check[];
  };
}

type Loose<K extends Knobs> = { readonly [N in keyof K]: K[N] extends boolean ? boolean : number };

/** The knobs come first, so that the types of everything that turns on them follow. */
export function defineExperiment<const K extends Knobs, R extends object>(
  knobs: K,
  experiment: Omit<Experiment<R, Loose<K>>, 'knobs'>,
): Experiment {
  // The list holds experiments of every kind; each is only ever given its own results and knobs.
  return { ...experiment, knobs } as unknown as Experiment;
}
