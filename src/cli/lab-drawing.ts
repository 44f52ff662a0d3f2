/** The lanes while an experiment runs, or afterwards at the pace that was asked for. */
import type { Event } from '../session/events.ts';
import type { LabFace, Lanes } from './lab-face.ts';

/** Of a session that is drawn afterwards, so many events are kept. */
export const MOST_KEPT = 200_000;
/** Shorter waits are saved up: a timer is no better. */
const LEAST_PAUSE_MS = 10;
const NS_PER_MS = 1e6;

export interface Drawing {
  add(events: readonly Event[]): void;
  /** Everything so far is on the screen: somebody is asked to go on. */
  settle(): void;
  finish(): Promise<void>;
}

/** `speed` null: live. */
export function createDrawing(lanes: Lanes, speed: number | null, face: LabFace): Drawing {
  return speed === null ? live(lanes, face) : afterwards(lanes, speed, face);
}

function live(lanes: Lanes, face: LabFace): Drawing {
  printLines(lanes.header(), face);
  const settle = (): void => printLines(lanes.flush(), face);
  return {
    add: (events) => printLines(lanes.add(events), face),
    settle,
    async finish() {
      settle();
    },
  };
}

function afterwards(lanes: Lanes, speed: number, face: LabFace): Drawing {
  const kept: Event[] = [];
  let unkept = 0;
  return {
    add(events) {
      if (kept.length === 0) {
        face.progress('running; it is drawn when it is over');
      }
      for (const event of events) {
        if (kept.length < MOST_KEPT) {
          kept.push(event);
        } else {
          unkept++;
        }
      }
    },
    settle() {},
    async finish() {
      face.progress('');
      kept.sort((one, other) => one.at - other.at);
      printLines(lanes.header(), face);
      let drawn = kept[0]?.at ?? 0;
      let from = 0;
      for (let to = 1; to <= kept.length; to++) {
        const next = kept[to]?.at ?? Number.POSITIVE_INFINITY;
        const wait = speed === 0 ? 0 : (next - drawn) / speed / NS_PER_MS;
        if (wait < LEAST_PAUSE_MS) {
          continue;
        }
        printLines(lanes.add(kept.slice(from, to)), face);
        from = to;
        drawn = next;
        if (to < kept.length) {
          await face.pause(wait);
        }
      }
      printLines(lanes.add(kept.slice(from)), face);
      printLines(lanes.flush(), face);
      if (unkept > 0) {
        face.print(face.paint.dim(`… and ${unkept} more events, which were not kept for the drawing\n`));
      }
    },
  };
}

function printLines(lines: readonly string[], face: LabFace): void {
  if (lines.length > 0) {
    face.print(`${lines.join('\n')}\n`);
  }
}
