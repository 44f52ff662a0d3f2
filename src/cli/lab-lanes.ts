/** The drawing of a session: loaded when something is drawn. */
import { eventWords } from '../view/lab/event-words.ts';
import { momentText } from '../view/lab/text.ts';
import type { Lanes, LanesWish } from './lab-face.ts';

export async function openLanes(wish: LanesWish): Promise<Lanes> {
  return plainLines(wish);
}

/** One line for each event that a person would tell. */
export function plainLines({ colour }: LanesWish): Lanes {
  return {
    header: () => [],
    add: (events) =>
      events
        .filter(({ type }) => type !== 'info' && type !== 'gauge')
        .map((event) => `${colour.dim(momentText(event.at).padStart(9))}  ${eventWords(event)}`),
    flush: () => [],
  };
}
