/** The lab's own lines of JSON, beside those of a session: the catalogue's rows, lessons, outcomes. */
import type { Experiment } from '../lab/experiment.ts';
import type { Outcome } from '../lab/run-types.ts';
import { encode } from '../session/ndjson.ts';

function row(experiment: Experiment): object {
  const { name, theme, asks, question, answers, seconds, shortened, knobs, twin } = experiment;
  return {
    v: 1,
    type: 'experiment',
    name,
    theme,
    asks,
    question,
    answers,
    seconds,
    ...(shortened === undefined ? {} : { shortened }),
    knobs,
    twin: { title: twin.title, knobs: twin.knobs },
  };
}

/** Without the answer: who reads the catalogue may want to think first. */
export function catalogueRow(experiment: Experiment): string {
  return JSON.stringify(row(experiment));
}

export function lessonRow(experiment: Experiment): string {
  const { answer, explanation, remedy, references } = experiment;
  return JSON.stringify({ ...row(experiment), answer, explanation, remedy, references });
}

export function outcomeRow(
  { moment, ...outcome }: Outcome,
  about: { readonly seed: number; readonly answer?: string; readonly prediction?: string },
): string {
  return JSON.stringify({
    v: 1,
    type: 'outcome',
    ...outcome,
    ...about,
    // Its numbers may be larger than JSON's: the session's own writer knows how they are told.
    ...(moment === undefined ? {} : { moment: JSON.parse(encode(moment)) as unknown }),
  });
}
