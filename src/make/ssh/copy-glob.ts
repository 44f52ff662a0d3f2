/** `*`, `?` and `[…]` in a path on the server, as a shell reads them. A backslash takes the meaning away. */
import { type ByteName, join, nameFault } from './byte-name.ts';

export function hasGlob(path: ByteName): boolean {
  return /[*?[]/.test(path);
}

/** Whether a name fits one part of a pattern. `*` and `?` do not stand for a dot at the beginning. Never slower than the product of the lengths. */
export function fits(pattern: string, name: ByteName): boolean {
  const parts = partsOf(pattern);
  if (name.startsWith('.') && parts[0]?.literal !== '.') {
    return false;
  }
  // Where the last star was, and where in the name it began: one step back is enough.
  let star = -1;
  let from = 0;
  let at = 0;
  let part = 0;
  while (at < name.length) {
    const now = parts[part];
    if (now?.many === true) {
      star = part;
      from = at;
      part += 1;
    } else if (now?.takes(name[at]!) === true) {
      part += 1;
      at += 1;
    } else if (star !== -1) {
      from += 1;
      at = from;
      part = star + 1;
    } else {
      return false;
    }
  }
  while (parts[part]?.many === true) {
    part += 1;
  }
  return part === parts.length;
}

interface Part {
  readonly many: boolean;
  readonly literal: string | null;
  takes(character: string): boolean;
}

function literal(character: string): Part {
  return { many: false, literal: character, takes: (other) => other === character };
}

function partsOf(pattern: string): Part[] {
  const parts: Part[] = [];
  for (let at = 0; at < pattern.length; at += 1) {
    const character = pattern[at]!;
    if (character === '*') {
      parts.push({ many: true, literal: null, takes: () => true });
    } else if (character === '?') {
      parts.push({ many: false, literal: null, takes: () => true });
    } else if (character === '\\' && at + 1 < pattern.length) {
      at += 1;
      parts.push(literal(pattern[at]!));
    } else if (character === '[') {
      const end = pattern.indexOf(']', at + (/^\[[!^]/.test(pattern.slice(at)) ? 3 : 2));
      if (end === -1) {
        parts.push(literal(character));
      } else {
        parts.push(oneOf(pattern.slice(at + 1, end)));
        at = end;
      }
    } else {
      parts.push(literal(character));
    }
  }
  return parts;
}

function oneOf(set: string): Part {
  const not = /^[!^]/.test(set);
  const inside = not ? set.slice(1) : set;
  const ranges: [string, string][] = [];
  for (let at = 0; at < inside.length; at += 1) {
    if (inside[at + 1] === '-' && at + 2 < inside.length) {
      ranges.push([inside[at]!, inside[at + 2]!]);
      at += 2;
    } else {
      ranges.push([inside[at]!, inside[at]!]);
    }
  }
  const takes = (character: string): boolean =>
    ranges.some(([first, last]) => first <= character && character <= last) !== not;
  return { many: false, literal: null, takes };
}

/** The paths that fit, sorted. `list` gives the names in a folder, or null where there is none. */
export async function expandGlob(
  path: ByteName,
  list: (folder: ByteName) => Promise<readonly ByteName[] | null>,
): Promise<ByteName[]> {
  let found: ByteName[] = [path.startsWith('/') ? '/' : ''];
  for (const part of path.split('/').filter((one) => one !== '')) {
    if (!hasGlob(part)) {
      found = found.map((folder) => join(folder, part.replace(/\\(.)/g, '$1')));
      continue;
    }
    const next: ByteName[] = [];
    for (const folder of found) {
      const names = (await list(folder === '' ? '.' : folder)) ?? [];
      // What the server calls its files must not lead elsewhere.
      next.push(
        ...names
          .filter((name) => nameFault(name) === null && fits(part, name))
          .map((name) => join(folder, name)),
      );
    }
    found = next;
  }
  return found.sort();
}
