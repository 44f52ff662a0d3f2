/** `lab all`: every experiment and its twin, one after the other, as a self-test. */
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
  for (const [index, { experiment, twin }] of runs.entries()) {
    const left = runs.slice(index).reduce((sum, run) => sum + run.experiment.seconds, 0);
    face.progress(
      `${index + 1}/${runs.length}  ${experiment.name}${twin ? ' (twin)' : ''}, about ${secondsText(left)} left`,
    );
    const outcome = await runQuietly(experiment, twin, order, outcomes.length === 0, face);
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
    const wish = { twin, seed, ...settings(experiment), signal: face.stop };
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
