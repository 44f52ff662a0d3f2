import { finished } from 'node:stream/promises';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { lineSink } from './lines.ts';

async function through(chunks: readonly Buffer[]): Promise<Buffer[]> {
  const lines: Buffer[] = [];
  const sink = lineSink((line) => lines.push(line));
  for (const chunk of chunks) {
    sink.write(chunk);
  }
  sink.end();
  await finished(sink);
  return lines;
}

describe('bytes as lines', () => {
  test('however they are cut, the lines are the same and no byte is lost', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.string({ unit: fc.constantFrom('a', 'é', '\n'), maxLength: 8 }).map((text) => Buffer.from(text)),
        ),
        async (chunks) => {
          const whole = Buffer.concat(chunks).toString();
          const lines = await through(chunks);
          expect(lines.map(String)).toEqual(whole.match(/[^\n]*\n|[^\n]+$/g) ?? []);
        },
      ),
    );
  });

  test('a line without end is handed on in pieces of 64 KiB', async () => {
    const lines = await through([Buffer.alloc(100_000, 'x'), Buffer.alloc(50_000, 'x')]);
    expect(lines.map(({ length }) => length)).toEqual([65_536, 65_536, 18_928]);
  });

  test('a line that is exactly as long as a piece stays one line', async () => {
    const lines = await through([Buffer.concat([Buffer.alloc(65_535, 'x'), Buffer.from('\nb\n')])]);
    expect(lines.map(({ length }) => length)).toEqual([65_536, 2]);
  });
});
