/**
 * Gobs, in which Go writes values (the format: https://pkg.go.dev/encoding/gob#hdr-Encoding_Details): each message is a type
 * or a value, and a value says by number which of the types before it it has.
 */
import type { Value, Values } from '../value.ts';
import { type GobType, typeFrom, typeOf } from './gob-types.ts';
import { goTime, octets } from './gob-values.ts';
import { shortened, text } from './text.ts';

/** What is read of a message; of a longer one, the beginning. */
export const MESSAGE_KEPT = 64 * 1024;
/** A value in an interface may end its message early, and go on in the next. All of them together. */
const VALUE_KEPT = 192 * 1024;
const MAX_CONTINUED = 64;
/** As in Go's own decoder. */
const MAX_MESSAGE = 1 << 30;
const MAX_DEPTH = 64;
const MAX_SHOWN = 4096;
const MAX_STRING = 16 * 1024;
const MAX_TYPES = 4096;
const MAX_DEFINITIONS = 1024 * 1024;
const FIRST_OWN = 64;

/** One direction of a stream: the types it defined. */
export interface Gob {
  readonly types: Map<number, GobType>;
  /** Bytes that defined them. */
  defined: number;
}

export type Item =
  | { readonly is: 'need'; readonly bytes: number }
  | { readonly is: 'wrong'; readonly why: string }
  | { readonly is: 'type'; readonly taken: number }
  /** `taken` may reach beyond the bytes given: then the value was cut. `warning` says why it is not whole. */
  | {
      readonly is: 'value';
      readonly taken: number;
      readonly type: string;
      readonly value: Value;
      readonly warning: string;
    };

interface Reader {
  readonly gob: Gob;
  readonly bytes: Uint8Array;
  readonly from: number;
  readonly to: number;
  at: number;
  /** The end of the message, as far as it is kept. */
  end: number;
  /** The end of all of it. */
  behind: number;
  continued: number;
  shown: number;
  /** Set once; from then on everything read is empty. */
  why: string;
  /** More bytes would help: so many from `from`. */
  wants: number;
  /** Of the number read last. */
  high: number;
  low: number;
}

const CUT = 'the value is too long to be read';

export function newGob(): Gob {
  return { types: new Map(), defined: 0 };
}

/** Reads one type or value from bytes[from, to). */
export function readItem(gob: Gob, bytes: Uint8Array, from: number, to: number): Item {
  const r: Reader = {
    gob,
    bytes,
    from,
    to,
    at: from,
    end: from,
    behind: from,
    continued: 0,
    shown: 0,
    why: '',
    wants: 0,
    high: 0,
    low: 0,
  };
  nextMessage(r);
  const id = signed(r);
  if (r.why === '' && id < 0) {
    define(r, -id);
    if (r.why === '' && r.at < r.end) {
      r.why = 'bytes behind a type';
    }
    return outcome(r) ?? { is: 'type', taken: r.behind - from };
  }
  const type = typeOf(gob.types, id);
  if (r.why === '' && type === undefined) {
    const warning = `a value of type ${id}, which was not defined`;
    return { is: 'value', taken: r.behind - from, type: '', value: null, warning };
  }
  const value = type === undefined ? null : whole(r, id, 0);
  if (r.why === '' && r.at < r.end) {
    r.why = 'bytes behind a value';
  }
  const warning = r.why === CUT ? CUT : '';
  const name = type?.kind === 'struct' ? type.name : '';
  return (
    (warning === '' ? outcome(r) : null) ?? {
      is: 'value',
      taken: r.behind - from,
      type: name,
      value,
      warning,
    }
  );
}

function outcome(r: Reader): Item | null {
  if (r.wants > 0) {
    return { is: 'need', bytes: r.wants };
  }
  return r.why === '' ? null : { is: 'wrong', why: r.why };
}

/** Goes to the message that starts behind this one; all of it is there afterwards, or as much as is kept. */
function nextMessage(r: Reader): void {
  const start = r.behind;
  const first = start < r.to ? r.bytes[start]! : 0;
  const head = first < 0x80 ? 1 : 1 + 256 - first;
  if (head > 9) {
    r.why ||= 'no message length';
    return;
  }
  if (start + head > r.to) {
    want(r, start + head);
    return;
  }
  r.at = start;
  r.end = start + head;
  const length = unsigned(r);
  if (length === 0 || length > MAX_MESSAGE) {
    r.why ||= `a message of ${length} bytes`;
    return;
  }
  r.behind = r.at + length;
  r.end = Math.min(r.behind, r.at + MESSAGE_KEPT, r.from + VALUE_KEPT);
  if (r.end > r.to) {
    want(r, r.end);
  }
}

function want(r: Reader, to: number): void {
  if (r.why === '') {
    r.wants = to - r.from;
    r.why = 'more';
  }
}

/** The type `id` is described in the next bytes. */
function define(r: Reader, id: number): void {
  const start = r.at;
  const before = r.shown;
  r.shown = 0;
  const described = value(r, 16, 0) as Values;
  if (r.why === CUT || r.shown > MAX_SHOWN) {
    r.why = 'a type too long to be read';
  }
  r.shown = before;
  if (r.why !== '') {
    return;
  }
  const { gob } = r;
  if (!gob.types.has(id)) {
    gob.defined += r.at - start;
  }
  if (id < FIRST_OWN || gob.types.size >= MAX_TYPES || gob.defined > MAX_DEFINITIONS) {
    r.why = id < FIRST_OWN ? `a type ${id} of its own` : 'too many types';
    return;
  }
  const type = typeFrom(described);
  if (type === null) {
    r.why = 'a type of no kind';
    return;
  }
  gob.types.set(id, type);
}

/** A value at the top or in an interface: what is no struct stands behind a zero. */
function whole(r: Reader, id: number, depth: number): Value {
  if (typeOf(r.gob.types, id)?.kind !== 'struct' && unsigned(r) !== 0) {
    r.why ||= 'a value that is no struct, and no zero before it';
  }
  return value(r, id, depth);
}

function value(r: Reader, id: number, depth: number): Value {
  const type = typeOf(r.gob.types, id);
  if (type === undefined || depth > MAX_DEPTH) {
    r.why ||= type === undefined ? `type ${id} was not defined` : 'values nested too deeply';
  }
  if (type === undefined || r.why !== '') {
    return null;
  }
  r.shown++;
  switch (type.kind) {
    case 'bool':
      return unsigned(r) !== 0;
    case 'int':
      return int(r);
    case 'uint':
      unsigned(r);
      return r.high < 0x200000 ? exact(r) : big(r);
    case 'float':
      return float(r);
    case 'complex': {
      const real = float(r);
      const imaginary = float(r);
      return `(${real}${imaginary < 0 ? '' : '+'}${imaginary}i)`;
    }
    case 'bytes':
      return run(r, octets);
    case 'string':
    case 'text':
      return run(r, text);
    case 'opaque':
      return run(r, type.name === 'Time' ? goTime : octets);
    case 'interface':
      return interfaceValue(r, depth);
    case 'list':
      return list(r, type.elem, depth);
    case 'map':
      return map(r, type.key, type.elem, depth);
    case 'struct':
      return struct(r, type.names, type.ids, depth);
  }
}

function struct(r: Reader, names: readonly string[], ids: readonly number[], depth: number): Values {
  const entries: [string, Value][] = [];
  let field = -1;
  for (;;) {
    const delta = unsigned(r);
    if (delta === 0 || r.why !== '') {
      return Object.fromEntries(entries);
    }
    field += delta;
    if (field >= ids.length) {
      r.why = 'a field that its type does not have';
      return {};
    }
    const one = value(r, ids[field]!, depth + 1);
    if (r.shown <= MAX_SHOWN) {
      entries.push([names[field]!, one]);
    }
  }
}

function list(r: Reader, elem: number, depth: number): Value[] {
  const values: Value[] = [];
  for (let left = unsigned(r); left > 0 && r.why === ''; left--) {
    const one = value(r, elem, depth + 1);
    if (r.shown <= MAX_SHOWN) {
      values.push(one);
    }
  }
  return values;
}

function map(r: Reader, key: number, elem: number, depth: number): Values {
  const entries: [string, Value][] = [];
  for (let left = unsigned(r); left > 0 && r.why === ''; left--) {
    const name = value(r, key, depth + 1);
    const one = value(r, elem, depth + 1);
    if (r.shown <= MAX_SHOWN) {
      entries.push([keyName(name), one]);
    }
  }
  return Object.fromEntries(entries);
}

function keyName(key: Value): string {
  return typeof key === 'object' ? JSON.stringify(key, (_, part) => keyPart(part)) : String(key);
}

function keyPart(part: unknown): unknown {
  return typeof part === 'bigint' ? String(part) : part;
}

/** The name of a concrete type and a value of it; types may be defined in between, and the message may end behind each. */
function interfaceValue(r: Reader, depth: number): Value {
  const name = run(r, text);
  if (name === '' || r.why !== '') {
    return null;
  }
  for (;;) {
    if (r.at === r.end && r.why === '') {
      r.continued++;
      if (r.continued > MAX_CONTINUED || r.end < r.behind || r.end === r.from + VALUE_KEPT) {
        r.why = CUT;
        return null;
      }
      nextMessage(r);
    }
    const id = signed(r);
    if (r.why !== '') {
      return null;
    }
    if (id >= 0) {
      unsigned(r);
      return { type: shortened(String(name), 256), value: whole(r, id, depth + 1) };
    }
    define(r, -id);
    if (r.at < r.end) {
      unsigned(r);
    }
  }
}

/** A length and as many bytes, shown by `show`. */
function run<T extends Value>(r: Reader, show: (bytes: Uint8Array, from: number, to: number) => T): T | '' {
  const length = unsigned(r);
  if (r.why !== '') {
    return '';
  }
  const start = r.at;
  if (length > r.end - start) {
    r.why = length > r.behind - start ? `${length} bytes where ${r.behind - start} are left` : CUT;
    r.at = r.end;
    return r.why === CUT ? show(r.bytes, start, Math.min(r.end, start + MAX_STRING)) : '';
  }
  r.at = start + length;
  return show(r.bytes, start, Math.min(r.at, start + MAX_STRING));
}

/** An unsigned number, as exactly as a double has it; all its bits are in `high` and `low`. */
function unsigned(r: Reader): number {
  r.high = 0;
  r.low = 0;
  if (r.why !== '') {
    return 0;
  }
  const first = r.at < r.end ? r.bytes[r.at]! : 0xff;
  const length = first < 0x80 ? 0 : 256 - first;
  if (r.at + length >= r.end) {
    // A value that is cut ends anywhere; one that is whole ends behind a number.
    r.why = r.end < r.behind ? CUT : 'the message ends inside a value';
    return 0;
  }
  r.at++;
  if (length === 0) {
    r.low = first;
    return first;
  }
  if (length > 8) {
    r.why = 'a number of more than eight bytes';
    return 0;
  }
  for (let i = 0; i < length; i++) {
    r.high = ((r.high << 8) | (r.low >>> 24)) >>> 0;
    r.low = ((r.low << 8) | r.bytes[r.at++]!) >>> 0;
  }
  return exact(r);
}

function exact(r: Reader): number {
  return r.high * 0x100000000 + r.low;
}

function big(r: Reader): bigint {
  return (BigInt(r.high) << 32n) | BigInt(r.low);
}

/** The lowest bit says that the others are to be complemented. */
function int(r: Reader): number | bigint {
  const bits = unsigned(r);
  if (r.high < 0x200000) {
    const half = Math.floor(bits / 2);
    return (r.low & 1) === 1 ? -half - 1 : half;
  }
  const half = big(r) >> 1n;
  const number = (r.low & 1) === 1 ? -half - 1n : half;
  return number >= -(2n ** 53n) && number <= 2n ** 53n ? Number(number) : number;
}

/** A signed number that is a type: one beyond 2^53 is none that was defined. */
function signed(r: Reader): number {
  return Number(int(r));
}

const scratch = new DataView(new ArrayBuffer(8));

/** The bits of a double with its bytes in reverse, so that the zeros at its end are cheap. */
function float(r: Reader): number {
  unsigned(r);
  scratch.setUint32(0, r.low, true);
  scratch.setUint32(4, r.high, true);
  return scratch.getFloat64(0);
}
