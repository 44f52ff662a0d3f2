import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromBytes, refusal, run } from '../../test/fixtures/bpf-machine.ts';
import { compileFilter } from './filter.ts';
import { loadProgram, runFilter } from './filter-run.ts';

type Line = readonly [code: number, k: number, jt?: number, jf?: number];

function bytesOf(lines: readonly Line[]): Uint8Array {
  const program = new Uint8Array(8 * lines.length);
  const view = new DataView(program.buffer);
  for (const [i, [code, k, jt = 0, jf = 0]] of lines.entries()) {
    view.setUint16(8 * i, code, true);
    program[8 * i + 2] = jt;
    program[8 * i + 3] = jf;
    view.setUint32(8 * i + 4, k, true);
  }
  return program;
}

const packet = Uint8Array.from([0x45, 1, 2, 3, 0xff, 0xfe, 0xfd, 0xfc]);
const takes = (...lines: Line[]): boolean =>
  runFilter(loadProgram(bytesOf(lines)), packet, 0, packet.length, 100);

describe('a program run on a frame', () => {
  it('sees only the frame within a larger buffer', () => {
    const { program } = compileFilter('link[0] = 7 and link[1] = 8', { linkType: 1 }) as {
      program: Uint8Array;
    };
    const loaded = loadProgram(program);
    const buffer = Uint8Array.from([1, 7, 8, 9]);
    expect(runFilter(loaded, buffer, 1, 3, 2)).toBe(true);
    expect(runFilter(loaded, buffer, 1, 2, 2)).toBe(false);
    expect(runFilter(loaded, buffer, 0, 3, 3)).toBe(false);
  });

  it('knows the length on the wire, not the captured one', () => {
    const { program } = compileFilter('len = 1500', { linkType: 1 }) as { program: Uint8Array };
    expect(runFilter(loadProgram(program), packet, 0, packet.length, 1500)).toBe(true);
    expect(runFilter(loadProgram(program), packet, 0, packet.length, packet.length)).toBe(false);
  });

  it('rejects what is loaded beyond its end', () => {
    expect(takes([0x30, 7], [6, 1])).toBe(true);
    expect(takes([0x30, 8], [6, 1])).toBe(false);
    expect(takes([0x28, 7], [6, 1])).toBe(false);
    expect(takes([0x20, 5], [6, 1])).toBe(false);
    expect(takes([0xb1, 8], [6, 1])).toBe(false);
    expect(takes([0x01, 0xffff_fff8], [0x50, 8], [6, 1])).toBe(false);
    expect(takes([0x30, 0xffff_f000], [6, 1])).toBe(false);
  });

  it('rejects a division by zero', () => {
    expect(takes([0x00, 1], [0x3c, 0], [6, 1])).toBe(false);
    expect(takes([0x00, 1], [0x9c, 0], [6, 1])).toBe(false);
  });

  it('compares and calculates without a sign', () => {
    expect(takes([0x20, 4], [0x25, 0x7fff_ffff, 0, 1], [6, 1], [6, 0])).toBe(true);
    expect(takes([0x20, 4], [0x34, 2], [0x15, 0x7fff_7efe, 0, 1], [6, 1], [6, 0])).toBe(true);
    expect(takes([0x20, 4], [0x94, 10], [0x15, 0xfffe_fdfc % 10, 0, 1], [6, 1], [6, 0])).toBe(true);
  });

  it('that the kernel would take gives the answer of the machine, whatever it is', () => {
    const codes = [
      0x00,
      0x20,
      0x28,
      0x30,
      0x40,
      0x48,
      0x50,
      0x60,
      0x80,
      0x01,
      0x61,
      0x81,
      0xb1,
      0x02,
      0x03,
      0x07,
      0x87,
      0x05,
      0x15,
      0x25,
      0x35,
      0x45,
      0x1d,
      0x2d,
      0x3d,
      0x4d,
      0x84,
      0x06,
      0x16,
      ...[0x00, 0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, 0x90, 0xa0].flatMap((one) => [4 | one, 12 | one]),
    ];
    const number = fc.oneof(
      fc.nat(12),
      fc.constantFrom(0xffff_ffff, 0x8000_0000, 0xffff_f000, 0xffff_f004, 0xffff_f030),
      fc.nat(),
    );
    const line = fc.tuple(fc.constantFrom(...codes), number, fc.nat(3), fc.nat(3));
    let sound = 0;
    fc.assert(
      fc.property(fc.array(line, { minLength: 1, maxLength: 12 }), (lines) => {
        const stored: Line[] = [
          [0x02, 0],
          [0x02, 1],
          [0x02, 2],
          [0x02, 3],
        ];
        const bytes = bytesOf([
          ...stored,
          ...lines.map(
            ([code, k, jt, jf]) =>
              [code, [0x60, 0x61, 2, 3].includes(code) ? k % 4 : code === 5 ? k % 3 : k, jt, jf] as const,
          ),
          [0x16, 0],
          [6, 0],
          [6, 1],
          [6, 1],
        ]);
        const program = fromBytes(bytes);
        const loaded = loadProgram(bytes);
        const given = { protocol: 0x800, packetType: 4, ifindex: 2, vlanTag: 5 };
        const answer = runFilter(loaded, packet, 0, packet.length, 100, given);
        if (refusal(program) === null) {
          sound++;
          expect(answer).toBe(run(program, { bytes: packet, wireLength: 100, ...given }) > 0);
        }
      }),
      { numRuns: 3000 },
    );
    expect(sound).toBeGreaterThan(500);
  });

  it('of any bytes ends without harm', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(typeof runFilter(loadProgram(bytes), packet, 0, packet.length, 8)).toBe('boolean');
      }),
    );
  });
});
