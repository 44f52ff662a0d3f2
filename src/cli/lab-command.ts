/** From the words after `lab` to what is done: the catalogue, experiments one after the other, or all of them. */
import { type Experiment, THEMES } from '../lab/experiment.ts';
import { nearMisses } from '../session/near.ts';
import { catalogueFoot, catalogueLines } from '../view/lab/catalogue.ts';
import { runAll } from './lab-all.ts';
import { explain } from './lab-explain.ts';
import type { LabFace } from './lab-face.ts';
import { checkTogether, type LabFlags, seedOf, settingsOf, speedOf, usage } from './lab-flags.ts';
import { catalogueRow } from './lab-json.ts';
import { runOne } from './lab-one.ts';
import { THEME_WORDS } from './lab-themes.ts';

const NOTHING_FOUND = 1;
const STOPPED: Readonly<Record<string, number>> = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 };

/** The exit code. */
export async function labCommand(names: readonly string[], flags: LabFlags, face: LabFace): Promise<number> {
  checkTogether(names, flags);
  const seed = seedOf(flags);
  const speed = speedOf(flags);
  const known = (await Promise.all(face.experiments.map((load) => load()))).map(
    ({ experiment }) => experiment,
  );
  if (names.length === 0 || names[0] === 'all') {
    const found = known.filter((one) => speaksOf(one, flags.grep ?? ''));
    if (found.length === 0) {
      face.warn(`No experiment speaks of ${JSON.stringify(flags.grep ?? '')}.`);
      return NOTHING_FOUND;
    }
    return names.length === 0
      ? catalogue(found, flags, face)
      : runAll(
          found,
          { seed, settings: settingsOf(flags.set ?? [], found), json: flags.json === true },
          face,
        );
  }
  const chosen = names.map((name) => named(name, known));
  const settings = settingsOf(flags.set ?? [], chosen);
  let worst = 0;
  for (const [index, experiment] of chosen.entries()) {
    if (index > 0 && flags.json !== true) {
      face.print('\n\n');
    }
    const code =
      flags.explainOnly === true
        ? explain(experiment, flags.json === true, face)
        : await runOne(experiment, { flags, seed, speed, settings: settings(experiment) }, face);
    worst = worstOf(worst, code);
    if (face.stop.aborted) {
      return STOPPED[String(face.stop.reason)] ?? 130;
    }
  }
  return worst;
}

/** A failed check outweighs an experiment that cannot run here. */
function worstOf(one: number, other: number): number {
  return one === 1 || other === 1 ? 1 : Math.max(one, other);
}

function named(name: string, known: readonly Experiment[]): Experiment {
  const found = known.find((one) => one.name === name.toLowerCase());
  if (found !== undefined) {
    return found;
  }
  const near = nearMisses(name, [...known.map((one) => one.name), 'all']).slice(0, 3);
  throw usage(
    'LAB_UNKNOWN',
    `There is no experiment ${JSON.stringify(name)}.`,
    near.length === 0
      ? '`sockscope lab` lists them; `sockscope lab --grep WORD` finds those that speak of something.'
      : `Did you mean ${near.join(' or ')}? \`sockscope lab\` lists them.`,
  );
}

export function speaksOf({ name, asks, question, explanation }: Experiment, word: string): boolean {
  const low = word.toLowerCase();
  return [name, asks, question, explanation].some((text) => text.toLowerCase().includes(low));
}

function catalogue(found: readonly Experiment[], { json }: LabFlags, face: LabFace): number {
  if (json === true) {
    face.print(found.map((one) => `${catalogueRow(one)}\n`).join(''));
    return 0;
  }
  const themes = THEMES.map((theme) => ({
    ...THEME_WORDS[theme],
    experiments: found.filter((one) => one.theme === theme),
  }));
  const lines = [...catalogueLines(themes, face), ...catalogueFoot(found[0]?.name ?? 'NAME', face)];
  face.print(`${lines.join('\n')}\n`);
  return 0;
}
