/** Messages that wait for somebody: which they are, which one is meant, and what was decided. */
import type { Verdict } from '../tap/control.ts';
import type { Held, Observation } from '../tap/observation.ts';

/** More than a person decides about: what comes then is let go. */
const MOST_WAITING = 1000;

export interface Holding {
  /** True: this observation changed who waits. */
  seen(observation: Observation): boolean;
  find(id: number): Held | null;
  /** The one that keys are about. */
  readonly chosen: Held | null;
  readonly waiting: number;
  /** False: what comes is let go at once. */
  readonly holds: boolean;
  choose(step: 1 | -1): void;
  decide(id: number, verdict: Verdict): void;
  /** All go on, and nothing more is held; or it is again. */
  setHolds(holds: boolean): void;
}

export function createHolding(release: (id: number, verdict: Verdict) => void): Holding {
  /** In the order in which they came. */
  const waiting = new Map<number, Held>();
  let chosen: Held | null = null;
  let holds = true;

  /** What stood behind the one that went, or else the last one. */
  function forget(id: number): boolean {
    if (!waiting.has(id)) {
      return false;
    }
    const ids = [...waiting.keys()];
    const next = ids[ids.indexOf(id) + 1] ?? ids.at(-2);
    waiting.delete(id);
    if (chosen?.id === id) {
      chosen = next === undefined ? null : (waiting.get(next) ?? null);
    }
    return true;
  }

  const holding: Holding = {
    seen(observation) {
      if (observation.type === 'released') {
        return forget(observation.id);
      }
      if (observation.type !== 'held') {
        return false;
      }
      if (!holds || waiting.size >= MOST_WAITING) {
        release(observation.id, { verdict: 'go' });
        return false;
      }
      waiting.set(observation.id, observation);
      chosen ??= observation;
      return true;
    },
    find: (id) => waiting.get(id) ?? null,
    get chosen() {
      return chosen;
    },
    get waiting() {
      return waiting.size;
    },
    get holds() {
      return holds;
    },
    choose(step) {
      const all = [...waiting.values()];
      const at = all.findIndex(({ id }) => id === chosen?.id);
      chosen = all[(at + step + all.length) % all.length] ?? null;
    },
    decide(id, verdict) {
      // Until the engine says that it is released, a second key must not meet it again.
      if (forget(id)) {
        release(id, verdict);
      }
    },
    setHolds(now) {
      holds = now;
      for (const id of now ? [] : [...waiting.keys()]) {
        holding.decide(id, { verdict: 'go' });
      }
    },
  };
  return holding;
}
