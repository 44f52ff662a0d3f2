/** How much memory an event takes, about: V8 without pointer compression, as Node is built. bench/results/timeline.txt has it beside what is measured. */
import type { Event, Value, Values } from './events.ts';

const WORD = 8;
/** Map, properties, elements; and a number that is no small integer is an object of its own. */
const OBJECT = 3 * WORD;
/** An object that was put together from others has its fields elsewhere, and room for more. */
const PUT_TOGETHER = 3 * WORD;
const NUMBER = 2 * WORD;
const STRING = 3 * WORD;
const COOKIE = STRING + 16;
const TIMER = OBJECT + 3 * WORD;
/** Array object and its elements' header. */
const ARRAY = 6 * WORD;
/** Some sixty numbers, a few of them large, and a list of options. */
const TCP_INFO = OBJECT + 60 * WORD + 8 * NUMBER + ARRAY;
/** A Uint8Array and its ArrayBuffer are 184 bytes, what stands behind them outside of the heap is as much again (measured on Node 20). */
const BYTES_OBJECT = 50 * WORD;

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
  return REFERENCES + OBJECT + PUT_TOGETHER + FIELDS[event.type] * WORD + NUMBER + contents(event);
}

function contents(event: Event): number {
  switch (event.type) {
    case 'syscall':
      return NUMBER + valueBytes(event.args);
    case 'packet':
      return 2 * NUMBER + ARRAY + (event.frame === undefined ? 0 : BYTES_OBJECT + event.frame.length);
    case 'state':
      return COOKIE;
    case 'info':
      return COOKIE + (event.tcp === undefined ? 0 : TCP_INFO) + (event.timer === undefined ? 0 : TIMER);
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
function valueBytes(value: Value): number {
  switch (typeof value) {
    case 'string':
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

function objectBytes(value: readonly Value[] | Values): number {
  const own: readonly Value[] = Array.isArray(value) ? value : Object.values(value);
  let bytes = Array.isArray(value) ? ARRAY : OBJECT;
  for (const one of own) {
    bytes += WORD + valueBytes(one);
  }
  return bytes;
}
