/** Keys with values, which may expire; channels with those who listen. Time is handed in. */

export const MOST_KEYS = 100_000;

interface Entry {
  value: string;
  /** Nanoseconds of the server's clock; null: never. */
  until: number | null;
}

export interface Store {
  get(key: string, now: number): string | null;
  /** False: it is full. */
  set(key: string, value: string, until: number | null, now: number): boolean;
  delete(key: string, now: number): boolean;
  expire(key: string, until: number, now: number): boolean;
  /** Nanoseconds left, null: it stays for ever; undefined: there is no such key. */
  left(key: string, now: number): number | null | undefined;
  keys(pattern: string, now: number): string[];
  /** What has expired goes. */
  sweep(now: number): void;
  readonly size: number;
}

export function createStore(): Store {
  const entries = new Map<string, Entry>();

  function alive(key: string, now: number): Entry | undefined {
    const entry = entries.get(key);
    if (entry !== undefined && entry.until !== null && entry.until <= now) {
      entries.delete(key);
      return undefined;
    }
    return entry;
  }

  const store: Store = {
    get: (key, now) => alive(key, now)?.value ?? null,
    set(key, value, until, now) {
      if (alive(key, now) === undefined && entries.size >= MOST_KEYS) {
        store.sweep(now);
        if (entries.size >= MOST_KEYS) {
          return false;
        }
      }
      entries.set(key, { value, until });
      return true;
    },
    delete: (key, now) => alive(key, now) !== undefined && entries.delete(key),
    expire(key, until, now) {
      const entry = alive(key, now);
      if (entry !== undefined) {
        entry.until = until;
      }
      return entry !== undefined;
    },
    left(key, now) {
      const entry = alive(key, now);
      return entry === undefined ? undefined : entry.until === null ? null : entry.until - now;
    },
    keys(pattern, now) {
      const fits = globOf(pattern);
      return [...entries.keys()].filter((key) => fits(key) && alive(key, now) !== undefined).sort();
    },
    sweep(now) {
      for (const key of [...entries.keys()]) {
        alive(key, now);
      }
    },
    get size() {
      return entries.size;
    },
  };
  return store;
}

/** `*` stands for anything and `?` for one character. No regular expression: a pattern of many stars would take it for ever. */
export function globOf(pattern: string): (text: string) => boolean {
  const wanted = [...pattern];
  return (text) => {
    const given = [...text];
    let at = 0;
    let star = -1;
    let after = 0;
    let i = 0;
    while (i < given.length) {
      if (wanted[at] === '*') {
        star = at++;
        after = i;
      } else if (wanted[at] === '?' || wanted[at] === given[i]) {
        at++;
        i++;
      } else if (star >= 0) {
        at = star + 1;
        i = ++after;
      } else {
        return false;
      }
    }
    while (wanted[at] === '*') {
      at++;
    }
    return at === wanted.length;
  };
}
