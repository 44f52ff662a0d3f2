/** HPACK (RFC 7541): header blocks → names and values, with the table that one direction of a connection keeps. */
import { huffmanDecode } from './hpack-huffman.ts';
import { STATIC_NAMES, STATIC_SIZE, STATIC_VALUES } from './hpack-static.ts';
import { text } from './text.ts';

/** The most a dynamic table may hold here, in the measure of RFC 7541 section 4.1. */
export const MAX_TABLE = 64 * 1024;
/** The most a decoded list may hold, in the same measure. A short block can name a long entry many times. */
export const MAX_LIST = 64 * 1024;
/** What a name or value is when the table entry was made before we looked. */
export const UNKNOWN = '?';

const DEFAULT_TABLE = 4096;
const ENTRY_OVERHEAD = 32;

export interface Table {
  /** Oldest first; live from `first` on. */
  names: string[];
  values: string[];
  sizes: number[];
  first: number;
  size: number;
  max: number;
  /** What the receiver of the blocks allows by SETTINGS_HEADER_TABLE_SIZE: the largest it ever said. */
  allowed: number;
  /** False: there may be entries older than those we hold. */
  complete: boolean;
}

export interface HeaderList {
  readonly names: string[];
  readonly values: string[];
  /** In bytes of names and values, and 32 for each. */
  size: number;
  /** What is not certain about the list. */
  warning: string | null;
}

export function newTable(complete: boolean): Table {
  const max = DEFAULT_TABLE;
  return { names: [], values: [], sizes: [], first: 0, size: 0, max, allowed: max, complete };
}

export function newList(): HeaderList {
  return { names: [], values: [], size: 0, warning: null };
}

// Where the reader is, and what it read last. One block is decoded at a time, whole: nothing of this outlives a call.
let next = 0;
let wrong = '';
let length = 0;
let scratch = new Uint8Array(4096);

/** The list that bytes[from, to) stand for, or why they stand for none. */
export function decodeBlock(
  bytes: Uint8Array,
  from: number,
  to: number,
  table: Table,
): HeaderList | { readonly why: string } {
  const list = newList();
  next = from;
  wrong = '';
  while (next < to) {
    const byte = bytes[next]!;
    if (byte >= 0x80) {
      const index = integer(bytes, to, 7);
      add(list, nameAt(table, index, list), valueAt(table, index));
    } else if (byte >= 0x40) {
      const at = literal(bytes, to, 6, table, list);
      insert(table, at.name, at.value, length);
    } else if (byte >= 0x20) {
      resize(table, integer(bytes, to, 5), list);
    } else {
      // Without indexing (0000) and never indexed (0001) differ only for who sends the field on.
      literal(bytes, to, 4, table, list);
    }
    if (wrong !== '') {
      return { why: wrong };
    }
  }
  return list;
}

const pair = { name: '', value: '' };

function literal(bytes: Uint8Array, to: number, bits: number, table: Table, list: HeaderList): typeof pair {
  const index = integer(bytes, to, bits);
  if (index === 0) {
    pair.name = string(bytes, to);
  } else {
    pair.name = nameAt(table, index, list);
    length = pair.name.length;
  }
  const nameLength = length;
  pair.value = string(bytes, to);
  length += nameLength;
  if (wrong === '') {
    add(list, pair.name, pair.value);
  }
  return pair;
}

function add(list: HeaderList, name: string, value: string): void {
  const size = name.length + value.length + ENTRY_OVERHEAD;
  if (list.size + size > MAX_LIST) {
    list.warning = 'more headers than are kept';
    return;
  }
  list.size += size;
  list.names.push(name);
  list.values.push(value);
}

/** An integer whose first byte gives its low `bits` bits (RFC 7541 section 5.1); at most 2^28 and a little. */
function integer(bytes: Uint8Array, to: number, bits: number): number {
  const full = (1 << bits) - 1;
  let value = bytes[next++]! & full;
  if (value < full) {
    return value;
  }
  for (let shift = 0; shift < 28; shift += 7) {
    if (next >= to) {
      wrong = 'the header block ends inside a number';
      return 0;
    }
    const byte = bytes[next++]!;
    value += (byte & 0x7f) << shift;
    if (byte < 0x80) {
      return value;
    }
  }
  wrong = 'a number in the header block is too large';
  return 0;
}

/** A string; its length in bytes is left in `length`, which is what the table counts. */
function string(bytes: Uint8Array, to: number): string {
  length = 0;
  if (wrong !== '') {
    return '';
  }
  if (next >= to) {
    wrong = 'the header block ends before a string';
    return '';
  }
  const huffman = bytes[next]! >= 0x80;
  const count = integer(bytes, to, 7);
  const start = next;
  if (wrong !== '' || count > to - start) {
    wrong ||= 'a string reaches beyond the header block';
    return '';
  }
  next = start + count;
  if (!huffman) {
    length = count;
    return text(bytes, start, next);
  }
  if (scratch.length < 2 * count) {
    scratch = new Uint8Array(2 * count);
  }
  const decoded = huffmanDecode(bytes, start, next, scratch);
  if (decoded < 0) {
    wrong = 'a string in the header block is no Huffman code';
    return '';
  }
  length = decoded;
  return text(scratch, 0, decoded);
}

function nameAt(table: Table, index: number, list: HeaderList): string {
  if (index <= STATIC_SIZE) {
    if (index === 0) {
      wrong ||= 'a header of index 0';
    }
    return STATIC_NAMES[index]!;
  }
  const at = table.names.length - (index - STATIC_SIZE);
  if (at >= table.first) {
    return table.names[at]!;
  }
  if (table.complete) {
    wrong = `header index ${index} is beyond the table`;
  }
  list.warning = 'headers named ? were sent before the capture began';
  return UNKNOWN;
}

function valueAt(table: Table, index: number): string {
  if (index <= STATIC_SIZE) {
    return STATIC_VALUES[index]!;
  }
  const at = table.names.length - (index - STATIC_SIZE);
  return at >= table.first ? table.values[at]! : UNKNOWN;
}

function insert(table: Table, name: string, value: string, bytes: number): void {
  if (wrong !== '') {
    return;
  }
  const size = bytes + ENTRY_OVERHEAD;
  table.names.push(name);
  table.values.push(value);
  table.sizes.push(size);
  table.size += size;
  evict(table);
}

/** Drops the oldest until the rest fits. What an entry is worth depends on nothing older, known to us or not. */
function evict(table: Table): void {
  while (table.size > table.max) {
    table.size -= table.sizes[table.first]!;
    table.first++;
  }
  // The dropped ones go when they are half of it: constant time per entry in the long run.
  if (table.first > 32 && 2 * table.first > table.names.length) {
    table.names.splice(0, table.first);
    table.values.splice(0, table.first);
    table.sizes.splice(0, table.first);
    table.first = 0;
  }
}

function resize(table: Table, to: number, list: HeaderList): void {
  if (wrong !== '') {
    return;
  }
  if (to > table.allowed) {
    list.warning = `a header table of ${to} bytes, more than the ${table.allowed} allowed`;
  }
  if (to > MAX_TABLE) {
    table.complete = false;
  }
  table.max = Math.min(to, MAX_TABLE);
  evict(table);
}
