import fc from 'fast-check';
import { expect, it } from 'vitest';
import { parseReport } from './sites.ts';

const report = {
  pid: 7,
  what: 'connect',
  host: 'db',
  port: 5432,
  file: '/a/db.ts',
  line: 42,
  column: 3,
  function: 'open',
};

it('a line of the hook is read as it was written', () => {
  expect(parseReport(JSON.stringify(report))).toEqual(report);
});

it('a line with something missing or of another kind is nothing', () => {
  for (const name of Object.keys(report)) {
    expect(parseReport(JSON.stringify({ ...report, [name]: undefined }))).toBe(null);
    expect(parseReport(JSON.stringify({ ...report, [name]: {} }))).toBe(null);
  }
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (line) => {
      expect(parseReport(line)).toBe(null);
    }),
  );
});
