/** What the parts of the drawing share. */
import type { Painter } from '../colour.ts';
import { stateColour } from '../state-colour.ts';
import type { End } from './arrow.ts';
import type { Company } from './company.ts';
import type { Item } from './folds.ts';
import type { Glyphs } from './glyphs.ts';
import type { Page } from './page.ts';
import { type Line, piece, type Tone } from './text.ts';

export interface Scene {
  readonly page: Page;
  readonly glyphs: Glyphs;
  readonly ascii: boolean;
  readonly company: Company;
  clean(text: string): string;
  /** Null for a host that has no lane. */
  endOf(host: string, side: 'client' | 'server' | undefined): End | null;
  /** Draws it, unless it is folded. */
  offer(item: Item): void;
}

export function inKernel(scene: Scene, end: End | null, host: string, at: number, line: Line): void {
  if (end === null) {
    scene.page.middle(at, [piece(`${scene.clean(host)}: `, 'dim'), ...line]);
  } else {
    scene.page.kernel(end, at, line);
  }
}

/** `stateColour` paints with names instead of colours. */
const NAMES = Object.fromEntries(
  ['bold', 'dim', 'red', 'green', 'yellow', 'blue', 'magenta', 'cyan'].map((name) => [name, () => name]),
) as unknown as Painter;

export function stateTone(state: string): Tone {
  const tone = stateColour(NAMES, state);
  return tone === state ? 'bold' : (tone as Tone);
}
