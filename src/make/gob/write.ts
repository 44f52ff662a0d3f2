/** Writes what Go's encoding/gob reads: every type is described once, then its values follow. Format: pkg.go.dev/encoding/gob. */
import {
  BASIC_IDS,
  FIRST_ID,
  type GobComplex,
  type GobStruct,
  type GobType,
  type GobValue,
  isBasic,
} from './types.ts';

export interface GobStream {
  /** The bytes of one value, with the descriptions that were not sent yet. A value that is not of its type throws a TypeError. */
  value(type: GobType, value: GobValue): Buffer;
}

export function gobStream(): GobStream {
  const ids = new Map<GobType, number>();
  const described = new Set<GobType>();

  function idOf(type: GobType): number {
    if (isBasic(type)) {
      return BASIC_IDS[type.kind];
    }
    const known = ids.get(type);
    if (known !== undefined) {
      return known;
    }
    // Go numbers a type before the types in it, so that it may contain itself.
    const id = FIRST_ID + ids.size;
    ids.set(type, id);
    for (const inner of partsOf(type)) {
      idOf(inner);
    }
    return id;
  }

  function describe(type: GobType, out: Buffer[]): void {
    if (isBasic(type) || described.has(type)) {
      return;
    }
    described.add(type);
    const id = idOf(type);
    const to = new Bytes();
    to.int(-id);
    definition(to, type, id, idOf);
    out.push(to.message());
    for (const inner of partsOf(type)) {
      describe(inner, out);
    }
  }

  return {
    value(type, value) {
      const out: Buffer[] = [];
      const id = idOf(type);
      describe(type, out);
      const to = new Bytes();
      to.int(id);
      if (type.kind !== 'struct') {
        to.uint(0);
      }
      element(to, type, value);
      out.push(to.message());
      return Buffer.concat(out);
    },
  };
}

function partsOf(type: GobType): GobType[] {
  switch (type.kind) {
    case 'slice':
    case 'array':
      return [type.elem];
    case 'map':
      return [type.key, type.elem];
    case 'struct':
      return type.fields.map((field) => field.type);
    default:
      return [];
  }
}

/** A `wireType` of type.go, field numbers and all: 1 array, 2 slice, 3 struct, 4 map; each begins with its name and number. */
function definition(to: Bytes, type: GobType, id: number, idOf: (type: GobType) => number): void {
  const begin = (field: number) => {
    to.uint(field);
    to.uint(1);
    to.uint(1);
    to.string(nameOf(type));
    to.uint(1);
    to.int(id);
    to.uint(0);
  };
  switch (type.kind) {
    case 'array':
      begin(1);
      to.uint(1);
      to.int(idOf(type.elem));
      if (type.length > 0) {
        to.uint(1);
        to.int(type.length);
      }
      break;
    case 'slice':
      begin(2);
      to.uint(1);
      to.int(idOf(type.elem));
      break;
    case 'map':
      begin(4);
      to.uint(1);
      to.int(idOf(type.key));
      to.uint(1);
      to.int(idOf(type.elem));
      break;
    case 'struct':
      begin(3);
      if (type.fields.length > 0) {
        to.uint(1);
        to.uint(type.fields.length);
        for (const field of type.fields) {
          to.uint(1);
          to.string(field.name);
          to.uint(1);
          to.int(idOf(field.type));
          to.uint(0);
        }
      }
      break;
    default:
  }
  to.uint(0);
  to.uint(0);
}

const GO_NAMES: Readonly<Record<string, string>> = {
  float: 'float64',
  bytes: '[]uint8',
  complex: 'complex128',
};

/** As Go would name it; readers show it in their errors. */
function nameOf(type: GobType): string {
  switch (type.kind) {
    case 'slice':
      return `[]${nameOf(type.elem)}`;
    case 'array':
      return `[${type.length}]${nameOf(type.elem)}`;
    case 'map':
      return `map[${nameOf(type.key)}]${nameOf(type.elem)}`;
    case 'struct':
      return type.name;
    default:
      return GO_NAMES[type.kind] ?? type.kind;
  }
}

/** In a slice or map, or alone, zero is written like any other value. */
function element(to: Bytes, type: GobType, value: GobValue): void {
  switch (type.kind) {
    case 'bool':
      to.uint(wanted(type, value, typeof value === 'boolean') === true ? 1 : 0);
      return;
    case 'int':
      to.int(integer(type, value, -(2n ** 63n), 2n ** 63n));
      return;
    case 'uint':
      to.uint(integer(type, value, 0n, 2n ** 64n));
      return;
    case 'float':
      to.float(wanted(type, value, typeof value === 'number') as number);
      return;
    case 'string':
      to.string(wanted(type, value, typeof value === 'string') as string);
      return;
    case 'bytes':
      to.bytes(wanted(type, value, value instanceof Uint8Array) as Uint8Array);
      return;
    case 'complex': {
      const { real, imaginary } = wanted(type, value, isRecord(value)) as GobComplex;
      to.float(real);
      to.float(imaginary);
      return;
    }
    case 'slice':
    case 'array': {
      const list = wanted(type, value, Array.isArray(value)) as readonly GobValue[];
      wanted(type, value, type.kind === 'slice' || list.length === type.length);
      to.uint(list.length);
      for (const each of list) {
        element(to, type.elem, each);
      }
      return;
    }
    case 'map': {
      const map = wanted(type, value, value instanceof Map) as ReadonlyMap<GobValue, GobValue>;
      to.uint(map.size);
      for (const [key, each] of map) {
        element(to, type.key, key);
        element(to, type.elem, each);
      }
      return;
    }
    case 'struct':
      fields(to, type, wanted(type, value, isRecord(value)) as GobStruct);
  }
}

/** Fields are numbered by their distance from the one before; those with zero in them are left out. */
function fields(to: Bytes, type: GobType & { readonly kind: 'struct' }, value: GobStruct): void {
  let before = -1;
  for (const [at, field] of type.fields.entries()) {
    const each = value[field.name];
    if (each === undefined) {
      throw new TypeError(`gob: ${type.name} has no value for ${field.name}`);
    }
    if (!isZero(field.type, each)) {
      to.uint(at - before);
      element(to, field.type, each);
      before = at;
    }
  }
  to.uint(0);
}

function isZero(type: GobType, value: GobValue): boolean {
  switch (type.kind) {
    case 'bool':
      return value === false;
    case 'int':
    case 'uint':
    case 'float':
      return value === 0 || value === 0n;
    case 'string':
    case 'bytes':
    case 'slice':
      return (value as { length?: number } | null)?.length === 0;
    case 'map':
      return value instanceof Map && value.size === 0;
    case 'complex':
      return isRecord(value) && value.real === 0 && value.imaginary === 0;
    default:
      return value === null;
  }
}

function isRecord(value: GobValue): value is GobStruct {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof Map) &&
    !(value instanceof Uint8Array)
  );
}

function wanted(type: GobType, value: GobValue, fits: boolean): GobValue {
  if (!fits) {
    throw new TypeError(`gob: ${describeValue(value)} is no ${nameOf(type)}`);
  }
  return value;
}

function integer(type: GobType, value: GobValue, least: bigint, above: bigint): number | bigint {
  const fits =
    (typeof value === 'number' && Number.isSafeInteger(value) && value >= least) ||
    (typeof value === 'bigint' && value >= least && value < above);
  return wanted(type, value, fits) as number | bigint;
}

function describeValue(value: GobValue): string {
  return typeof value === 'object' ? Object.prototype.toString.call(value) : String(value);
}

class Bytes {
  readonly #pieces: Buffer[] = [];

  /** Small ones in a byte; others behind a byte that says, negated, how many follow. */
  uint(value: number | bigint): void {
    if (value < 128) {
      this.#pieces.push(Buffer.of(Number(value)));
      return;
    }
    const wide = Buffer.alloc(9);
    wide.writeBigUInt64BE(BigInt(value), 1);
    let from = 1;
    while (wide[from] === 0) {
      from++;
    }
    wide[from - 1] = 256 - (9 - from);
    this.#pieces.push(wide.subarray(from - 1));
  }

  /** The sign is the lowest bit. */
  int(value: number | bigint): void {
    const wide = BigInt(value);
    this.uint(wide < 0n ? (~wide << 1n) | 1n : wide << 1n);
  }

  /** Turned around, because the last bytes of most floats are zero. */
  float(value: number): void {
    const bytes = Buffer.alloc(8);
    bytes.writeDoubleLE(value);
    this.uint(bytes.readBigUInt64BE());
  }

  string(text: string): void {
    this.bytes(Buffer.from(text, 'utf8'));
  }

  bytes(bytes: Uint8Array): void {
    this.uint(bytes.length);
    this.#pieces.push(Buffer.from(bytes));
  }

  /** What was written, behind its length. */
  message(): Buffer {
    const body = Buffer.concat(this.#pieces);
    const length = new Bytes();
    length.uint(body.length);
    return Buffer.concat([...length.#pieces, body]);
  }
}
