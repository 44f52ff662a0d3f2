/**
 * The work done for one request, as a tree of named steps. When nobody waits for the answer any more (its deadline passed, the client
 * left) everything that is still being done below is cancelled, and can be named.
 */

export class Deadline extends Error {
  override readonly name = 'Deadline';
  readonly ms: number;

  constructor(ms: number) {
    super(`the deadline of ${ms} ms passed`);
    this.ms = ms;
  }
}

export interface Scope {
  readonly signal: AbortSignal;
  /** Milliseconds until the deadline; null without one. */
  left(): number | null;
  /** Does a part of the work. It ends with the signal's reason when it is cancelled, whether it listens or not. */
  step<T>(name: string, work: (scope: Scope) => Promise<T>): Promise<T>;
}

export interface RootScope extends Scope {
  /** The request is over: no timer and no listener stays. */
  end(): void;
}

/**
 * `cancelled` is told at once which steps were being done when it was cancelled, the innermost ones: `slow > work`. It may be the last
 * moment at which somebody can write it down.
 */
export function rootScope(
  client: AbortSignal,
  ms: number | null,
  cancelled: (steps: readonly string[]) => void,
): RootScope {
  const controller = new AbortController();
  const { signal } = controller;
  const until = ms === null ? null : performance.now() + ms;
  const left = () => (until === null ? null : Math.max(0, until - performance.now()));
  /** What is being done now, and how many steps are inside it. */
  const doing = new Map<string, number>();

  const cancel = (reason: unknown) => {
    if (!signal.aborted) {
      cancelled([...doing].filter(([, inside]) => inside === 0).map(([path]) => path));
      controller.abort(reason);
    }
  };
  const clientLeft = () => cancel(client.reason);
  client.addEventListener('abort', clientLeft, { once: true });
  const timer = ms === null ? null : setTimeout(() => cancel(new Deadline(ms)), ms);
  if (client.aborted) {
    clientLeft();
  }

  const scopeAt = (above: string | null): Scope => ({
    signal,
    left,
    async step(name, work) {
      signal.throwIfAborted();
      const path = above === null ? name : `${above} > ${name}`;
      doing.set(path, 0);
      count(doing, above, 1);
      try {
        return await orAborted(signal, work(scopeAt(path)));
      } finally {
        doing.delete(path);
        count(doing, above, -1);
      }
    },
  });

  return {
    ...scopeAt(null),
    end() {
      client.removeEventListener('abort', clientLeft);
      if (timer !== null) {
        clearTimeout(timer);
      }
    },
  };
}

function count(doing: Map<string, number>, path: string | null, by: number): void {
  const now = path === null ? undefined : doing.get(path);
  if (path !== null && now !== undefined) {
    doing.set(path, now + by);
  }
}

function orAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const aborted = () => reject(signal.reason);
    signal.addEventListener('abort', aborted, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', aborted));
  });
}

/** Waits, unless it is cancelled. */
export function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason);
      return;
    }
    const cancel = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', cancel);
      resolve();
    }, ms);
    signal.addEventListener('abort', cancel, { once: true });
  });
}
