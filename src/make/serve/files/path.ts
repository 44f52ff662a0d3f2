/** The path of a request: decoded once, without `.` and `..`, and never above where it begins. */

/** Paths are kept as a character for each byte, as they came: file names need not be UTF-8, and nothing is lost or made of nothing. */
export interface Asked {
  readonly names: readonly string[];
  /** It ends with a slash, so a directory is meant. */
  readonly slash: boolean;
  /** With its question mark; empty when there is none. */
  readonly query: string;
}

const ESCAPE = /%([0-9a-f]{2})?/gi;
/** Nothing in it needs a closer look. */
const PLAIN = /^\/(?:[\w~-][\w.~-]*(?:\/[\w~-][\w.~-]*)*)?$/;

/** `malformed`: 400. `none`: no file can have such a name. */
export function readTarget(target: string): Asked | 'malformed' | 'none' {
  if (PLAIN.test(target)) {
    return target === '/'
      ? { names: [], slash: true, query: '' }
      : { names: target.slice(1).split('/'), slash: false, query: '' };
  }
  const path = pathOf(target);
  if (path === null) {
    return 'malformed';
  }
  const end = path.search(/[?#]/);
  const before = end === -1 ? path : path.slice(0, end);
  const query = end === -1 ? '' : path.slice(end).replace(/#.*$/s, '');
  const names: string[] = [];
  let slash = false;
  for (const raw of before.slice(1).split('/')) {
    const name = decoded(raw);
    if (name === null || name.includes('\0')) {
      return 'malformed';
    }
    if (name.includes('/')) {
      // An encoded slash is part of a name (RFC 3986, section 2.2), and no file has one in its name.
      return 'none';
    }
    slash = name === '' || name === '.' || name === '..';
    if (name === '..' && names.pop() === undefined) {
      return 'malformed';
    }
    if (!slash) {
      names.push(name);
    }
  }
  return { names, slash, query };
}

/** Servers have to understand the absolute form as well (RFC 9112, section 3.2.2). */
function pathOf(target: string): string | null {
  if (target.startsWith('/')) {
    return target;
  }
  const [whole] = /^https?:\/\/[^/?#]+/i.exec(target) ?? [];
  if (whole === undefined) {
    return null;
  }
  const rest = target.slice(whole.length);
  return rest.startsWith('/') ? rest : `/${rest}`;
}

/** Null for a `%` without two digits, and for what is no byte. */
function decoded(raw: string): string | null {
  let fine = true;
  const name = raw.replace(ESCAPE, (_all, digits: string | undefined) => {
    fine &&= digits !== undefined;
    return String.fromCharCode(Number.parseInt(digits ?? '0', 16));
  });
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are all bytes there are.
  return fine && /^[\x00-\xff]*$/.test(name) ? name : null;
}

/** A name as it stands in a link. */
export function encoded(name: string): string {
  let text = '';
  for (const letter of name) {
    text += /[\w.~-]/.test(letter)
      ? letter
      : `%${letter.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return text;
}

/** What people read. */
export function shown(name: string): string {
  return Buffer.from(name, 'latin1').toString();
}

/** What the system takes. */
export function bytesOf(path: string): Buffer {
  return Buffer.from(path, 'latin1');
}

/** From what people typed. */
export function fromText(text: string): string {
  return Buffer.from(text).toString('latin1');
}
