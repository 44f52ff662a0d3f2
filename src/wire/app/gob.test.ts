import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Value } from '../value.ts';
import { type Gob, type Item, newGob, readItem } from './gob.ts';

// Facts from the description of the format: the worked example of Point{22, 33}, and some numbers.
const POINT = '1fff81030101 05506f696e7401ff8200010201015801040001015901040000 00';
const VALUE = '07ff82012c014200';

function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(hex.replaceAll(' ', '').match(/../g) ?? [], (two) => Number.parseInt(two, 16));
}

function read(bytes: Uint8Array | number[], gob: Gob = newGob()): Item {
  const lent = Uint8Array.from([1, ...bytes, 1]);
  return readItem(gob, lent, 1, lent.length - 1);
}

// An encoder of the few things the tests need.
function unsigned(value: bigint): number[] {
  if (value < 128n) {
    return [Number(value)];
  }
  const digits = value.toString(16);
  const bytes = [...bytesOf(digits.length % 2 === 1 ? `0${digits}` : digits)];
  return [256 - bytes.length, ...bytes];
}

function signed(value: bigint): number[] {
  return unsigned(value < 0n ? (-value - 1n) * 2n + 1n : value * 2n);
}

function string(value: string): number[] {
  const bytes = [...new TextEncoder().encode(value)];
  return [...unsigned(BigInt(bytes.length)), ...bytes];
}

function message(...parts: number[][]): number[] {
  const bytes = parts.flat();
  return [...unsigned(BigInt(bytes.length)), ...bytes];
}

/** The type `id`: a list (field 1 of the type of types) of `elem`. */
function listType(id: bigint, elem: bigint): number[] {
  return message(signed(-id), [2, 1, 2], signed(id), [0, 1], signed(elem), [0, 0]);
}

function structType(id: bigint, names: Record<string, bigint>): number[] {
  const fields = Object.entries(names).flatMap(([name, type]) => [1, ...string(name), 1, ...signed(type), 0]);
  const count = unsigned(BigInt(Object.keys(names).length));
  return message(signed(-id), [3, 1, 1], string('T'), [1], signed(id), [0, 1], count, fields, [0, 0]);
}

function value(bytes: number[], gob?: Gob): Value | string {
  const item = read(bytes, gob);
  expect(item.is).toBe('value');
  return item.is === 'value' ? item.value : '';
}

describe('values', () => {
  it('have the type that was defined before them', () => {
    const gob = newGob();
    expect(read(bytesOf(POINT), gob)).toEqual({ is: 'type', taken: 32 });
    const both = { is: 'value', taken: 8, type: 'Point', value: { X: 22, Y: 33 }, warning: '' };
    expect(read(bytesOf(VALUE), gob)).toEqual(both);
    expect(read(bytesOf(VALUE + VALUE), gob)).toEqual(both);
  });

  it.each<[string, string, Value]>([
    ['a small number', '03040006', 3],
    ['a negative number', '050400fe0101', -129],
    ['an unsigned number', '050600fe0100', 256],
    ['a float', '050800fe3140', 17],
    ['no float', '03080000', 0],
    ['a truth', '03020001', true],
    ['a complex number', '080e00fe0840fef0bf', '(3-1i)'],
    ['a string', '060c000368c3bc', 'hü'],
    ['bytes that are text', '050a00026162', 'ab'],
    ['bytes that are none', '050a000200ff', '0x00ff'],
    ['no interface', '03100000', null],
  ])('may be %s', (_, hex, expected) => {
    expect(value([...bytesOf(hex)])).toEqual(expected);
  });

  it('are exact numbers of 64 bits', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (number) => {
        expect(BigInt(value(message([4, 0], signed(number))) as bigint)).toBe(number);
      }),
    );
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (number) => {
        expect(BigInt(value(message([6, 0], unsigned(number))) as bigint)).toBe(number);
      }),
    );
    expect(value(message([4, 0], signed(2n ** 53n + 1n)))).toBe(2n ** 53n + 1n);
    expect(value(message([4, 0], signed(-5n)))).toBe(-5);
  });

  it('are any doubles', () => {
    fc.assert(
      fc.property(fc.double(), (number) => {
        const view = new DataView(new ArrayBuffer(8));
        view.setFloat64(0, number, true);
        const bytes = unsigned(view.getBigUint64(0));
        expect(value(message([8, 0], bytes))).toBe(number);
      }),
    );
  });

  it('may be strings of any length that is kept', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (text) => {
        expect(value(message([12, 0], string(text)))).toBe(text);
      }),
    );
  });

  it('in an interface bring their types along, and go on in the next message', () => {
    const gob = newGob();
    read(structType(65n, { Before: 6n, Any: 8n, After: 6n }), gob);
    // The message ends behind a type (-66), and the next one begins with what its type is.
    const inner = structType(66n, { N: 2n }).slice(1);
    const first = message(signed(65n), [1], string('a'), [1], string('main.N'), inner);
    const second = message(signed(66n), [3, 1, 14, 0], [1], string('z'), [0]);
    const shown = { Before: 'a', Any: { type: 'main.N', value: { N: 7 } }, After: 'z' };
    expect(read(first, gob)).toMatchObject({ is: 'need', bytes: first.length + 1 });
    expect(read([...first, ...second.slice(0, -1)], gob)).toEqual({
      is: 'need',
      bytes: first.length + second.length,
    });
    expect(read([...first, ...second], gob)).toMatchObject({
      taken: first.length + second.length,
      value: shown,
    });
    // The next time it is known.
    const again = message(signed(65n), [2], string('main.N'), signed(66n), [2, 1, 8], [0], [0]);
    expect(value(again, gob)).toEqual({ Any: { type: 'main.N', value: { N: 4 } } });
  });

  it('longer than what is kept show their beginning', () => {
    const gob = newGob();
    read(listType(70n, 6n), gob);
    const long = message(signed(70n), [0], unsigned(200n), ...new Array(200).fill(string('x'.repeat(1000))));
    const item = read(long.slice(0, 66_000), gob);
    expect(item).toMatchObject({ taken: long.length, warning: 'the value is too long to be read' });
    expect(item.is === 'value' && (item.value as Value[]).length).toBe(66);
    expect(read(long.slice(0, 60_000), gob)).toMatchObject({ is: 'need' });
  });

  it('of very many parts are counted, but not all shown', () => {
    const gob = newGob();
    read(listType(70n, 2n), gob);
    const shown = value(message(signed(70n), [0], unsigned(20_000n), new Array(20_000).fill(2)), gob);
    expect((shown as Value[]).length).toBe(4095);
  });

  it('may be keyed by __proto__, which is a name like any other', () => {
    const gob = newGob();
    read(structType(65n, { ['__proto__']: 2n }), gob);
    const shown = value(message(signed(65n), [1, 8, 0]), gob) as object;
    expect(Object.getPrototypeOf(shown)).toBe(Object.prototype);
    expect(Object.entries(shown)).toEqual([['__proto__', 4]]);
  });
});

describe('hostile gobs', () => {
  it.each([
    ['00', 'a message of 0 bytes'],
    ['fc7fffffff', 'a message of 2147483647 bytes'],
    ['80', 'no message length'],
    ['020400', 'the message ends inside a value'],
    ['03040106', 'a value that is no struct, and no zero before it'],
    ['0404000606', 'bytes behind a value'],
    ['040c000561', '5 bytes where 1 are left'],
    ['130400f0 01010101010101010101010101010101', 'a number of more than eight bytes'],
    ['0209 00', 'a type 5 of its own'],
    ['03ff8100', 'a type of no kind'],
  ])('%s are refused: %s', (hex, why) => {
    expect(read(bytesOf(hex))).toEqual({ is: 'wrong', why });
  });

  it('of an unknown type are passed by, with a warning', () => {
    expect(read(bytesOf('04ff840102'))).toMatchObject({ value: null, warning: /66, which was not defined/ });
  });

  it('nested without end are refused', () => {
    const gob = newGob();
    read(listType(70n, 70n), gob);
    expect(read(message(signed(70n), [0], new Array(200).fill(1)), gob)).toEqual({
      is: 'wrong',
      why: 'values nested too deeply',
    });
  });

  it('may define only so many types', () => {
    const gob = newGob();
    let last: Item | null = null;
    for (let id = 64n; id < 5000n; id++) {
      last = read(listType(id, 2n), gob);
    }
    expect(last).toEqual({ is: 'wrong', why: 'too many types' });
    expect(gob.types.size).toBe(4096);
  });

  it('never throw, reach beyond their bytes, or ask for too much', () => {
    const own = newGob();
    read(structType(65n, { A: 8n, B: 66n, C: 65n }), own);
    read(listType(66n, 8n), own);
    const known = [...message(signed(65n), [1], string('x'), signed(65n), [9])];
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 80 }),
      fc.uint8Array({ maxLength: 40 }).map((tail) => Uint8Array.from([...known.slice(0, -1), ...tail])),
      fc.uint8Array({ maxLength: 60 }).map((tail) => Uint8Array.from(message(signed(65n), [...tail]))),
    );
    fc.assert(
      fc.property(bytes, (wild) => {
        const item = read(wild, { types: new Map(own.types), defined: 0 });
        if (item.is === 'need') {
          expect(item.bytes).toBeGreaterThan(wild.length);
          expect(item.bytes).toBeLessThanOrEqual(256 * 1024);
        } else if (item.is === 'value' || item.is === 'type') {
          expect(item.taken).toBeGreaterThan(0);
        }
      }),
      { numRuns: 1000 },
    );
  });
});
