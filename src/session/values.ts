/** Free-form values in JSON: what a system call was given, what a message held. */
import type { Value, Values } from './events.ts';
import {
  bigDecimal,
  describe,
  isRecord,
  type Json,
  number,
  type Refusal,
  refuse,
  type Shape,
  within,
} from './shape.ts';

/** Deeper nesting than this is refused: nothing we write needs it, and reading recurses. */
export const MAX_DEPTH = 64;

/**
 * Free-form values. A bigint is `{"$bigint":"123"}`. A key that begins with `$`, and the key `__proto__`, get a `$` in
 * front, so that no key from the network is mistaken for ours and none reaches an object's prototype.
 */
export const value: Shape<Value> = {
  required: true,
  read: (json, refusal) => readValue(json, refusal, 0),
  write: writeValue,
};

export const values: Shape<Values> = {
  required: true,
  read: (json, refusal) =>
    isRecord(json)
      ? readValues(json, refusal, 0)
      : refuse(refusal, `expected an object, got ${describe(json)}`),
  write: writeValues,
};

function writeValue(item: Value): Json {
  if (typeof item === 'bigint') {
    return { $bigint: String(item) };
  }
  if (typeof item !== 'object' || item === null) {
    return item;
  }
  return isList(item) ? item.map(writeValue) : writeValues(item);
}

function isList(item: object): item is readonly Value[] {
  return Array.isArray(item);
}

function writeValues(item: Values): Json {
  // fromEntries defines own properties, where an assignment to __proto__ would set the prototype.
  return Object.fromEntries(
    Object.entries(item).map(([key, inner]) => [
      key.startsWith('$') || key === '__proto__' ? `$${key}` : key,
      writeValue(inner),
    ]),
  );
}

function readValue(json: unknown, refusal: Refusal, depth: number): Value | undefined {
  if (json === null || typeof json === 'boolean' || typeof json === 'string') {
    return json;
  }
  if (typeof json === 'number') {
    return number.read(json, refusal);
  }
  if (depth >= MAX_DEPTH) {
    return refuse(refusal, `nested deeper than ${MAX_DEPTH} levels`);
  }
  if (Array.isArray(json)) {
    const items: Value[] = [];
    for (const [index, entry] of json.entries()) {
      const item = within(index, readValue(entry, refusal, depth + 1), refusal);
      if (item === undefined) {
        return undefined;
      }
      items.push(item);
    }
    return items;
  }
  if (!isRecord(json)) {
    return refuse(refusal, `expected a JSON value, got ${typeof json}`);
  }
  if (Object.hasOwn(json, '$bigint')) {
    return within('$bigint', bigDecimal.read(json.$bigint, refusal), refusal);
  }
  return readValues(json, refusal, depth + 1);
}

function readValues(json: Record<string, unknown>, refusal: Refusal, depth: number): Values | undefined {
  const entries: [string, Value][] = [];
  for (const [key, entry] of Object.entries(json)) {
    const escaped = key.startsWith('$$') || key === '$__proto__';
    if (key === '__proto__' || (key.startsWith('$') && !escaped)) {
      return within(key, refuse(refusal, 'a key we never write; it would be $ and the key'), refusal);
    }
    const item = within(key, readValue(entry, refusal, depth), refusal);
    if (item === undefined) {
      return undefined;
    }
    entries.push([escaped ? key.slice(1) : key, item]);
  }
  return Object.fromEntries(entries);
}
