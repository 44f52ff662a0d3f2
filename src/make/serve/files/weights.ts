/** What a client likes how much: `Accept` and `Accept-Encoding` with their q (RFC 9110, section 12.4.2). */

/** Words in lower case, from 0 (never) to 1. */
export function weights(header: string | undefined): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  for (const one of (header ?? '').split(',')) {
    const [word = '', ...more] = one.split(';').map((part) => part.trim().toLowerCase());
    const q = more.find((part) => /^q\s*=/.test(part));
    if (word !== '') {
      found.set(word, q === undefined ? 1 : weightOf(q.slice(q.indexOf('=') + 1).trim()));
    }
  }
  return found;
}

/** What is no weight is no wish either. */
function weightOf(text: string): number {
  return /^(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/.test(text) ? Number(text) : 0;
}

export type Coding = 'br' | 'zstd' | 'gzip';

/** The smallest first: the order among what is liked equally. */
const CODINGS: readonly Coding[] = ['br', 'zstd', 'gzip'];

/** Those that the client takes and does not like less than the file as it is; the best first. */
export function codingsFor(header: string | undefined): readonly Coding[] {
  if (header === undefined) {
    return [];
  }
  const wishes = weights(header);
  const any = wishes.get('*') ?? 0;
  const plain = wishes.get('identity') ?? any;
  const wish = (coding: Coding) =>
    wishes.get(coding) ?? (coding === 'gzip' ? wishes.get('x-gzip') : undefined) ?? any;
  return CODINGS.filter((coding) => wish(coding) > 0 && wish(coding) >= plain).sort(
    (a, b) => wish(b) - wish(a),
  );
}

/** Whoever names JSON and does not like HTML more. */
export function wantsJson(accept: string | undefined): boolean {
  const wishes = weights(accept);
  const json = wishes.get('application/json') ?? 0;
  return json > 0 && json >= (wishes.get('text/html') ?? 0);
}
