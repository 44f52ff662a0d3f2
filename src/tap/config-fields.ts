/** Reads values of a configuration, each with its complaint. Null: it was not there, or was wrong and that has been said. */

import { nearMisses } from '../session/near.ts';
import { durationNs } from '../session/quantities.ts';
import type { ConfigNode, Entry, MapNode, Problems } from './config-source.ts';
import { offsetIn } from './config-source.ts';
import { isPlaceError, type PlaceSide, readPlace, type WrittenPlace } from './place.ts';

/** What the other readers of texts answer: what is wrong, at which character. */
export interface TextFault {
  readonly why: string;
  readonly at: number;
}

export type Fields = ReadonlyMap<string, Entry>;

const KINDS = { map: 'names with values', list: 'a list', value: 'a single value' } as const;

/** Unknown names are told with what may have been meant. */
export function fieldsOf(
  node: ConfigNode,
  known: readonly string[],
  what: string,
  problems: Problems,
): Fields | null {
  const map = mapOf(node, what, problems);
  if (map === null) {
    return null;
  }
  const fields = new Map<string, Entry>();
  for (const entry of map.entries) {
    if (known.includes(entry.key)) {
      fields.set(entry.key, entry);
    } else {
      unknownWord(entry.offset, `${what} has no ${shown(entry.key)}`, entry.key, known, problems);
    }
  }
  return fields;
}

export function mapOf(node: ConfigNode, what: string, problems: Problems): MapNode | null {
  if (node.kind === 'map') {
    return node;
  }
  problems.add(
    node.offset,
    `${what} is written as names with values, not as ${KINDS[node.kind]}`,
    'Write NAME: VALUE.',
  );
  return null;
}

export function unknownWord(
  offset: number,
  message: string,
  word: string,
  known: readonly string[],
  problems: Problems,
): void {
  const near = nearMisses(word.slice(0, 60), known)[0];
  problems.add(
    offset,
    message,
    near === undefined ? `There are ${known.join(', ')}.` : `Did you mean ${near}?`,
  );
}

const SHOWN = 40;

export function shown(text: string): string {
  const clean = text.replace(/[\p{Cc}\p{Zl}\p{Zp}]/gu, ' ');
  return clean.length > SHOWN ? `${clean.slice(0, SHOWN)}…` : clean;
}

export function listOf(entry: Entry | undefined, problems: Problems): readonly ConfigNode[] {
  if (entry === undefined) {
    return [];
  }
  const { value } = entry;
  if (value.kind === 'list') {
    return value.items;
  }
  problems.add(
    value.offset,
    `${entry.key} is a list, not ${KINDS[value.kind]}`,
    'Write its parts under it, each behind a dash.',
  );
  return [];
}

/** A list, or one that stands alone. */
export function oneOrMore(entry: Entry | undefined): readonly ConfigNode[] {
  return entry === undefined ? [] : entry.value.kind === 'list' ? entry.value.items : [entry.value];
}

/** Any value is a text: a port, a name that is all digits. Not nothing. */
export function textOf(node: ConfigNode, what: string, problems: Problems): string | null {
  if (node.kind === 'value' && node.value !== null && node.text !== '') {
    return node.text;
  }
  const found = node.kind === 'value' ? 'empty' : `not ${KINDS[node.kind]}`;
  problems.add(
    node.offset,
    `${what} is a text, ${found === 'empty' ? 'and this is empty' : found}`,
    'Write it in quotes.',
  );
  return null;
}

export function textField(entry: Entry | undefined, problems: Problems): string | null {
  return entry === undefined ? null : textOf(entry.value, entry.key, problems);
}

export function yesField(entry: Entry | undefined, problems: Problems): boolean | null {
  if (entry === undefined) {
    return null;
  }
  const { value } = entry;
  if (value.kind === 'value' && typeof value.value === 'boolean') {
    return value.value;
  }
  problems.add(value.offset, `${entry.key} is true or false`, `Write ${entry.key}: true.`);
  return null;
}

export function wordField<T extends string>(
  entry: Entry | undefined,
  words: readonly T[],
  problems: Problems,
): T | null {
  const text = textField(entry, problems);
  const found = words.find((word) => word === text);
  if (text !== null && entry !== undefined && found === undefined) {
    unknownWord(entry.value.offset, `${entry.key} cannot be ${shown(text)}`, text, words, problems);
  }
  return found ?? null;
}

export function durationField(entry: Entry | undefined, problems: Problems): number | null {
  const text = textField(entry, problems);
  const ns = text === null ? null : durationNs(text);
  if (text !== null && entry !== undefined && (ns === null || ns <= 0)) {
    problems.add(entry.value.offset, `${shown(text)} is not a time`, 'Write it like 500ms, 10s or 2m.');
    return null;
  }
  return ns;
}

export function placeField(
  entry: Entry | undefined,
  side: PlaceSide,
  problems: Problems,
): WrittenPlace | null {
  const text = textField(entry, problems);
  if (text === null || entry === undefined) {
    return null;
  }
  const read = readPlace(text, side);
  if (isPlaceError(read)) {
    problems.add(offsetIn(entry.value, read.at), `${entry.key}: ${read.error}`, read.hint);
    return null;
  }
  return read;
}

/** Texts in a language of their own: what they mean is null where their reader complains. */
export function textsRead<T extends object | string>(
  entry: Entry | undefined,
  read: (text: string) => T | TextFault,
  hint: string,
  problems: Problems,
): T[] {
  const all: T[] = [];
  for (const node of oneOrMore(entry)) {
    const text = textOf(node, entry!.key, problems);
    const one = text === null ? null : read(text);
    if (one !== null && typeof one === 'object' && 'why' in one) {
      problems.add(offsetIn(node, one.at), `${entry!.key}: ${one.why}`, hint);
    } else if (one !== null) {
      all.push(one as T);
    }
  }
  return all;
}
