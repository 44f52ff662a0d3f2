/** The lanes while an experiment runs, or afterwards at the pace that was asked for. */
import type { Event } from '../session/events.ts';
import type { LabFace, Lanes } from './lab-face.ts';

/** Of a session that is drawn afterwards, so many events are kept. */
export const MOST_KEPT = 200_000;
/** Shorter waits are saved up: a timer is no better. */
const LEAST_PAUSE_MS = 10;
const NS_PER_MS = 1e6;
/** So often the drawing is told that time goes on, and so long what happened may be under way to us. */
const TICK_MS = 200;
const UNDER_WAY_NS = 100 * NS_PER_MS;

export interface Drawing {
  begins(): void;
  add(events: readonly Event[]): void;
  /** Shows everything so far, and nothing more before `resume`: somebody is asked to go on. */
  settle(): void;
  resume(): void;
  finish(): Promise<void>;
}

/** `speed` null: live. */
export function createDrawing(lanes: Lanes, speed: number | null, face: LabFace): Drawing {
  return speed === null ? live(lanes, face) : afterwards(lanes, speed, face);
}

function live(lanes: Lanes, face: LabFace): Drawing {
  let began = 0;
  let latest = 0;
  let held: string[] | null = null;
  let ticking: NodeJS.Timeout | null = null;
  const show = (lines: readonly string[]): void => {
    if (held === null) {
      printLines(lines, face);
    } else {
      held.push(...lines);
    }
  };
  let asked = 0;
  /** Not later than the stage's own clock: its session had begun when we heard of it, and each event shows that it is as late as that. */
  const clock = (): number => (face.now() - began) * NS_PER_MS;
  const resume = (): void => {
    if (held !== null) {
      printLines(held, face);
      held = null;
      began += face.now() - asked;
    }
  };
  return {
    begins() {
      began = face.now();
      show(lanes.header());
      ticking = setInterval(() => show(lanes.flush(clock() - UNDER_WAY_NS)), TICK_MS);
      // It keeps nobody alive: a run that never ends has to be noticed.
      ticking.unref();
    },
    add(events) {
      latest = events.reduce((most, { at }) => Math.max(most, at), latest);
      began = Math.min(began, face.now() - latest / NS_PER_MS);
      show(lanes.add(events));
    },
    settle() {
      show(lanes.flush(latest + UNDER_WAY_NS));
      held = [];
      asked = face.now();
    },
    resume,
    async finish() {
      clearInterval(ticking ?? undefined);
      resume();
      show(lanes.flush());
    },
  };
}

function afterwards(lanes: Lanes, speed: number, face: LabFace): Drawing {
  const kept: Event[] = [];
  let unkept = 0;
  return {
    begins: () => face.progress('running; it is drawn when it is over'),
    add(events) {
      for (const event of events) {
        if (kept.length < MOST_KEPT) {
          kept.push(event);
        } else {
          unkept++;
        }
      }
    },
    settle() {},
    resume() {},
    async finish() {
      face.progress('');
      if (kept.length === 0) {
        return;
      }
      kept.sort((one, other) => one.at - other.at);
      printLines(lanes.header(), face);
      let drawn = kept[0]?.at ?? 0;
      let from = 0;
      for (let to = 1; to < kept.length; to++) {
        const next = kept[to]?.at ?? drawn;
        const wait = speed === 0 ? 0 : (next - drawn) / speed / NS_PER_MS;
        if (wait >= LEAST_PAUSE_MS) {
          printLines(lanes.add(kept.slice(from, to)), face);
          // Nothing happens until then: what waits for company can be drawn.
          printLines(lanes.flush(next), face);
          from = to;
          drawn = next;
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
