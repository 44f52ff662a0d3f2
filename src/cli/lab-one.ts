/** One experiment from its question to what there is to learn. */
import type { Experiment } from '../lab/experiment.ts';
import type { Outcome, RunHandlers, RunWish } from '../lab/run-types.ts';
import type { Event } from '../session/events.ts';
import { encode } from '../session/ndjson.ts';
import { questionCard, twinCard } from '../view/lab/card.ts';
import { revealLines, twinRevealLines } from '../view/lab/reveal.ts';
import { several } from '../view/units.ts';
import { askPrediction, predicted } from './lab-ask.ts';
import { createDrawing, type Drawing } from './lab-drawing.ts';
import type { LabFace } from './lab-face.ts';
import { type LabFlags, type Settings, usage } from './lab-flags.ts';
import { outcomeRow } from './lab-json.ts';
import { openRecording } from './lab-recording.ts';
import { THEME_WORDS } from './lab-themes.ts';

export interface Order {
  readonly flags: LabFlags;
  readonly seed: number;
  readonly speed: number | null;
  readonly settings: Settings;
}

const EXIT: Readonly<Record<Outcome['how'], number>> = { passed: 0, failed: 1, broken: 1, skipped: 3 };

export async function runOne(experiment: Experiment, order: Order, face: LabFace): Promise<number> {
  const { flags, seed, settings } = order;
  const twin = flags.twin === true;
  if (flags.steps === true && !(face.terminal.input && face.terminal.output)) {
    throw usage(
      'LAB_STEPS',
      '--steps waits for Enter, and there is no terminal to press it on.',
      'Leave it out.',
    );
  }
  const given = predicted(experiment, flags);
  if (flags.json !== true) {
    printLines(
      twin ? twinCard(experiment, face) : questionCard(experiment, THEME_WORDS[experiment.theme].title, face),
      face,
    );
  }
  const prediction = given ?? (await askPrediction(experiment, flags, face));
  if (face.stop.aborted) {
    return 0;
  }
  if (prediction !== null && flags.json !== true) {
    face.print(face.paint.dim(`You expect ${prediction}.\n\n`));
  }
  const recording =
    flags.write === undefined
      ? null
      : openRecording(flags.write, `sockscope lab ${experiment.name}${twin ? ' --twin' : ''}`, face);
  const seen = { syscall: 0, packet: 0, state: 0 };
  const enough = new AbortController();
  const wish: RunWish = {
    twin,
    seed,
    trace: true,
    ...settings,
    signal: AbortSignal.any([face.stop, enough.signal]),
  };
  const drawing =
    flags.json === true ? null : createDrawing(await lanesFor(experiment, settings, face), order.speed, face);
  const began = face.now();
  let stopped = false;
  let first = 0;
  let outcome: Outcome | null = null;
  let recorded = '';
  try {
    outcome = await face.run(experiment.name, wish, {
      begins(header) {
        recording?.begins(header);
        if (drawing === null) {
          face.print(`${encode(header)}\n`);
        } else {
          drawing.begins();
        }
      },
      events(batch) {
        first ||= batch[0]?.at ?? 0;
        recording?.events(batch);
        for (const { type } of batch) {
          if (type === 'syscall' || type === 'packet' || type === 'state') {
            seen[type]++;
          }
        }
        if (drawing === null) {
          face.print(batch.map((event) => `${encode(event)}\n`).join(''));
        } else {
          drawing.add(batch);
        }
      },
      ...(flags.steps === true && drawing !== null ? { step: stepper(drawing, enough, face) } : {}),
    });
  } catch (error) {
    // A run that is stopped may end as it likes; one that fails by itself says why.
    if (!wish.signal?.aborted) {
      throw error;
    }
  } finally {
    stopped = wish.signal?.aborted === true;
    recorded = recording?.finish() ?? '';
    face.progress('');
  }
  await drawing?.finish();
  if (recorded !== '') {
    face.warn(face.paint.dim(recorded));
  }
  if (stopped || outcome === null) {
    const took = ((face.now() - began) / 1000).toFixed(1);
    face.warn(
      `Stopped after ${took} s: ${several(seen.syscall, 'system call')}, ${several(seen.packet, 'packet')}, ${several(seen.state, 'state change')} seen. Nothing is left behind.`,
    );
    return 0;
  }
  if (flags.json === true) {
    face.print(
      `${outcomeRow(outcome, { seed, answer: experiment.answer, ...(prediction === null ? {} : { prediction }) })}\n`,
    );
  } else {
    tell(experiment, sinceTheFirst(outcome, first), prediction, face);
  }
  return EXIT[outcome.how];
}

function lanesFor(experiment: Experiment, { knobs }: Settings, face: LabFace): ReturnType<LabFace['lanes']> {
  const hosts = experiment.stage?.({ ...experiment.knobs, ...knobs }).hosts;
  return face.lanes({
    columns: face.columns,
    colour: face.colour,
    hosts: hosts === undefined ? ['client', 'server'] : Object.keys(hosts),
  });
}

function stepper(drawing: Drawing, enough: AbortController, face: LabFace): NonNullable<RunHandlers['step']> {
  return async (text) => {
    drawing.settle();
    const typed = await face.ask(
      `${face.paint.bold(`▸ ${text}`)}${face.paint.dim('   Enter: go on, q: stop ')}`,
      true,
    );
    drawing.resume();
    if (typed === null || /^q(uit)?$/i.test(typed)) {
      enough.abort();
    }
  };
}

function tell(experiment: Experiment, outcome: Outcome, prediction: string | null, face: LabFace): void {
  const why = outcome.why ?? 'no reason was given';
  face.print('\n');
  switch (outcome.how) {
    case 'skipped':
      face.warn(`${face.paint.yellow('Not run:')} ${why}`);
      face.warn(`What it would have shown: sockscope lab ${experiment.name} --explain-only`);
      return;
    case 'broken':
      face.warn(`${face.paint.red('The story could not be told to its end:')} ${why}`);
      return;
    default:
      printLines(
        outcome.twin
          ? twinRevealLines(experiment, outcome, face)
          : revealLines(experiment, outcome, prediction, face),
        face,
      );
  }
}

/** The lanes count from their first event, so the moment that decides does too. */
function sinceTheFirst(outcome: Outcome, first: number): Outcome {
  const { moment, because = [] } = outcome;
  const since = (event: Event): Event => ({ ...event, at: event.at - first });
  return moment === undefined
    ? outcome
    : {
        ...outcome,
        moment: since(moment),
        because: because.map(({ why, event }) => ({ why, event: since(event) })),
      };
}

function printLines(lines: readonly string[], face: LabFace): void {
  face.print(`${lines.join('\n')}\n`);
}
