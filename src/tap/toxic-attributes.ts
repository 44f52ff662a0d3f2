/** A toxic's attributes ↔ a fault's: names, units, defaults, and a sentence for what cannot be. */
import { badBody, type Refusal } from './api/errors.ts';
import { type Fields, field } from './api/fields.ts';
import type { Attribute, Attributes } from './fault.ts';
import type { ToxicType, TwinAttribute } from './toxic-types.ts';

type Value = number | string | boolean;

/** Characters of a wrong name that are said back. */
const SHOWN = 80;

/** `before`: what holds for attributes that are not named; without it, their defaults do. */
export function readAttributes(
  given: Fields,
  type: ToxicType,
  before: Attributes | null,
): Attributes | Refusal {
  const unknown = Object.keys(given).find((key) => !isKnown(key, type));
  if (unknown !== undefined) {
    const known = [...type.twins.map(({ theirs }) => theirs), ...type.own.map(({ name }) => name)];
    const has = known.length === 0 ? 'has no attributes' : `has: ${known.join(', ')}`;
    return badBody(
      `a toxic of type ${type.name} has no attribute ${JSON.stringify(unknown.slice(0, SHOWN))}; it ${has}`,
    );
  }
  const read: Record<string, Value> = {};
  for (const twin of type.twins) {
    const value = readTwin(field(given, twin.theirs), twin);
    if (typeof value === 'object') {
      return value;
    }
    // Toxiproxy's own defaults: every attribute is 0 unless it was sent.
    read[twin.ours] = value ?? before?.[twin.ours] ?? 0;
  }
  for (const attribute of type.own) {
    const value = readOwn(field(given, attribute.name), attribute);
    if (typeof value === 'object') {
      return value;
    }
    const holds = value ?? before?.[attribute.name] ?? attribute.otherwise;
    if (holds !== undefined) {
      read[attribute.name] = holds;
    } else {
      return badBody(
        `a toxic of type ${type.name} needs the attribute ${attribute.name}: ${attribute.about}`,
      );
    }
  }
  return read;
}

/**
 * A twin answers Toxiproxy's attributes and, of ours, only those that are not at their defaults: a client that compares what
 * it gets with what it sent finds nothing else.
 */
export function writeAttributes(attributes: Attributes, type: ToxicType): Record<string, Value> {
  const written: Record<string, Value> = {};
  for (const { theirs, ours, times } of type.twins) {
    written[theirs] = Number(attributes[ours] ?? 0) / times;
  }
  for (const { name, otherwise } of type.own) {
    const value = attributes[name] ?? otherwise;
    if (value !== undefined && (type.twins.length === 0 || value !== otherwise)) {
      written[name] = value;
    }
  }
  return written;
}

function isKnown(key: string, type: ToxicType): boolean {
  const same = (name: string) => name.toLowerCase() === key.toLowerCase();
  return type.twins.some(({ theirs }) => same(theirs)) || type.own.some(({ name }) => same(name));
}

function readTwin(value: unknown, { theirs, times, kind }: TwinAttribute): number | undefined | Refusal {
  if (value === undefined) {
    return undefined;
  }
  if (kind === 'share') {
    return isShare(value) ? value : badBody(`${theirs} must be a number from 0 to 1`);
  }
  return isWhole(value) ? value * times : badBody(`${theirs} must be a whole number of at least 0`);
}

function readOwn(value: unknown, { name, kind, words }: Attribute): Value | undefined | Refusal {
  if (value === undefined) {
    return undefined;
  }
  switch (kind) {
    case 'duration':
    case 'rate':
      return typeof value === 'number' && value >= 0
        ? value
        : badBody(`${name} must be a number of at least 0`);
    case 'size':
    case 'count':
      return isWhole(value) ? value : badBody(`${name} must be a whole number of at least 0`);
    case 'share':
      return isShare(value) ? value : badBody(`${name} must be a number from 0 to 1`);
    case 'yes':
      return typeof value === 'boolean' ? value : badBody(`${name} must be true or false`);
    case 'word':
      return typeof value === 'string' && (words === undefined || words.includes(value))
        ? value
        : badBody(`${name} must be ${words === undefined ? 'a string' : `one of ${words.join(', ')}`}`);
  }
}

function isWhole(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isShare(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value <= 1;
}
