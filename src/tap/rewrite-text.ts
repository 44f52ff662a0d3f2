/** `'RE=>TEXT'`, `'RE~TEXT'` and `'/RE/TEXT/flags'` as people type them, and the text that is put in a match's place. */
import type { Side } from '../wire/app/decoder.ts';
import type { Replacement } from './plan.ts';

/** What is wrong with a text, and at which of its characters. */
export interface TextError {
  readonly why: string;
  readonly at: number;
}

const FLAGS = /^[gims]*$/;
const DIRECTIONS: Readonly<Record<string, Side>> = { up: 'client', down: 'server' };

export function readReplacement(text: string): Replacement | TextError {
  const direction = /^(up|down):/.exec(text);
  const start = direction === null ? 0 : direction[0].length;
  const from = direction === null ? 'both' : DIRECTIONS[direction[1]!]!;
  const parts = split(text.slice(start));
  if ('why' in parts) {
    return { why: parts.why, at: start + parts.at };
  }
  const at = start + parts.patternAt;
  if (parts.pattern === '') {
    return { why: 'a pattern is missing: what shall be replaced?', at };
  }
  if (!FLAGS.test(parts.flags)) {
    return { why: `flags are i, m and s, not '${parts.flags}'`, at: text.length - parts.flags.length };
  }
  const pattern = asBytes(parts.pattern);
  const flags = [...new Set(parts.flags.replaceAll('g', ''))].join('');
  const wrong = patternError(pattern, flags);
  if (wrong !== null) {
    return { why: wrong, at };
  }
  const meant = unescaped(parts.text);
  if (typeof meant !== 'string') {
    return { why: meant.why, at: start + parts.textAt + meant.at };
  }
  // With an empty way through it, the pattern matches anything and says how many groups it has.
  const groups = new RegExp(`${pattern}|`, flags).exec('')!;
  for (const found of meant.matchAll(/\$(?:\$|&|([1-9])|<([^>]*)>)/g)) {
    const missing =
      found[1] !== undefined
        ? Number(found[1]) >= groups.length
        : found[2] !== undefined && !Object.hasOwn(groups.groups ?? {}, found[2]);
    if (missing) {
      const inText = parts.text.indexOf(found[0]);
      return { why: `the pattern has no group ${found[0]}`, at: start + parts.textAt + Math.max(0, inText) };
    }
  }
  return { pattern, flags, text: meant, from };
}

/** A pattern of `--match`: null, or why it is none. */
export function patternError(pattern: string, flags: string): string | null {
  try {
    new RegExp(pattern, flags);
    return null;
  } catch (error) {
    return (error as Error).message.replace(/^Invalid regular expression: /, 'not a regular expression: ');
  }
}

/** The stream's bytes are characters of their own, so a letter beyond ASCII is written as the bytes it has in UTF-8. */
export function asBytes(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

interface Parts {
  readonly pattern: string;
  readonly patternAt: number;
  readonly text: string;
  readonly textAt: number;
  readonly flags: string;
}

function split(text: string): Parts | TextError {
  const arrow = text.indexOf('=>');
  if (arrow >= 0) {
    return halves(text, arrow, 2);
  }
  const slashes = /^\/((?:\\.|[^/\\])*)\/((?:\\.|[^/\\])*)\/([A-Za-z]*)$/s.exec(text);
  if (slashes !== null) {
    const [, pattern = '', put = '', flags = ''] = slashes;
    return { pattern, patternAt: 1, text: put, textAt: pattern.length + 2, flags };
  }
  const tilde = text.indexOf('~');
  if (tilde >= 0) {
    return halves(text, tilde, 1);
  }
  return { why: 'RE=>TEXT, RE~TEXT or /RE/TEXT/flags is expected', at: text.length };
}

function halves(text: string, at: number, length: number): Parts {
  return {
    pattern: text.slice(0, at),
    patternAt: 0,
    text: text.slice(at + length),
    textAt: at + length,
    flags: '',
  };
}

const ESCAPES: Readonly<Record<string, string>> = {
  n: '\n',
  r: '\r',
  t: '\t',
  '\\': '\\',
  '/': '/',
  $: '$$',
};

function unescaped(text: string): string | TextError {
  let meant = '';
  for (let i = 0; i < text.length; i++) {
    const c = text[i]!;
    if (c !== '\\') {
      const point = String.fromCodePoint(text.codePointAt(i)!);
      meant += asBytes(point);
      i += point.length - 1;
      continue;
    }
    const next = text[++i] ?? '';
    const hex = /^x[0-9a-fA-F]{2}/.exec(text.slice(i))?.[0];
    if (hex !== undefined) {
      const byte = String.fromCharCode(Number.parseInt(hex.slice(1), 16));
      meant += byte === '$' ? '$$' : byte;
      i += 2;
    } else if (Object.hasOwn(ESCAPES, next)) {
      meant += ESCAPES[next]!;
    } else {
      return { why: `\\${next} means nothing here: \\n \\r \\t \\xNN \\\\ do`, at: i - 1 };
    }
  }
  return meant;
}

/** A replacement's text, ready to be filled in. */
export type Filling = readonly (string | { readonly group: number } | { readonly name: string })[];

export function filling(text: string): Filling {
  const parts: (string | { group: number } | { name: string })[] = [];
  let last = 0;
  for (const found of text.matchAll(/\$(?:(\$)|(&)|([1-9])|<([^>]*)>)/g)) {
    parts.push(text.slice(last, found.index));
    last = found.index + found[0].length;
    if (found[1] !== undefined) {
      parts.push('$');
    } else if (found[4] !== undefined) {
      parts.push({ name: found[4] });
    } else {
      parts.push({ group: found[2] === undefined ? Number(found[3]) : 0 });
    }
  }
  parts.push(text.slice(last));
  return parts;
}

export function filled(parts: Filling, found: RegExpExecArray): string {
  let text = '';
  for (const part of parts) {
    if (typeof part === 'string') {
      text += part;
    } else {
      text += ('group' in part ? found[part.group] : found.groups?.[part.name]) ?? '';
    }
  }
  return text;
}
