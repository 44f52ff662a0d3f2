/** How much memory an event takes, about: V8 without pointer compression, as Node is built. bench/results/timeline.txt has it beside what is measured. */
import type { Event, Value } from './events.ts';

const WORD = 8;
/** Map, properties, elements; and a number that is no small integer is an object of its own. */
const OBJECT = 3 * WORD;
const NUMBER = 2 * WORD;
const STRING = 3 * WORD;
/** Array object and its elements' header. */
const ARRAY = 6 * WORD;
/** A Uint8Array, its ArrayBuffer and what stands behind it outside of the heap. */
const BYTES_OBJECT = 27 * WORD;

/** A reference in the list of all, one in its connection's. */
const REFERENCES = 2 * WORD + 2;

/** What a connection costs on its own: a list, its first piece, a place in the map, its name. */
export const CONNECTION_BYTES = 320;

const FIELDS: Readonly<Record<Event['type'], number>> = {
  syscall: 14,
  state: 9,
  info: 10,
  packet: 16,
  fate: 7,
  message: 10,
  fault: 6,
  step: 3,
  gauge: 5,
  lost: 6,
};

export function bytesOf(event: Event): number {
  return REFERENCES + OBJECT + FIELDS[event.type] * WORD + NUMBER + contents(event);
}

function contents(event: Event): number {
  switch (event.type) {
    case 'syscall':
      return NUMBER + valueBytes(event.args);
    case 'packet':
      return 2 * NUMBER + ARRAY + (event.frame === undefined ? 0 : BYTES_OBJECT + event.frame.length);
    case 'info':
      return (event.tcp === undefined ? 0 : valueBytes(event.tcp as object)) + (event.timer ? OBJECT * 3 : 0);
    case 'message':
      return 2 * NUMBER + STRING + event.summary.length + valueBytes(event.fields);
    case 'fault':
      return STRING + event.what.length;
    case 'step':
      return STRING + event.text.length;
    default:
      return 0;
  }
}

/** Field names are shared by all objects of a shape and cost nothing more. */
function valueBytes(value: Value | object | undefined): number {
  switch (typeof value) {
    case 'string':
      // Doubled for what is not Latin-1; the common case is.
      return STRING + value.length;
    case 'number':
      return Number.isInteger(value) && Math.abs(value) < 2 ** 31 ? 0 : NUMBER;
    case 'bigint':
      return 3 * WORD;
    case 'object':
      return value === null ? 0 : objectBytes(value);
    default:
      return 0;
  }
}

function objectBytes(value: object): number {
  const own: readonly (Value | object)[] = Array.isArray(value) ? value : Object.values(value);
  let bytes = Array.isArray(value) ? ARRAY : OBJECT;
  for (const one of own) {
    bytes += WORD + valueBytes(one);
  }
  return bytes;
}
