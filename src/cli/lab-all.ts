/** `lab all`: every experiment and its twin as a self-test, told in their order, a few at a time: they mostly wait. */
import { SockscopeError } from '../errors.ts';
import type { Experiment } from '../lab/experiment.ts';
import type { Outcome } from '../lab/run-types.ts';
import { allHeader, allRow, allSummary, nameCells } from '../view/lab/all-table.ts';
import { secondsText } from '../view/lab/text.ts';
import type { LabFace } from './lab-face.ts';
import type { Settings } from './lab-flags.ts';
import { outcomeRow } from './lab-json.ts';

export interface AllOrder {
  readonly seed: number;
  readonly settings: (experiment: Experiment) => Settings;
  readonly json: boolean;
}

/** Each has three processes of its own; more at once would measure the machine. */
const AT_ONCE = 3;
const PASSED = 0;
const FAILED = 1;
const IMPOSSIBLE = 3;
const STOPPED: Readonly<Record<string, number>> = { SIGTERM: 143, SIGHUP: 129 };

export async function runAll(
  experiments: readonly Experiment[],
  order: AllOrder,
  face: LabFace,
): Promise<number> {
  const runs = experiments.flatMap((experiment) => [false, true].map((twin) => ({ experiment, twin })));
  const cells = nameCells(experiments.map(({ name }) => name));
  const outcomes: Outcome[] = [];
  const began = face.now();
  if (!order.json) {
    face.print(`${allHeader(cells, face)}\n`);
  }
  const begun: Promise<Outcome | null>[] = [];
  const beginUpTo = (most: number): void => {
    for (const { experiment, twin } of runs.slice(begun.length, most)) {
      const outcome = runQuietly(experiment, twin, order, begun.length === 0, face);
      // It is waited for in its turn.
      outcome.catch(() => {});
      begun.push(outcome);
    }
  };
  for (const [index, { experiment, twin }] of runs.entries()) {
    // The first shows whether any can be run.
    beginUpTo(index === 0 ? 1 : index + AT_ONCE);
    const left = runs.slice(index).reduce((sum, run) => sum + run.experiment.seconds, 0);
    face.progress(
      `${index + 1}/${runs.length}  ${experiment.name}${twin ? ' (twin)' : ''}, about ${secondsText(left / AT_ONCE)} left`,
    );
    const outcome = await begun[index]!;
    face.progress('');
    if (outcome === null) {
      break;
    }
    outcomes.push(outcome);
    face.print(
      order.json
        ? `${outcomeRow(outcome, { seed: order.seed })}\n`
        : `${allRow(outcome, cells, face).join('\n')}\n`,
    );
  }
  if (!order.json) {
    face.print(`\n${allSummary(outcomes, runs.length, face.now() - began, face)}\n`);
  }
  return face.stop.aborted ? (STOPPED[String(face.stop.reason)] ?? 130) : exitOf(outcomes);
}

function exitOf(outcomes: readonly Outcome[]): number {
  if (outcomes.some(({ how }) => how === 'failed' || how === 'broken')) {
    return FAILED;
  }
  return outcomes.every(({ how }) => how === 'skipped') ? IMPOSSIBLE : PASSED;
}

/** Null when it was stopped. */
async function runQuietly(
  experiment: Experiment,
  twin: boolean,
  { seed, settings }: AllOrder,
  first: boolean,
  face: LabFace,
): Promise<Outcome | null> {
  if (face.stop.aborted) {
    return null;
  }
  const began = face.now();
  try {
    const wish = { twin, seed, trace: false, ...settings(experiment), signal: face.stop };
    const outcome = await face.run(experiment.name, wish, { begins() {}, events() {} });
    return face.stop.aborted ? null : outcome;
  } catch (error) {
    if (face.stop.aborted) {
      return null;
    }
    // What stops the first one stops them all, and is said once.
    if (first || !(error instanceof SockscopeError)) {
      throw error;
    }
    return {
      name: experiment.name,
      twin,
      how: 'broken',
      why: error.message,
      checks: [],
      counter: [],
      tookMs: face.now() - began,
      missing: [],
      tracing: { on: true },
    };
  }
}
