/** The lesson of an experiment without running it. */
import type { Experiment } from '../lab/experiment.ts';
import { questionCard } from '../view/lab/card.ts';
import { explainLines } from '../view/lab/reveal.ts';
import type { LabFace } from './lab-face.ts';
import { lessonRow } from './lab-json.ts';
import { THEME_WORDS } from './lab-themes.ts';

export function explain(experiment: Experiment, json: boolean, face: LabFace): number {
  const lines = json
    ? [lessonRow(experiment)]
    : [
        ...questionCard(experiment, THEME_WORDS[experiment.theme].title, face),
        ...explainLines(experiment, face),
      ];
  face.print(`${lines.join('\n')}\n`);
  return 0;
}
