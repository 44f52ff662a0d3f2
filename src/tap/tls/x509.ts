/** The certificate library, loaded when the first certificate is made: 0.5 MB of code, 45 ms. */
type X509 = typeof import('@peculiar/x509');

let loaded: Promise<X509> | null = null;

export function x509(): Promise<X509> {
  loaded ??= load();
  return loaded;
}

/**
 * The library registers its parts with tsyringe, which wants three functions of the metadata proposal while it loads and
 * never again. They are lent for that time and taken back, so that no program that uses us as a library finds them.
 */
async function load(): Promise<X509> {
  const notes = new WeakMap<object, Map<unknown, unknown>>();
  const read = (key: unknown, on: object) => notes.get(on)?.get(key);
  const lent = {
    getMetadata: read,
    getOwnMetadata: read,
    defineMetadata(key: unknown, value: unknown, on: object) {
      const known = notes.get(on) ?? new Map<unknown, unknown>();
      notes.set(on, known.set(key, value));
    },
  };
  const there: Record<string, unknown> = Reflect as unknown as Record<string, unknown>;
  const missing = Object.entries(lent).filter(([name]) => there[name] === undefined);
  for (const [name, value] of missing) {
    there[name] = value;
  }
  try {
    return await import('@peculiar/x509');
  } finally {
    for (const [name, value] of missing) {
      if (there[name] === value) {
        delete there[name];
      }
    }
  }
}
