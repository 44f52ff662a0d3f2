/** Several who want the same at once: one asks, the others wait until it is clear whether its answer is for them too. */

/** `look`: ask the cache again. `ask`: its answer is for nobody else, everybody asks for himself. */
export type Signal = 'look' | 'ask';

export class Collapse {
  readonly #asking = new Map<string, ((signal: Signal) => void)[]>();

  /** Null: nobody asks for this yet, and the caller does from now on; he calls `done`. */
  join(key: string): Promise<Signal> | null {
    const waiting = this.#asking.get(key);
    if (waiting === undefined) {
      this.#asking.set(key, []);
      return null;
    }
    return new Promise((resolve) => waiting.push(resolve));
  }

  isAsked(key: string): boolean {
    return this.#asking.has(key);
  }

  done(key: string, signal: Signal): void {
    const waiting = this.#asking.get(key) ?? [];
    this.#asking.delete(key);
    for (const tell of waiting) {
      tell(signal);
    }
  }
}
