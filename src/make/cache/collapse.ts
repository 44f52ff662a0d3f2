/** Several who want the same at once: one asks, the others wait until it is clear whether its answer is for them too. */

/** `look`: ask the cache again. `ask`: its answer is for nobody else, everybody asks for himself. */
export type Signal = 'look' | 'ask';

/** Milliseconds for which nobody waits for what was found to be for one only; without it each answer would be waited for in vain. */
const APART = 10_000;
/** So many are remembered; beyond that all are forgotten. */
const MOST_APART = 1000;

export class Collapse {
  readonly #asking = new Map<string, ((signal: Signal) => void)[]>();
  /** Until when. */
  readonly #apart = new Map<string, number>();

  /**
   * Null: nobody asks for this yet, and the caller does from now on; he calls `done`. Undefined: everybody asks for himself, and
   * nobody has to be told.
   */
  join(key: string, now: number): Promise<Signal> | null | undefined {
    const until = this.#apart.get(key);
    if (until !== undefined) {
      if (now < until) {
        return undefined;
      }
      this.#apart.delete(key);
    }
    const waiting = this.#asking.get(key);
    if (waiting === undefined) {
      this.#asking.set(key, []);
      return null;
    }
    return new Promise((resolve) => waiting.push(resolve));
  }

  /** For what is asked while nobody waits. False: somebody asks already. True: the caller does, and calls `done`. */
  lead(key: string): boolean {
    if (this.#asking.has(key)) {
      return false;
    }
    this.#asking.set(key, []);
    return true;
  }

  done(key: string, signal: Signal): void {
    const waiting = this.#asking.get(key) ?? [];
    this.#asking.delete(key);
    for (const tell of waiting) {
      tell(signal);
    }
  }

  /** As `done` with `ask`, and for a while nobody waits for this: its answers are not kept. */
  apart(key: string, now: number): void {
    if (this.#apart.size >= MOST_APART) {
      this.#apart.clear();
    }
    this.#apart.set(key, now + APART);
    this.done(key, 'ask');
  }
}
