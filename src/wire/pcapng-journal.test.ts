import fc from 'fast-check';
import { expect, test } from 'vitest';
import { journalEntry, readJournal } from './pcapng-journal.ts';

const field = fc.tuple(
  fc.stringMatching(/^[A-Z_][A-Z0-9_]{0,20}$/),
  fc.string({ unit: 'binary', maxLength: 60 }),
);

test('fields are read back as they were written, with any text', () => {
  fc.assert(
    fc.property(fc.array(field, { maxLength: 6 }), (fields) => {
      expect(readJournal(journalEntry(fields))).toEqual(fields);
    }),
  );
});

test('one line of text is written as it is, more lines with their length, and an empty line ends it', () => {
  const entry = journalEntry([
    ['MESSAGE', 'a\tb'],
    ['TWO', 'c\nd'],
  ]);
  expect(new TextDecoder().decode(entry)).toBe('MESSAGE=a\tb\nTWO\n\x03\0\0\0\0\0\0\0c\nd\n\n');
});

test('names are made valid', () => {
  expect(readJournal(journalEntry([['my field=\n', 'x']]))).toEqual([['MY_FIELD__', 'x']]);
});

test('padding behind the entry is not a field', () => {
  const entry = journalEntry([['A', 'b']]);
  const padded = new Uint8Array(entry.length + 3);
  padded.set(entry);
  expect(readJournal(padded)).toEqual([['A', 'b']]);
});

test('a length beyond the entry ends the reading; what came before is kept', () => {
  const bytes = new TextEncoder().encode('A=b\nC\n\xff\xff\xff\xff\xff\xff\xff\xffdata\n\n');
  expect(readJournal(bytes)).toEqual([['A', 'b']]);
  expect(readJournal(journalEntry([['LONG', 'a\nb']]).subarray(0, 9))).toEqual([]);
});

test('any bytes are read without harm', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
      expect(readJournal(bytes).length).toBeLessThanOrEqual(bytes.length);
    }),
  );
});
