/** RFC 8305: several addresses of one name, raced so that a broken family costs a quarter of a second and not a minute. */

/** RFC 8305 section 5: the recommended Connection Attempt Delay. */
export const STAGGER_NS = 250e6;

/** Section 4: IPv6 first, then one of each family in turn, each family in the order it was given. */
export function interleave<A extends { readonly host: string }>(addresses: readonly A[]): A[] {
  const six = addresses.filter(({ host }) => host.includes(':'));
  const four = addresses.filter(({ host }) => !host.includes(':'));
  const mixed: A[] = [];
  for (let index = 0; index < Math.max(six.length, four.length); index++) {
    mixed.push(...six.slice(index, index + 1), ...four.slice(index, index + 1));
  }
  return mixed;
}

export interface Running {
  /** Nothing is told any more, nothing stays open. */
  cancel(): void;
}

export interface Racers<A, W> {
  /** Begins one attempt; `done` is called later, never before this returns: with what was won, or -errno. */
  begin(address: A, done: (result: W | number) => void): Running;
  failed(address: A, errno: number): void;
  /** It was still running when another one won. */
  dropped(address: A): void;
  after(ns: number, run: () => void): Running;
  /** The winner; or -errno of the last that failed. */
  over(winner: W | null, errno: number): void;
}

/** One attempt after another, a stagger apart, or at once where all the earlier ones have failed. The first that stands wins. */
export function race<A, W extends object>(addresses: readonly A[], racers: Racers<A, W>): Running {
  const running = new Map<A, Running>();
  let next = 0;
  let waiting: Running | null = null;
  let over = false;
  let last = 0;

  function stop(): void {
    over = true;
    waiting?.cancel();
    for (const one of running.values()) {
      one.cancel();
    }
  }

  function begin(): void {
    waiting = null;
    const address = addresses[next];
    if (over || address === undefined) {
      return;
    }
    next += 1;
    running.set(
      address,
      racers.begin(address, (result) => settle(address, result)),
    );
    if (next < addresses.length) {
      waiting = racers.after(STAGGER_NS, begin);
    }
  }

  function settle(address: A, result: W | number): void {
    if (over) {
      return;
    }
    running.delete(address);
    if (typeof result !== 'number') {
      stop();
      for (const slower of running.keys()) {
        racers.dropped(slower);
      }
      racers.over(result, 0);
      return;
    }
    last = result;
    racers.failed(address, result);
    if (next < addresses.length) {
      waiting?.cancel();
      begin();
    } else if (running.size === 0) {
      over = true;
      racers.over(null, last);
    }
  }

  begin();
  return { cancel: stop };
}
