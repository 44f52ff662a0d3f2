/** The prediction: given with --predict, asked for on a terminal, or left out. */
import type { Experiment } from '../lab/experiment.ts';
import type { LabFace } from './lab-face.ts';
import { type LabFlags, usage } from './lab-flags.ts';

/** What --predict says; a letter that is no answer is refused before anything is printed. */
export function predicted(experiment: Experiment, flags: LabFlags): string | null {
  if (flags.predict === undefined) {
    return null;
  }
  const letters = Object.keys(experiment.answers);
  const letter = letterOf(flags.predict, letters);
  if (letter === null) {
    throw usage(
      'LAB_PREDICT',
      `${experiment.name} has no answer ${JSON.stringify(flags.predict)}.`,
      `Its answers are ${letters.join(', ')}.`,
    );
  }
  return letter;
}

/** Null when nobody is there, or nobody knows. */
export async function askPrediction(
  experiment: Experiment,
  flags: LabFlags,
  face: LabFace,
): Promise<string | null> {
  const letters = Object.keys(experiment.answers);
  const range = letters.join(', ');
  const { input, output } = face.terminal;
  if (flags.twin === true || flags.ask === false || flags.json === true || !input || !output) {
    return null;
  }
  let question = `What do you expect? ${range} (Enter: no idea) `;
  while (!face.stop.aborted) {
    const typed = await face.ask(face.paint.bold(question), true);
    if (typed === null || typed === '') {
      return null;
    }
    const letter = letterOf(typed, letters);
    if (letter !== null) {
      return letter;
    }
    question = `One of ${range}, or Enter: `;
  }
  return null;
}

function letterOf(typed: string, letters: readonly string[]): string | null {
  const low = typed.trim().toLowerCase();
  return letters.find((letter) => letter.toLowerCase() === low) ?? null;
}
