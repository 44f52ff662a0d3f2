import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { judge, rangeApplies } from './files/conditions.ts';
import { partsOf } from './files/parts.ts';
import { bytesOf, encoded, readTarget } from './files/path.ts';
import { planFrom } from './files/plan.ts';
import { readRanges } from './files/ranges.ts';
import { createRecent } from './files/recent.ts';
import { typeOf } from './files/types.ts';
import { codingsFor, wantsJson } from './files/weights.ts';

describe('ranges', () => {
  test.each<[string, ReturnType<typeof readRanges>]>([
    ['bytes=0-0', [{ from: 0, to: 1 }]],
    ['bytes=2-', [{ from: 2, to: 10 }]],
    ['bytes=-3', [{ from: 7, to: 10 }]],
    ['bytes=-30', [{ from: 0, to: 10 }]],
    ['bytes=8-99', [{ from: 8, to: 10 }]],
    [
      'Bytes=0-1, 5-6',
      [
        { from: 0, to: 2 },
        { from: 5, to: 7 },
      ],
    ],
    ['bytes=,0-1,,', [{ from: 0, to: 2 }]],
    ['bytes=20-30,1-1', [{ from: 1, to: 2 }]],
    ['bytes=10-', 'beyond'],
    ['bytes=-0', 'beyond'],
    ['bytes=99999999999999999999999-', 'beyond'],
    ['bytes=5-2', 'whole'],
    ['bytes=-', 'whole'],
    ['bytes=', 'whole'],
    ['bytes=a-b', 'whole'],
    ['bytes=0-1,x', 'whole'],
    ['lines=0-1', 'whole'],
    ['bytes=0-9,0-9', 'whole'],
    [`bytes=${'0-0,'.repeat(65)}`, 'whole'],
  ])('%s of ten bytes', (text, expected) => {
    expect(readRanges(text, 10)).toEqual(expected);
  });

  test('whatever is asked for, no slice is empty, outside of the file, or more than the file altogether', () => {
    const spec = fc
      .tuple(fc.option(fc.nat(40)), fc.option(fc.nat(40)))
      .map(([a, b]) => `${a ?? ''}-${b ?? ''}`);
    const header = fc.oneof(
      fc.array(spec, { maxLength: 6 }).map((list) => `bytes=${list.join(', ')}`),
      fc.string().map((text) => `bytes=${text}`),
      fc.string(),
    );
    fc.assert(
      fc.property(header, fc.nat(50), (text, size) => {
        const slices = readRanges(text, size);
        if (typeof slices === 'string') {
          return;
        }
        let total = 0;
        for (const { from, to } of slices) {
          expect(from >= 0 && from < to && to <= size).toBe(true);
          total += to - from;
        }
        expect(total).toBeLessThanOrEqual(size);
      }),
      { numRuns: 500 },
    );
  });

  test('several parts are as long as they say', () => {
    const slices = [
      { from: 0, to: 3 },
      { from: 100, to: 1000 },
    ];
    const { length, heads, end } = partsOf(slices, 5000, 'text/plain');
    expect(length).toBe(heads[0]!.length + 3 + heads[1]!.length + 900 + end.length);
  });
});

describe('paths', () => {
  test.each<[string, readonly string[] | 'malformed' | 'none']>([
    ['/', []],
    ['/a/b.txt', ['a', 'b.txt']],
    ['/a//b/./c', ['a', 'b', 'c']],
    ['/a/../b', ['b']],
    ['/a/%2e%2e/b', ['b']],
    ['/..', 'malformed'],
    ['/a/../../etc/passwd', 'malformed'],
    ['/%2e%2e/etc/passwd', 'malformed'],
    ['/a%2f..%2f..%2fetc', 'none'],
    ['/..%5c..%5cetc', ['..\\..\\etc']],
    ['/%252e%252e/x', ['%2e%2e', 'x']],
    ['/%c0%ae%c0%ae/x', ['\xc0\xae\xc0\xae', 'x']],
    ['/a%00.txt', 'malformed'],
    ['/%', 'malformed'],
    ['/%4', 'malformed'],
    ['/%zz', 'malformed'],
    ['http://host/a?b', ['a']],
    ['http://host', []],
    ['*', 'malformed'],
    ['a/b', 'malformed'],
    ['', 'malformed'],
  ])('%s', (target, expected) => {
    const read = readTarget(target);
    expect(typeof read === 'string' ? read : read.names).toEqual(expected);
  });

  test('no target gives a name that is empty, leads up, or holds a slash or NUL', () => {
    const piece = fc.constantFrom(
      '/',
      '.',
      '..',
      '%2e',
      '%2E%2e',
      '%2f',
      '%5c',
      '\\',
      '%00',
      '%',
      'a',
      '%61',
      '?',
      '#',
      'é',
      ' ',
      '%c0%af',
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.array(piece).map((all) => `/${all.join('')}`),
          fc.string(),
        ),
        (target) => {
          const read = readTarget(target);
          if (typeof read === 'string') {
            return;
          }
          for (const name of read.names) {
            expect(name === '' || name === '.' || name === '..' || /[/\0]/.test(name)).toBe(false);
          }
        },
      ),
      { numRuns: 1000 },
    );
  });

  test('every name comes back from its link', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 20 }), (bytes) => {
        const name = Buffer.from(bytes.map((byte) => (byte === 0 || byte === 0x2f ? 0x78 : byte))).toString(
          'latin1',
        );
        const read = readTarget(`/d/${encoded(name)}`);
        expect(name === '.' || name === '..' || (typeof read !== 'string' && read.names[1] === name)).toBe(
          true,
        );
        expect(bytesOf(name).toString('latin1')).toBe(name);
      }),
    );
  });
});

test('codings come in the order of the client, and never those it does not take', () => {
  expect(codingsFor(undefined)).toEqual([]);
  expect(codingsFor('gzip, br, zstd')).toEqual(['br', 'zstd', 'gzip']);
  expect(codingsFor('br;q=0.5, gzip;q=0.8')).toEqual(['gzip', 'br']);
  expect(codingsFor('br;q=0, *;q=0.3')).toEqual(['zstd', 'gzip']);
  expect(codingsFor('x-gzip')).toEqual(['gzip']);
  expect(codingsFor('gzip;q=0.2, identity')).toEqual([]);
  expect(codingsFor('gzip;q=7')).toEqual([]);
  expect(codingsFor('*')).toEqual(['br', 'zstd', 'gzip']);
  expect(wantsJson('application/json')).toBe(true);
  expect(wantsJson('text/html,application/json;q=0.9,*/*;q=0.8')).toBe(false);
  expect(wantsJson('*/*')).toBe(false);
});

test('conditions are judged in the order of RFC 9110, section 13.2.2', () => {
  const now = Date.UTC(2026, 1, 1);
  const changed = Date.UTC(2026, 0, 1);
  const file = { tag: '"t"', changed };
  const at = new Date(changed).toUTCString();
  const before = new Date(changed - 1000).toUTCString();
  const cases: [Record<string, string>, string][] = [
    [{}, 'send'],
    [{ 'if-match': '"t"' }, 'send'],
    [{ 'if-match': '*' }, 'send'],
    [{ 'if-match': 'W/"t"' }, 'other'],
    [{ 'if-match': '"x", "y"' }, 'other'],
    [{ 'if-match': '"t"', 'if-unmodified-since': before }, 'send'],
    [{ 'if-unmodified-since': before }, 'other'],
    [{ 'if-unmodified-since': at }, 'send'],
    [{ 'if-match': '"x"', 'if-none-match': '"t"' }, 'other'],
    [{ 'if-none-match': '"x", W/"t"' }, 'same'],
    [{ 'if-none-match': '*' }, 'same'],
    [{ 'if-none-match': '"x"', 'if-modified-since': at }, 'send'],
    [{ 'if-modified-since': at }, 'same'],
    [{ 'if-modified-since': before }, 'send'],
    [{ 'if-modified-since': 'yesterday' }, 'send'],
  ];
  for (const [headers, verdict] of cases) {
    expect([headers, judge(headers, file, now)]).toEqual([headers, verdict]);
  }
  expect(rangeApplies('"t"', file, now)).toBe(true);
  expect(rangeApplies('W/"t"', file, now)).toBe(false);
  expect(rangeApplies('"x"', file, now)).toBe(false);
  expect(rangeApplies(at, file, now)).toBe(true);
  expect(rangeApplies(before, file, now)).toBe(false);
  expect(rangeApplies(at, file, changed + 900)).toBe(false);
});

test('what is kept in memory stays within its bound, and the last used stays', () => {
  const recent = createRecent<number>(100_000);
  for (let i = 0; i < 1000; i++) {
    recent.put(`key ${i}`, i, 5000);
    expect(recent.get('key 0')).toBe(0);
    expect(recent.bytes).toBeLessThanOrEqual(100_000);
  }
  expect(recent.get('key 999')).toBe(999);
  expect(recent.get('key 5')).toBeUndefined();
  recent.put('huge', 1, 50_000);
  expect(recent.get('huge')).toBeUndefined();
});

test('types are told by the last ending, in any case', () => {
  expect(typeOf('/a/INDEX.HTML').name).toBe('text/html; charset=utf-8');
  expect(typeOf('/a/app.min.js').name).toBe('text/javascript; charset=utf-8');
  expect(typeOf('/a.js/photo.jpeg')).toEqual({ name: 'image/jpeg', packs: false });
  expect(typeOf('/a/page.svg')).toEqual({ name: 'image/svg+xml', packs: true });
  for (const name of ['/a.html/b', '/a/.css', '/a/x.unheardof', '/a/x.constructor', '/a/x.']) {
    expect(typeOf(name).name).toBe('application/octet-stream');
  }
});

test('what cannot be planned is said in a sentence', () => {
  const plan = (words: string[], options = {}) => planFrom({ words, options });
  expect(() => plan([])).toThrow('serve files takes one directory, and got none.');
  expect(() => plan(['/no/such'])).toThrow('There is no directory /no/such.');
  expect(() => plan(['package.json'])).toThrow('package.json is not a directory.');
  expect(() => plan(['src/mak'])).toThrow(expect.objectContaining({ hint: 'Did you mean make?' }));
  expect(() => plan(['src'], { cacheControl: 'a\r\nb: c' })).toThrow(
    '--cache-control cannot be "a\\r\\nb: c"',
  );
  expect(() => plan(['src'], { tryFiles: '$uri ../x' })).toThrow('../x is nothing to try');
  expect(() => plan(['src'], { tryFiles: '$uri =500' })).toThrow('=500 is nothing to try');
  expect(plan(['src'], { tryFiles: 'index.html' }).tries).toEqual(['$uri', '$uri/', '/index.html']);
  expect(plan(['src'], { tryFiles: '$uri $uri.html =404' }).tries).toEqual(['$uri', '$uri.html', '=404']);
});
