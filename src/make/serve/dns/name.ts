/**
 * Domain names. A name is kept as it travels: a length and that many characters for each label, a character a byte, without the zero
 * at its end. So the name above is a suffix, the root is '', and nothing has to be escaped.
 */
export type Name = string;

export const ROOT: Name = '';
/** RFC 1035 section 2.3.4; the zero at the end counts. */
const LONGEST_NAME = 255;
const LONGEST_LABEL = 63;
/** Pointers followed in one name: 127 labels cannot need more. */
const MAX_JUMPS = 128;

/** What names are compared by: case does not count, and only in ASCII (RFC 4343). A length is at most 63, which is no letter. */
export function keyOf(name: Name): Name {
  return name.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
}

export function parentOf(name: Name): Name {
  return name.slice(1 + name.charCodeAt(0));
}

export function labelOf(text: string): Name {
  return String.fromCharCode(text.length) + text;
}

export const WILDCARD = labelOf('*');

/** The key itself, and what stands above it up to the root. */
export function* upwards(key: Name): Generator<Name> {
  for (let at = key; ; at = parentOf(at)) {
    yield at;
    if (at === ROOT) {
      return;
    }
  }
}

/** Both are keys. */
export function isWithin(key: Name, zone: Name): boolean {
  for (let at = key; at.length >= zone.length; at = parentOf(at)) {
    if (at === zone) {
      return true;
    }
    if (at === ROOT) {
      return false;
    }
  }
  return false;
}

/** As zone files write it (RFC 1035 section 5.1), with the dot at its end. */
export function nameText(name: Name): string {
  let text = '';
  for (let at = name; at !== ROOT; at = parentOf(at)) {
    for (const character of at.slice(1, 1 + at.charCodeAt(0))) {
      text += escaped(character);
    }
    text += '.';
  }
  return text === '' ? '.' : text;
}

/** For people: without the dot. */
export function shortName(name: Name): string {
  return name === ROOT ? '.' : nameText(name).slice(0, -1);
}

function escaped(character: string): string {
  const code = character.charCodeAt(0);
  if (code <= 32 || code >= 127) {
    return `\\${String(code).padStart(3, '0')}`;
  }
  return '.\\"();@$'.includes(character) ? `\\${character}` : character;
}

/** One character behind a backslash, or three digits: how many characters that took, and which one it is. */
export function unescaped(text: string, at: number): { readonly took: number; readonly is: string } | null {
  const digits = /^\d{3}/.exec(text.slice(at + 1, at + 4))?.[0];
  if (digits !== undefined) {
    return Number(digits) > 255 ? null : { took: 4, is: String.fromCharCode(Number(digits)) };
  }
  const next = text[at + 1];
  return next === undefined || /\d/.test(next) ? null : { took: 2, is: next };
}

/** A name as typed. Without a dot at its end `origin` is added; null: there is no origin. */
export function readNameText(text: string, origin: Name | null): Name | { readonly error: string } {
  if (text === '@') {
    return origin ?? { error: '@ stands for the origin, and there is none yet: say $ORIGIN first' };
  }
  if (text === '.') {
    return ROOT;
  }
  let name = '';
  let label = '';
  let ended = false;
  for (let at = 0; at < text.length; ) {
    const character = text[at]!;
    ended = character === '.';
    if (ended) {
      if (label === '') {
        return { error: 'a name has an empty part: two dots together, or one in front' };
      }
      name += labelOf(label);
      label = '';
      at += 1;
      continue;
    }
    let took = 1;
    let is = character;
    if (character === '\\') {
      const one = unescaped(text, at);
      if (one === null) {
        return { error: 'a backslash needs a character or three digits up to 255 behind it' };
      }
      ({ took, is } = one);
    } else if (character > '~') {
      return { error: 'a name is ASCII: write other scripts in punycode, as xn--…' };
    }
    label += is;
    at += took;
    if (label.length > LONGEST_LABEL) {
      return { error: `a part of a name has at most ${LONGEST_LABEL} bytes` };
    }
  }
  if (text === '') {
    return { error: 'a name is missing' };
  }
  if (!ended) {
    if (origin === null) {
      return { error: 'the name is relative (no dot at its end), and there is no origin yet: say $ORIGIN' };
    }
    name += labelOf(label) + origin;
  }
  return name.length + 1 > LONGEST_NAME ? { error: `a name has at most ${LONGEST_NAME} bytes` } : name;
}

/** The name at `at` of the message bytes[start, end), and what comes behind it. Pointers lead backwards only, so this ends. */
export function readName(
  bytes: Uint8Array,
  start: number,
  end: number,
  at: number,
): { readonly name: Name; readonly next: number } | null {
  let name = '';
  let next = -1;
  let sequence = at;
  for (let jumps = 0; at < end; ) {
    const byte = bytes[at]!;
    if (byte >= 0xc0) {
      const target = start + (((byte & 0x3f) << 8) | (bytes[at + 1] ?? 0));
      if (at + 2 > end || target >= sequence || jumps >= MAX_JUMPS) {
        return null;
      }
      next = jumps++ === 0 ? at + 2 : next;
      sequence = target;
      at = target;
      continue;
    }
    if (byte === 0) {
      return { name, next: next < 0 ? at + 1 : next };
    }
    if (byte > LONGEST_LABEL || at + 1 + byte > end || name.length + byte + 2 > LONGEST_NAME) {
      return null;
    }
    for (let i = at; i <= at + byte; i++) {
      name += String.fromCharCode(bytes[i]!);
    }
    at += 1 + byte;
  }
  return null;
}
