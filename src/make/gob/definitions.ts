/** The descriptions of types in a gob stream: `wireType` and what it consists of, in encoding/gob's type.go. */
import type { GobCursor } from './cursor.ts';
import { FIRST_ID } from './types.ts';

export type WireType =
  | { readonly kind: 'array'; readonly elem: number; readonly length: number }
  | { readonly kind: 'slice'; readonly elem: number }
  | { readonly kind: 'map'; readonly key: number; readonly elem: number }
  | { readonly kind: 'struct'; readonly fields: readonly { readonly name: string; readonly id: number }[] }
  /** A type that writes itself (time.Time does): only it knows what its bytes mean. */
  | { readonly kind: 'opaque' };

export type WireTypes = Map<number, WireType>;

const MOST_FIELDS = 10_000;

export function readDefinition(from: GobCursor, id: number, types: WireTypes): void {
  if (id < FIRST_ID - 1 || types.has(id)) {
    throw from.fault(`type ${id} is described twice`);
  }
  let found: WireType | null = null;
  eachField(from, (which) => {
    if (found !== null) {
      throw from.fault('a type that is two');
    }
    found = oneKind(from, which);
  });
  if (found === null) {
    throw from.fault('a type without a kind');
  }
  types.set(id, found);
}

function oneKind(from: GobCursor, which: number): WireType {
  switch (which) {
    case 0: {
      const [elem, length] = idsOf(from);
      return { kind: 'array', elem: elem!, length: length! };
    }
    case 1:
      return { kind: 'slice', elem: idsOf(from)[0]! };
    case 2:
      return { kind: 'struct', fields: structFields(from) };
    case 3: {
      const [key, elem] = idsOf(from);
      return { kind: 'map', key: key!, elem: elem! };
    }
    case 4:
    case 5:
    case 6:
      idsOf(from);
      return { kind: 'opaque' };
    default:
      throw from.fault(`a type of kind ${which}`);
  }
}

/** The two numbers behind the name; what was left out is zero. */
function idsOf(from: GobCursor): number[] {
  const ids = [0, 0];
  eachField(from, (which) => {
    if (which === 0) {
      commonType(from);
    } else if (which <= 2) {
      ids[which - 1] = Number(from.int());
    } else {
      throw from.fault(`field ${which} of a type`);
    }
  });
  return ids;
}

function structFields(from: GobCursor): { name: string; id: number }[] {
  const fields: { name: string; id: number }[] = [];
  eachField(from, (which) => {
    if (which === 0) {
      commonType(from);
      return;
    }
    const count = which === 1 ? from.count() : -1;
    if (count < 0 || count > MOST_FIELDS) {
      throw from.fault('a struct that is none');
    }
    for (let at = 0; at < count; at++) {
      fields.push(oneField(from));
    }
  });
  return fields;
}

function oneField(from: GobCursor): { name: string; id: number } {
  let name = '';
  let id = 0;
  eachField(from, (which) => {
    if (which === 0) {
      name = from.string();
    } else if (which === 1) {
      id = Number(from.int());
    } else {
      throw from.fault('a field that is none');
    }
  });
  return { name, id };
}

/** Its name and its number, both of which are known or of no use. */
function commonType(from: GobCursor): void {
  eachField(from, (which) => {
    if (which === 0) {
      from.string();
    } else if (which === 1) {
      from.int();
    } else {
      throw from.fault('a type that is none');
    }
  });
}

/** Calls `read` with the number of each field that is there, beginning with 0. */
function eachField(from: GobCursor, read: (which: number) => void): void {
  let at = -1;
  for (let step = from.uint(); step !== 0; step = from.uint()) {
    at += Number(step);
    read(at);
  }
}
