/** What was used last, up to so many bytes. */

export interface Recent<V> {
  get(key: string): V | undefined;
  /** Whatever is larger than an eighth of all is not kept. */
  put(key: string, value: V, bytes: number): void;
  readonly bytes: number;
}

const SHARE = 8;
/** A key, its entry and the object around the bytes. */
const OVERHEAD = 512;

export function createRecent<V>(most: number): Recent<V> {
  // A Map keeps the order in which keys came.
  const kept = new Map<string, { readonly value: V; readonly bytes: number }>();
  let total = 0;

  function drop(key: string): void {
    const entry = kept.get(key);
    if (entry !== undefined) {
      kept.delete(key);
      total -= entry.bytes;
    }
  }

  return {
    get(key) {
      const entry = kept.get(key);
      if (entry === undefined) {
        return undefined;
      }
      kept.delete(key);
      kept.set(key, entry);
      return entry.value;
    },
    put(key, value, size) {
      drop(key);
      const bytes = size + key.length + OVERHEAD;
      if (bytes > most / SHARE) {
        return;
      }
      kept.set(key, { value, bytes });
      total += bytes;
      for (const oldest of kept.keys()) {
        if (total <= most) {
          break;
        }
        drop(oldest);
      }
    },
    get bytes() {
      return total;
    },
  };
}
