import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readGob } from './read.ts';
import {
  BOOL,
  BYTES,
  COMPLEX,
  FLOAT,
  type GobType,
  type GobValue,
  INT,
  mapOf,
  STRING,
  sliceOf,
  struct,
  UINT,
} from './types.ts';
import { gobStream } from './write.ts';

interface Pair {
  readonly type: GobType;
  readonly value: fc.Arbitrary<GobValue>;
}

/** Without -0, which Go leaves out of a struct as it does 0. */
const float = fc.double().map((value) => value + 0);

const basics: readonly Pair[] = [
  { type: BOOL, value: fc.boolean() },
  { type: INT, value: fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n).map(narrow) },
  { type: UINT, value: fc.bigInt(0n, 2n ** 64n - 1n).map(narrow) },
  { type: FLOAT, value: float },
  { type: STRING, value: fc.string({ unit: 'grapheme' }) },
  { type: BYTES, value: fc.uint8Array({ maxLength: 300 }) },
  { type: COMPLEX, value: fc.record({ real: float, imaginary: float }) },
];

function narrow(value: bigint): GobValue {
  return Number.isSafeInteger(Number(value)) ? Number(value) : value;
}

/** A type and the values it can have, so many levels deep. */
function pairs(depth: number): fc.Arbitrary<Pair> {
  const basic = fc.constantFrom(...basics);
  if (depth === 0) {
    return basic;
  }
  const inner = pairs(depth - 1);
  return fc.oneof(
    basic,
    inner.map(({ type, value }) => ({ type: sliceOf(type), value: fc.array(value, { maxLength: 4 }) })),
    inner.map(({ type, value }) => ({
      type: { kind: 'array' as const, elem: type, length: 2 },
      value: fc.tuple(value, value),
    })),
    inner.map(({ type, value }) => ({
      type: mapOf(STRING, type),
      value: fc.array(fc.tuple(fc.string(), value), { maxLength: 3 }).map((list) => new Map(list)),
    })),
    fc.array(inner, { maxLength: 4 }).map((list) => ({
      type: struct('T', Object.fromEntries(list.map(({ type }, at) => [`F${at}`, type]))),
      value: fc
        .tuple(...list.map(({ value }) => value))
        .map((values) => Object.fromEntries(values.map((value, at) => [`F${at}`, value]))),
    })),
  ) as fc.Arbitrary<Pair>;
}

const withValue = pairs(3).chain(({ type, value }) => value.map((one) => ({ type, value: one })));

describe('gob', () => {
  test('what is written is read as it was', () => {
    fc.assert(
      fc.property(withValue, ({ type, value }) => {
        const stream = gobStream();
        // The second time the types are known already.
        const bytes = Buffer.concat([stream.value(type, value), stream.value(type, value)]);
        const read = readGob(bytes);
        expect(read).toEqual([value, value]);
      }),
      { numRuns: 200 },
    );
  });

  test('numbers are written as the package says', () => {
    const stream = gobStream();
    // A message of 3 bytes: type 2 (int) as 4, the zero, and the value.
    expect(stream.value(INT, 0)).toEqual(Buffer.from('03040000', 'hex'));
    expect(stream.value(INT, -129)).toEqual(Buffer.from('050400fe0101', 'hex'));
    expect(stream.value(UINT, 256)).toEqual(Buffer.from('050600fe0100', 'hex'));
    expect(stream.value(FLOAT, 17)).toEqual(Buffer.from('050800fe3140', 'hex'));
    expect(stream.value(STRING, 'hi')).toEqual(Buffer.from('050c00026869', 'hex'));
  });

  test('fields with zero in them are left out, and come back', () => {
    const type = struct('P', { X: INT, Y: INT, Name: STRING });
    const stream = gobStream();
    const full = stream.value(type, { X: 1, Y: 2, Name: 'n' });
    const empty = stream.value(type, { X: 0, Y: 0, Name: '' });
    expect(empty).toHaveLength(4);
    expect(readGob(Buffer.concat([full, empty]))).toEqual([
      { X: 1, Y: 2, Name: 'n' },
      { X: 0, Y: 0, Name: '' },
    ]);
  });

  test('a value that is not of its type is refused before it is sent', () => {
    const stream = gobStream();
    expect(() => stream.value(INT, 'one')).toThrow('one is no int');
    expect(() => stream.value(UINT, -1)).toThrow('-1 is no uint');
    expect(() => stream.value(INT, 0.5)).toThrow('0.5 is no int');
    expect(() => stream.value(struct('P', { X: INT }), {})).toThrow('P has no value for X');
  });

  test('what is no gob is told, whatever it is', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        readGob(bytes);
      }),
      { numRuns: 500 },
    );
    fc.assert(
      fc.property(withValue, fc.nat(), fc.nat(255), ({ type, value }, at, byte) => {
        const bytes = gobStream().value(type, value);
        bytes[at % bytes.length] = byte;
        readGob(bytes);
        readGob(bytes.subarray(0, at % bytes.length));
      }),
      { numRuns: 300 },
    );
  });

  test('few bytes that mean many values are refused', () => {
    const wide = struct('W', Object.fromEntries(Array.from({ length: 2000 }, (_, at) => [`F${at}`, INT])));
    const one = Object.fromEntries(Array.from({ length: 2000 }, (_, at) => [`F${at}`, 0]));
    const bytes = gobStream().value(
      sliceOf(wide),
      Array.from({ length: 2000 }, () => one),
    );
    expect(readGob(bytes)).toMatch(/more values/);
  });

  test('a type may contain itself, until it is a trick', () => {
    const fields: { name: string; type: GobType }[] = [];
    const node: GobType = { kind: 'struct', name: 'Node', fields };
    fields.push({ name: 'Next', type: node });
    let list: GobValue = { Next: null };
    for (let at = 0; at < 50; at++) {
      list = { Next: list };
    }
    expect(readGob(gobStream().value(node, list))).toEqual([list]);
    for (let at = 0; at < 100; at++) {
      list = { Next: list };
    }
    expect(readGob(gobStream().value(node, list))).toMatch(/too deep/);
  });
});
