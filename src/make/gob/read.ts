/** Reads a gob stream as Go's encoding/gob writes it. What is no gob is answered with a sentence, never an exception. */
import { GobCursor, GobFault } from './cursor.ts';
import { readDefinition, type WireTypes } from './definitions.ts';
import type { GobStruct, GobValue } from './types.ts';

/** A value inside a value inside a value: more than this is a trick. */
const DEEPEST = 100;
const INTERFACE = 8;

/** All values of a whole stream, or why it is none. */
export function readGob(bytes: Uint8Array): readonly GobValue[] | string {
  const from = new GobCursor(bytes);
  const types: WireTypes = new Map();
  const values: GobValue[] = [];
  try {
    while (from.left > 0) {
      const message = from.part(from.count());
      const id = message.int();
      if (id < 0) {
        readDefinition(message, -Number(id), types);
      } else {
        values.push(topValue(message, Number(id), types));
      }
      message.finished();
    }
    return values;
  } catch (error) {
    if (error instanceof GobFault) {
      return `${error.message} at byte ${error.at}`;
    }
    throw error;
  }
}

function topValue(from: GobCursor, id: number, types: WireTypes): GobValue {
  if (types.get(id)?.kind !== 'struct' && from.uint() !== 0) {
    throw from.fault('a value that is no struct has a zero before it');
  }
  return value(from, id, types, 0);
}

function value(from: GobCursor, id: number, types: WireTypes, depth: number): GobValue {
  from.spend(1);
  if (depth > DEEPEST) {
    throw from.fault('too deep');
  }
  switch (id) {
    case 1:
      return from.uint() !== 0;
    case 2:
      return from.int();
    case 3:
      return from.uint();
    case 4:
      return from.float();
    case 5:
      return from.bytes();
    case 6:
      return from.string();
    case 7:
      return { real: from.float(), imaginary: from.float() };
    case INTERFACE:
      throw from.fault('interface values are not read here');
    default:
  }
  const type = types.get(id);
  switch (type?.kind) {
    case undefined:
      throw from.fault(`type ${id} was never described`);
    case 'opaque':
      return from.bytes();
    case 'array':
    case 'slice': {
      const count = from.count();
      if (type.kind === 'array' && count !== type.length) {
        throw from.fault(`an array of ${type.length} with ${count} elements`);
      }
      const list: GobValue[] = [];
      for (let at = 0; at < count; at++) {
        list.push(value(from, type.elem, types, depth + 1));
      }
      return list;
    }
    case 'map': {
      const map = new Map<GobValue, GobValue>();
      for (let count = from.count(); count > 0; count--) {
        const key = value(from, type.key, types, depth + 1);
        map.set(key, value(from, type.elem, types, depth + 1));
      }
      return map;
    }
    case 'struct':
      return fieldsOf(from, type.fields, types, depth);
  }
}

function fieldsOf(
  from: GobCursor,
  fields: readonly { readonly name: string; readonly id: number }[],
  types: WireTypes,
  depth: number,
): GobStruct {
  // A description of many fields costs little to send and much to fill in, for every value again.
  from.spend(fields.length);
  const record: Record<string, GobValue> = Object.create(null);
  let before = -1;
  for (;;) {
    const step = from.uint();
    if (step === 0) {
      break;
    }
    const at = before + Number(step);
    const field = fields[at];
    if (field === undefined) {
      throw from.fault(`field ${at} of a struct of ${fields.length}`);
    }
    for (let skipped = before + 1; skipped < at; skipped++) {
      record[fields[skipped]!.name] = zero(fields[skipped]!.id, types);
    }
    record[field.name] = value(from, field.id, types, depth + 1);
    before = at;
  }
  for (const { name, id } of fields.slice(before + 1)) {
    record[name] = zero(id, types);
  }
  return record;
}

/** What was left out is zero. Structs and arrays are never left out, unless they are behind a nil pointer. */
function zero(id: number, types: WireTypes): GobValue {
  switch (id) {
    case 1:
      return false;
    case 2:
    case 3:
    case 4:
      return 0;
    case 5:
      return new Uint8Array(0);
    case 6:
      return '';
    case 7:
      return { real: 0, imaginary: 0 };
    default:
  }
  switch (types.get(id)?.kind) {
    case 'slice':
      return [];
    case 'map':
      return new Map();
    case 'opaque':
      return new Uint8Array(0);
    default:
      return null;
  }
}
