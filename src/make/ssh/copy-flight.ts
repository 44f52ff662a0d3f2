/** How much is on its way at once. */

/** A number of places; who finds none waits in line. */
export class Places {
  #free: number;
  readonly #line: (() => void)[] = [];

  constructor(places: number) {
    this.#free = places;
  }

  async take(): Promise<void> {
    if (this.#free > 0) {
      this.#free -= 1;
      return;
    }
    await new Promise<void>((resolve) => this.#line.push(resolve));
  }

  /** Only when one is free at once. */
  tryTake(): boolean {
    if (this.#free === 0) {
      return false;
    }
    this.#free -= 1;
    return true;
  }

  give(): void {
    const next = this.#line.shift();
    if (next === undefined) {
      this.#free += 1;
    } else {
      next();
    }
  }
}

/** Runs jobs beside each other, at most `parallel`; the first error ends it all and is thrown by `add` or `settled`. */
export class Flight {
  readonly #places: Places;
  readonly #running = new Set<Promise<void>>();
  #error: { readonly error: unknown } | null = null;

  constructor(parallel: number) {
    this.#places = new Places(parallel);
  }

  get failed(): boolean {
    return this.#error !== null;
  }

  /** Resolves when the job has begun. */
  async add(job: () => Promise<void>): Promise<void> {
    await this.#places.take();
    if (this.#error !== null) {
      this.#places.give();
      throw this.#error.error;
    }
    const running = job()
      .catch((error: unknown) => {
        this.#error ??= { error };
      })
      .finally(() => {
        this.#running.delete(running);
        this.#places.give();
      });
    this.#running.add(running);
  }

  async settled(): Promise<void> {
    while (this.#running.size > 0) {
      await Promise.all(this.#running);
    }
    if (this.#error !== null) {
      throw this.#error.error;
    }
  }
}
