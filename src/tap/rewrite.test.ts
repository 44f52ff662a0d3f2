import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createMatch } from './match.ts';
import type { Replacement } from './plan.ts';
import { createRewrite, REWRITE_QUIET, REWRITE_WINDOW } from './rewrite.ts';
import { readReplacement } from './rewrite-text.ts';
import type { Stage, StageOut } from './stage.ts';

const bytes = (text: string) => new Uint8Array(Buffer.from(text, 'latin1'));

function driven(stage: Stage) {
  const state = { text: '', said: [] as string[], wake: Number.POSITIVE_INFINITY, ended: false };
  const out: StageOut = {
    now: 0,
    pass: (piece) => {
      state.text += Buffer.from(piece).toString('latin1');
    },
    end: () => {
      state.ended = true;
    },
    wake: (at) => {
      state.wake = at;
    },
    answer: () => {},
    reset: () => {},
    close: () => {},
    say: (what) => state.said.push(what),
  };
  return { state, out, stage };
}

function rewriting(...all: Replacement[]) {
  return driven(createRewrite(all, 'client')!);
}

const read = (text: string): Replacement => {
  const found = readReplacement(text);
  if ('why' in found) {
    throw new Error(found.why);
  }
  return found;
};

function through(replacements: Replacement[], pieces: string[]): string {
  const { stage, out, state } = rewriting(...replacements);
  for (const piece of pieces) {
    stage.data(bytes(piece), 1, out);
  }
  stage.end(out);
  expect(stage.held).toBe(0);
  return state.text;
}

const whole = (replacements: Replacement[], text: string) =>
  replacements.reduce(
    (now, { pattern, flags, text: put }) => now.replace(new RegExp(pattern, `g${flags}`), put),
    text,
  );

function cut(text: string, places: number[]): string[] {
  const at = [...new Set(places.map((one) => one % (text.length + 1)))].sort((a, b) => a - b);
  return [...at, text.length].map((end, i) => text.slice(i === 0 ? 0 : at[i - 1]!, end));
}

const atom = fc.constantFrom(
  ...[
    'a',
    'b',
    'c',
    'ab',
    '.',
    '[ab]',
    '[^a]',
    '\\n',
    '(a)',
    '(?:b|ca)',
    '(c?)',
    '\\b',
    '^',
    '$',
    '\\w',
    '\\W',
    '(?:a|ab)',
    '\\x61',
  ],
);
const factor = fc
  .tuple(atom, fc.constantFrom('', '', '', '*', '+', '?', '{2}', '{1,3}', '*?', '+?'))
  .map(([one, times]) =>
    /^(\^|\$|\\b)$/.test(one)
      ? one
      : one.length > 1 && !/^[[(\\]/.test(one)
        ? `(?:${one})${times}`
        : one + times,
  );
const pattern = fc.oneof(
  fc.array(factor, { minLength: 1, maxLength: 4 }).map((all) => all.join('')),
  fc.tuple(factor, factor, factor).map(([a, b, c]) => `${a}${b}|${c}`),
);
const stream = fc
  .array(fc.constantFrom('a', 'b', 'c', 'ab', 'aab', '\n', ' ', 'é'), { maxLength: 60 })
  .map((all) => all.join(''));

describe('any cutting gives what replacing in the whole would', () => {
  test('for small patterns of every kind', () => {
    fc.assert(
      fc.property(
        pattern,
        fc.constantFrom('', 'i', 'm', 's'),
        stream,
        fc.array(fc.nat()),
        (source, flags, text, places) => {
          const one: Replacement = { pattern: source, flags, text: '<$&>', from: 'both' };
          expect(through([one], cut(text, places))).toBe(whole([one], text));
        },
      ),
      { numRuns: 1500 },
    );
  });

  test('for two in order, the second seeing what the first wrote', () => {
    fc.assert(
      fc.property(stream, fc.array(fc.nat()), (text, places) => {
        const all = [read('a+b=>cc$&'), read('/CC(.)/[$1]/i')];
        expect(through(all, cut(text, places))).toBe(whole(all, text));
      }),
      { numRuns: 300 },
    );
  });

  test('for what no automaton can do, too: look-around and back-references', () => {
    fc.assert(
      fc.property(stream, fc.array(fc.nat()), (text, places) => {
        for (const source of ['(a|b)\\1', 'a(?=b)', '(?<=a)b', '(?<!b)c$', '(?<x>a)\\k<x>']) {
          const one: Replacement = { pattern: source, flags: '', text: '<$&>', from: 'both' };
          expect(through([one], cut(text, places))).toBe(whole([one], text));
        }
      }),
      { numRuns: 150 },
    );
  });

  test('byte by byte over more than a window', () => {
    const text = `${'x'.repeat(REWRITE_WINDOW)}needle${'nee'.repeat(4000)}needle`;
    expect(through([read('needle=>pin')], [...text])).toBe(text.replaceAll('needle', 'pin'));
  });
});

describe('what is kept back', () => {
  test('nothing passes later when no match can begin at the end', () => {
    const { stage, out, state } = rewriting(read('redis=>valkey'), read('/[0-9]{3}x/-/'));
    stage.data(bytes('GET red 12\r\n'), 1, out);
    expect(state).toMatchObject({ text: 'GET red 12\r\n', wake: Number.POSITIVE_INFINITY });
  });

  test('only what may be the beginning of a match, and only for a moment', () => {
    const { stage, out, state } = rewriting(read('redis=>valkey'));
    stage.data(bytes('GET red'), 1, out);
    expect(state).toMatchObject({ text: 'GET ', wake: REWRITE_QUIET });
    expect(stage.held).toBe(3);
    stage.timer(out);
    expect(state.text).toBe('GET red');
    stage.data(bytes('is redi'), 1, out);
    stage.data(bytes('s'), 1, out);
    expect(state.text).toBe('GET redis valkey');
    expect(state.said).toEqual(['replaced /redis/']);
  });

  test('a complete match waits only when it could become longer', () => {
    const { stage, out, state } = rewriting(read('n[0-9]+=>#'));
    stage.data(bytes('n12'), 1, out);
    expect(state.text).toBe('');
    stage.timer(out);
    expect(state.text).toBe('#');
  });

  test('a pause is not the end of the stream', () => {
    const { stage, out, state } = rewriting(read('x$=>y'));
    stage.data(bytes('ax'), 1, out);
    stage.timer(out);
    stage.data(bytes('x'), 1, out);
    stage.end(out);
    expect(state).toMatchObject({ text: 'axy', ended: true });
  });

  test('never more than the window, whatever the pattern', () => {
    const { stage, out } = rewriting(read('a[^]*b=>x'));
    for (let i = 0; i < 40; i++) {
      stage.data(bytes('a'.repeat(1000)), 1, out);
      expect(stage.held).toBeLessThanOrEqual(REWRITE_WINDOW);
    }
  });

  test('bytes that nothing was found in are passed on as they came, not copied', () => {
    const { stage, out } = rewriting(read('redis=>valkey'));
    const given = bytes('\x00\xff\x80 nothing');
    let got: Uint8Array | null = null;
    stage.data(given, 1, { ...out, pass: (piece) => (got = piece) });
    expect(got).toBe(given);
  });
});

describe('reading', () => {
  test.each<[string, Replacement]>([
    ['a=>b', { pattern: 'a', flags: '', text: 'b', from: 'both' }],
    ['a~b', { pattern: 'a', flags: '', text: 'b', from: 'both' }],
    ['a~b=>c', { pattern: 'a~b', flags: '', text: 'c', from: 'both' }],
    ['/a\\/b/c\\/d/i', { pattern: 'a\\/b', flags: 'i', text: 'c/d', from: 'both' }],
    ['up:a=>', { pattern: 'a', flags: '', text: '', from: 'client' }],
    ['down:(a)=>$1\\r\\n\\x41\\$1$$', { pattern: '(a)', flags: '', text: '$1\r\nA$$1$$', from: 'server' }],
    ['ü=>ö', { pattern: 'Ã¼', flags: '', text: 'Ã¶', from: 'both' }],
  ])('%s', (text, replacement) => {
    expect(readReplacement(text)).toEqual(replacement);
  });

  test.each<[string, number, RegExp]>([
    ['abc', 3, /expected/],
    ['=>x', 0, /missing/],
    ['up:(=>x', 3, /not a regular expression/],
    ['a=>\\q', 3, /means nothing/],
    ['(a)=>$2', 5, /no group/],
    ['(?<n>a)=>$<m>', 9, /no group/],
    ['/a/b/q', 5, /flags/],
  ])('%s is refused at %i', (text, at, why) => {
    const found = readReplacement(text);
    expect(found).toMatchObject({ at });
    expect('why' in found ? found.why : '').toMatch(why);
  });

  test('whatever is typed, it is read or refused', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.constantFrom('=>', '~', '/'), (a, b, sign) => {
        const found = readReplacement(a + sign + b);
        if (!('why' in found)) {
          through([found], ['a', 'b~']);
        }
      }),
    );
  });

  test('groups by number and by name', () => {
    expect(through([read('(?<key>\\w+)=(\\w+)=>$2=$<key>$&$$')], ['a=b;', 'c', '=d'])).toBe(
      'b=aa=b$;d=cc=d$',
    );
  });
});

describe('--match', () => {
  test('tells each match once, across pieces, and passes everything on at once', () => {
    const { stage, out, state } = driven(createMatch(['us[e]r', '\\d+']));
    stage.data(bytes('a us'), 1, out);
    expect(state.text).toBe('a us');
    stage.data(bytes('er 4'), 1, out);
    stage.data(bytes('2;'), 1, out);
    stage.end(out);
    expect(state).toMatchObject({ text: 'a user 42;', said: ['match "user"', 'match "42"'], ended: true });
  });
});
