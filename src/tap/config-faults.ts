/** Faults in a configuration: a text as after `--fault`, or the same with names, which is put together to that text. */
import { decoders, vocabulary } from '../wire/app/decoders.ts';
import { displayFilter } from '../wire/display/filter.ts';
import { uniqueName } from './config-defaults.ts';
import { shown, type TextFault, textOf, unknownWord } from './config-fields.ts';
import type { ConfigNode, Entry, MapNode, Problems } from './config-source.ts';
import { offsetIn } from './config-source.ts';
import type { PlannedFault } from './fault.ts';
import { attributesNamed, shortName } from './fault-attributes.ts';
import { CLAUSES } from './fault-clauses.ts';
import { faultWritten, unknownFault, usualName } from './fault-names.ts';
import { readFault } from './fault-text.ts';
import { quote } from './fault-tokens.ts';

const HINT = 'sockscope tap --help has examples of faults.';
const WHEN_KEYS = ['filter', 'nth', 'every', 'for'];

/** Null: fine. */
export function filterFault(text: string): TextFault | null {
  const read = displayFilter(text, vocabulary(decoders));
  return 'message' in read
    ? { why: `${read.message} (${read.expected.slice(0, 8).join(', ')})`, at: read.at }
    : null;
}

export function faultsIn(nodes: readonly ConfigNode[], problems: Problems): PlannedFault[] {
  const named = new Set<string>();
  const read: { fault: PlannedFault; written: boolean }[] = [];
  for (const node of nodes) {
    const fault = node.kind === 'map' ? faultFromMap(node, problems) : faultFromText(node, problems);
    if (fault === null) {
      continue;
    }
    const written = hasName(node) || fault.name !== usualName(fault.fault, fault.stream);
    if (written && named.has(fault.name)) {
      problems.add(node.offset, `two faults are called ${shown(fault.name)}`, 'Give each a name of its own.');
    }
    if (written) {
      named.add(fault.name);
    }
    read.push({ fault, written });
  }
  // The names that people gave stay; the others step aside.
  return read.map(({ fault, written }) =>
    written ? fault : { ...fault, name: uniqueName(fault.name, named) },
  );
}

function hasName(node: ConfigNode): boolean {
  return node.kind === 'map' && node.entries.some(({ key }) => key === 'name');
}

function faultFromText(node: ConfigNode, problems: Problems): PlannedFault | null {
  const text = textOf(node, 'a fault', problems);
  if (text === null) {
    return null;
  }
  const read = readFault(text);
  if ('why' in read) {
    problems.add(offsetIn(node, read.at), `fault: ${read.why}`, HINT);
    return null;
  }
  const wrong = read.when === undefined ? null : filterFault(read.when.filter);
  if (wrong !== null) {
    const at = text.lastIndexOf(read.when!.filter) + wrong.at;
    problems.add(offsetIn(node, at), `fault: ${wrong.why}`, HINT);
    return null;
  }
  return read;
}

/** A piece of the text, and which entry it came from. */
interface Piece {
  readonly text: string;
  readonly offset: number;
}

function faultFromMap(map: MapNode, problems: Problems): PlannedFault | null {
  const before = problems.list.length;
  const entries = new Map(map.entries.map((entry) => [entry.key, entry]));
  const named = entries.get('fault');
  const name = named === undefined ? null : textOf(named.value, 'fault', problems);
  if (named === undefined) {
    problems.add(
      map.offset,
      'which fault is not said',
      'Write fault: latency, or the whole as a text: latency delay=200ms.',
    );
  }
  if (named === undefined || name === null) {
    return null;
  }
  const fault = faultWritten(name);
  if (fault === undefined) {
    problems.add(named.value.offset, unknownFault(shown(name)), HINT);
    return null;
  }
  const pieces: Piece[] = [{ text: fault.name, offset: named.value.offset }];
  // `reply` takes its two attributes in their order and without their names.
  const ordered = fault.name === 'reply' ? ['protocol', 'text'].map((key) => entries.get(key)) : [];
  for (const entry of ordered) {
    const text = entry === undefined ? null : textOf(entry.value, entry.key, problems);
    if (entry !== undefined && text !== null) {
      pieces.push({ text: entry.key === 'text' ? quote(text) : text, offset: entry.value.offset });
    }
  }
  for (const entry of map.entries) {
    const { key } = entry;
    if (key === 'fault' || key === 'when' || ordered.includes(entry)) {
      continue;
    }
    const clause = key === 'stream' || (CLAUSES as readonly string[]).includes(key);
    if (!clause && attributesNamed(key, fault.attributes).length === 0) {
      const known = [...fault.attributes.map(shortName), ...CLAUSES, 'stream', 'when'];
      unknownWord(entry.offset, `${fault.name} has no ${shown(key)}`, key, known, problems);
      continue;
    }
    const text = textOf(entry.value, key, problems);
    if (text !== null) {
      pieces.push({ text: key === 'stream' ? text : `${key}=${quote(text)}`, offset: entry.value.offset });
    }
  }
  const when = entries.get('when');
  if (when !== undefined) {
    pieces.push({ text: `when ${whenText(when, problems)}`, offset: when.value.offset });
  }
  return problems.list.length > before ? null : together(pieces, when, problems);
}

function whenText(entry: Entry, problems: Problems): string {
  if (entry.value.kind !== 'map') {
    return textOf(entry.value, 'when', problems) ?? '';
  }
  const parts = new Map<string, string>();
  for (const { key, offset, value } of entry.value.entries) {
    const text = textOf(value, key, problems);
    if (!WHEN_KEYS.includes(key)) {
      unknownWord(offset, `when has no ${shown(key)}`, key, WHEN_KEYS, problems);
    } else if (text !== null) {
      parts.set(key, text);
    }
  }
  const [filter = '', ...rest] = WHEN_KEYS.map((key) => parts.get(key));
  return [
    filter,
    ...WHEN_KEYS.slice(1).map((key, i) => (rest[i] === undefined ? '' : `${key} ${rest[i]}`)),
  ].join(' ');
}

function together(
  pieces: readonly Piece[],
  when: Entry | undefined,
  problems: Problems,
): PlannedFault | null {
  const read = readFault(pieces.map(({ text }) => text).join(' '));
  if ('why' in read) {
    let end = 0;
    const blamed = pieces.find(({ text }) => {
      end += text.length + 1;
      return read.at < end;
    });
    problems.add((blamed ?? pieces[0]!).offset, `fault: ${read.why}`, HINT);
    return null;
  }
  const wrong = read.when === undefined ? null : filterFault(read.when.filter);
  if (wrong !== null && when !== undefined) {
    const filter =
      when.value.kind === 'map' ? when.value.entries.find(({ key }) => key === 'filter')?.value : when.value;
    problems.add(offsetIn(filter ?? when.value, wrong.at), `when: ${wrong.why}`, HINT);
    return null;
  }
  return read;
}
