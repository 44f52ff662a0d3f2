/** A zone file (RFC 1035 section 5) becomes records. It goes on after a fault, so that all of them are told at once. */
import { nearMisses } from '../../../session/near.ts';
import { TYPES } from '../../../wire/app/dns-names.ts';
import { type Name, readNameText, WILDCARD } from './name.ts';
import {
  isError,
  minimumOf,
  NS,
  type Piece,
  RECORD_TYPES,
  type RecordType,
  readField,
  readTime,
  SOA,
  sizeOf,
  type ZoneRecord,
} from './record.ts';
import { type Entry, entriesOf, type Word } from './words.ts';

const MOST_DEPTH = 10;
const MOST_DATA = 0xffff;

export interface Fault {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly sentence: string;
}

/** A record, and where it stood. */
export interface Placed {
  readonly record: ZoneRecord;
  readonly file: string;
  readonly line: number;
}

/** Where files come from. `path` is what identifies one, and what is shown; an error is what follows it in a sentence. */
export interface Files {
  read(path: string): string | { readonly error: string };
  /** The path of what `from` names. */
  beside(from: string, name: string): string;
}

export interface ReadZone {
  readonly records: readonly Placed[];
  readonly faults: readonly Fault[];
}

interface Reading {
  readonly files: Files;
  readonly records: Placed[];
  readonly faults: Fault[];
  /** The files that are being read, outermost first. */
  readonly open: string[];
  /** $TTL. */
  defaultTtl: number | null;
  lastTtl: number | null;
  /** What an SOA said, for records that have nothing else. */
  minimum: number | null;
}

interface Place {
  origin: Name | null;
  owner: Name | null;
}

export function readZoneFile(path: string, origin: Name | null, files: Files): ReadZone {
  const reading: Reading = {
    files,
    records: [],
    faults: [],
    open: [],
    defaultTtl: null,
    lastTtl: null,
    minimum: null,
  };
  const text = files.read(path);
  if (typeof text === 'string') {
    readInto(reading, path, text, { origin, owner: null });
  } else {
    reading.faults.push({ file: path, line: 0, column: 0, sentence: text.error });
  }
  return reading;
}

function readInto(reading: Reading, file: string, text: string, place: Place): void {
  reading.open.push(file);
  const complain = (line: number, column: number, sentence: string): void => {
    reading.faults.push({ file, line, column, sentence });
  };
  for (const entry of entriesOf(text, complain)) {
    const first = entry.words[0]!;
    const at = (word: Word, sentence: string): void => complain(word.line, word.column, sentence);
    if (!first.quoted && first.text.startsWith('$')) {
      directive(reading, file, entry, place, at);
    } else {
      record(reading, file, entry, place, at);
    }
  }
  reading.open.pop();
}

type At = (word: Word, sentence: string) => void;

function directive(reading: Reading, file: string, { words }: Entry, place: Place, at: At): void {
  const [first, value, more] = words as [Word, Word?, Word?];
  const name = first.text.toUpperCase();
  if (!['$ORIGIN', '$TTL', '$INCLUDE'].includes(name)) {
    at(first, `${shown(first.text)} is not known here: $ORIGIN, $TTL and $INCLUDE are`);
    return;
  }
  if (value === undefined) {
    at(first, `${name} needs something behind it`);
    return;
  }
  const tooMuch = name === '$INCLUDE' ? words[3] : more;
  if (tooMuch !== undefined) {
    at(tooMuch, `${name} is followed by too much`);
  } else if (name === '$TTL') {
    const ttl = readTime(value.text);
    if (ttl === null) {
      at(value, `${shown(value.text)} is no time: write seconds, or 1h30m`);
    }
    reading.defaultTtl = ttl ?? reading.defaultTtl;
  } else if (name === '$ORIGIN') {
    place.origin = named(value, place.origin, at) ?? place.origin;
  } else {
    include(
      reading,
      file,
      value,
      more === undefined ? place.origin : named(more, place.origin, at),
      place,
      at,
    );
  }
}

/** The origin and the owner of this file are what they were when the other one ends (RFC 1035 section 5.1). */
function include(
  reading: Reading,
  file: string,
  word: Word,
  origin: Name | null,
  place: Place,
  at: At,
): void {
  const path = reading.files.beside(file, utf8(word.text));
  const cycle = reading.open.indexOf(path);
  if (cycle >= 0) {
    at(word, `the files include each other: ${[...reading.open.slice(cycle), path].join(' → ')}`);
    return;
  }
  if (reading.open.length > MOST_DEPTH) {
    at(word, `files are included ${MOST_DEPTH} deep, which is enough`);
    return;
  }
  const text = reading.files.read(path);
  if (typeof text === 'string') {
    readInto(reading, path, text, { origin, owner: place.owner });
  } else {
    at(word, `${path} ${text.error}`);
  }
}

function record(reading: Reading, file: string, { words, indented }: Entry, place: Place, at: At): void {
  const first = words[0]!;
  let next = 0;
  if (!indented) {
    next = 1;
    // After a fault here the records below must not go to the name before.
    place.owner = named(first, place.origin, at);
    if (place.owner === null) {
      return;
    }
  }
  let ttl: number | null = null;
  let classed = false;
  let word = words[next];
  for (; word !== undefined && !word.quoted; word = words[++next]) {
    if (ttl === null && /^\d/.test(word.text)) {
      ttl = readTime(word.text);
      if (ttl === null) {
        at(word, `${shown(word.text)} is no time: write seconds up to 2147483647, or 1h30m`);
        return;
      }
    } else if (!classed && /^(IN|CH|HS|CS|CLASS\d+)$/i.test(word.text)) {
      if (!/^(IN|CLASS1)$/i.test(word.text)) {
        at(word, `the class ${shown(word.text)} is not served here, only IN`);
        return;
      }
      classed = true;
    } else {
      break;
    }
  }
  if (word === undefined) {
    const last = words.at(-1)!;
    at(last, 'the record has no type');
    return;
  }
  const type = typeOf(word, at);
  if (type === null) {
    return;
  }
  if (place.owner === null) {
    at(first, 'the record belongs to the name before it, and there is none');
    return;
  }
  const data = dataOf(type, word, words.slice(next + 1), place.origin, at);
  if (data === null) {
    return;
  }
  if (type.code === NS && place.owner.startsWith(WILDCARD)) {
    at(first, 'a wildcard cannot be delegated (RFC 4592 section 4.2)');
    return;
  }
  const own = type.code === SOA ? minimumOf(data) : null;
  reading.minimum ??= own;
  const used = ttl ?? reading.defaultTtl ?? reading.lastTtl ?? own ?? reading.minimum;
  if (used === null) {
    at(word, 'the record has no time to live: say $TTL 1h first');
    return;
  }
  reading.lastTtl = ttl ?? reading.lastTtl;
  reading.records.push({
    record: { name: place.owner, type: type.code, ttl: used, data },
    file,
    line: first.line,
  });
}

function typeOf(word: Word, at: At): RecordType | null {
  const name = word.text.toUpperCase();
  if (Object.hasOwn(RECORD_TYPES, name)) {
    return RECORD_TYPES[name]!;
  }
  const served = Object.keys(RECORD_TYPES).join(', ');
  if (/^TYPE\d+$/.test(name) || Object.values(TYPES).includes(name)) {
    at(word, `records of the type ${name} are not served here, only ${served}`);
    return null;
  }
  const near = nearMisses(
    word.text,
    Object.keys(RECORD_TYPES).map((one) => one.toLowerCase()),
  )[0];
  const hint = near === undefined ? `the types are ${served}` : `did you mean ${near.toUpperCase()}?`;
  at(word, `${shown(word.text)} is no type of record: ${hint}`);
  return null;
}

function dataOf(
  type: RecordType,
  typeWord: Word,
  words: readonly Word[],
  origin: Name | null,
  at: At,
): readonly Piece[] | null {
  const data: Piece[] = [];
  const name = typeWord.text.toUpperCase();
  const many = type.fields.at(-1) === 'strings';
  let fine = true;
  for (const [i, field] of type.fields.entries()) {
    const own = field === 'strings' ? words.slice(i) : words.slice(i, i + 1);
    if (own.length === 0) {
      // After a fault the fields may only have lost their places.
      if (fine) {
        at(words.at(-1) ?? typeWord, `${name} needs ${type.words.slice(i).join(', ')} here`);
      }
      return null;
    }
    for (const word of own) {
      const read = readField(field, word.text, origin);
      if (isError(read)) {
        at(word, `${shown(word.text)} ${read.error} (${type.words[i]} of ${name})`);
        fine = false;
      } else {
        data.push(read);
      }
    }
  }
  const more = many ? undefined : words[type.fields.length];
  if (more !== undefined) {
    at(more, `${name} ends before ${shown(more.text)}: it has ${type.words.join(', ')}`);
    return null;
  }
  if (fine && sizeOf(data) > MOST_DATA) {
    at(typeWord, `the record has ${sizeOf(data)} bytes of data, and there is room for ${MOST_DATA}`);
    return null;
  }
  return fine ? data : null;
}

function named(word: Word, origin: Name | null, at: At): Name | null {
  const name = readNameText(word.text, origin);
  if (typeof name === 'string') {
    return name;
  }
  at(word, `${shown(word.text)}: ${name.error}`);
  return null;
}

const LONGEST_SHOWN = 60;

/** A word of the file for people, who wrote it in UTF-8. */
function shown(text: string): string {
  const readable = utf8(text);
  return readable.length > LONGEST_SHOWN ? `${readable.slice(0, LONGEST_SHOWN)}…` : readable;
}

function utf8(text: string): string {
  return Buffer.from(text, 'latin1').toString('utf8');
}
