import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { arbitraries, someEvent, speaksTheVocabulary } from './events.contract.ts';
import type { Entry } from './events.ts';
import { offsetOf, syntaxFault } from './locate.ts';
import { decode, encode, MAX_LINE } from './ndjson.ts';

const MOMENT = { type: 'gauge', at: 5, subject: 's', name: 'n', value: 1 } as const;

function refusal(line: string): { at: number; why: string } {
  const result = decode(line);
  expect(result.ok, line.slice(0, 200)).toBe(false);
  return result.ok ? { at: -1, why: '' } : result;
}

function valid(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

describe('a line of a session', () => {
  for (const [type, events] of Object.entries<fc.Arbitrary<Entry>>(arbitraries)) {
    it(`holds any ${type} and gives it back unchanged`, () => {
      fc.assert(fc.property(events, (event) => speaksTheVocabulary([event])));
    });
  }

  it('begins with its version and its type', () => {
    expect(encode(MOMENT)).toBe('{"v":1,"type":"gauge","at":5,"subject":"s","name":"n","value":1}');
  });

  it('keeps integers that no JSON number holds', () => {
    const event: Entry = {
      type: 'syscall',
      at: 0,
      took: 1,
      host: 'a',
      pid: 1,
      tid: 1,
      name: 'mmap',
      args: [0x7fff_ffff_ffff_ffffn, { $bigint: 'not ours' }],
      result: 0x7f00_1234_5678_9abcn,
    };
    expect(encode(event)).toContain('"args":[{"$bigint":"9223372036854775807"},{"$$bigint":"not ours"}]');
    speaksTheVocabulary([event]);
  });

  it('from a newer writer loses the fields that are not known here, and nothing else', () => {
    const line = encode(MOMENT).replace('}', ',"mood":{"deep":[1]},"type2":null}');
    expect(decode(line)).toEqual({ ok: true, event: MOMENT });
  });

  it('may be read with spaces around it, as a hand-edited file has them', () => {
    expect(decode(` ${encode(MOMENT)}\r`)).toEqual({ ok: true, event: MOMENT });
  });
});

describe('the contract for sources', () => {
  it('catches a number that JSON cannot hold', () => {
    expect(() => speaksTheVocabulary([{ ...MOMENT, value: Number.NaN }])).toThrow(/event 0/);
  });

  it('catches a source that made nothing', () => {
    expect(() => speaksTheVocabulary([])).toThrow(/not tested/);
  });
});

describe('a line that is refused', () => {
  it.each([
    ['', 0, 'not JSON: expected value'],
    ['nonsense', 0, 'not JSON: expected value'],
    ['{"v":1,"type":"gauge","at":5', 28, 'not JSON: expected , or }'],
    ['{"v":1,}', 7, 'not JSON: expected name'],
    ['{"v":1}{"v":1}', 7, 'not JSON: expected the end'],
    ['[]', 0, 'expected an object, got a list'],
    ['null', 0, 'expected an object, got null'],
    ['{"type":"gauge"}', 0, 'v: missing'],
    ['{"v":2,"type":"gauge"}', 5, 'v: expected one of 1, got 2'],
    ['{"v":1,"type":"toString"}', 14, 'type: expected one of session, syscall,'],
    ['{"v":1,"type":"gauge","at":5}', 0, 'subject: missing'],
    ['{"v":1,"type":"gauge","at":"5"}', 27, 'at: expected a whole number, got text "5"'],
    ['{"v":1,"type":"gauge","at":1e400}', 27, 'at: expected a whole number, got Infinity'],
    ['{"v":1,"type":"gauge","at":9007199254740993}', 27, 'at: expected a whole number, got 9007199254740992'],
    ['{"v":1,"type":"gauge","at":5,"__proto__":{}}', 41, '__proto__: a key we never write'],
    [
      '{"v":1,"type":"message","at":0,"connection":"c","from":"client","protocol":"p","summary":"","fields":{"a":[0,{"__proto__":1}]},"bytes":0}',
      122,
      'fields.a[1].__proto__: a key we never write',
    ],
  ])('%s says where and why', (line, at, why) => {
    const refused = refusal(line);
    expect(refused.why).toContain(why);
    expect(refused.at).toBe(at);
  });

  it('names the field deep inside an event', () => {
    fc.assert(
      fc.property(arbitraries.info, (event) => {
        fc.pre(event.tcp !== undefined);
        const line = encode(event).replace(/"rttUs":[^,}]+/, '"rttUs":true');
        const refused = refusal(line);
        expect(refused.why).toBe('tcp.rttUs: expected a number, got true');
        expect(line.slice(refused.at, refused.at + 4)).toBe('true');
      }),
    );
  });

  it('is one that nests too deeply, even a million levels', () => {
    const nest = (depth: number) =>
      encode({
        ...MOMENT,
        type: 'message',
        connection: 'c',
        from: 'client',
        protocol: 'p',
        summary: '',
        fields: {},
        bytes: 0,
      }).replace('"fields":{}', `"fields":{"a":${'['.repeat(depth)}${']'.repeat(depth)}}`);
    expect(decode(nest(60)).ok).toBe(true);
    expect(refusal(nest(65)).why).toContain('nested deeper than 64 levels');
    expect(refusal(nest(1_000_000)).why).toContain('nested deeper than 64 levels');
    expect(refusal('['.repeat(1_000_000)).why).toBe('not JSON: expected value or ]');
  });

  it('is one longer than the bound, whatever it holds', () => {
    expect(refusal(`"${'x'.repeat(MAX_LINE)}"`)).toEqual({
      ok: false,
      at: MAX_LINE,
      why: `a line longer than ${MAX_LINE} characters`,
    });
  });

  it('is any cut line, at the cut or before it', () => {
    fc.assert(
      fc.property(
        someEvent,
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (event, where) => {
          const line = encode(event);
          const cut = line.slice(0, Math.floor(where * line.length));
          const refused = refusal(cut);
          expect(refused.why).toMatch(/^not JSON: expected /);
          expect(refused.at).toBeLessThanOrEqual(cut.length);
        },
      ),
    );
  });

  it('is named, never thrown, whatever the bytes', () => {
    const noise = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.json(),
      fc.json().map((json) => `{"v":1,"type":"lost",${json.slice(1)}`),
    );
    fc.assert(
      fc.property(noise, (line) => {
        const refused = refusal(line);
        expect(refused.why).not.toBe('');
        expect(refused.at).toBeLessThanOrEqual(line.length);
      }),
    );
  });

  it('is named, never thrown, when one value of a good line is swapped for any JSON', () => {
    fc.assert(
      fc.property(someEvent, fc.nat(), fc.json(), (event, pick, json) => {
        const parts: Record<string, unknown> = JSON.parse(encode(event));
        const names = Object.keys(parts);
        const name = names[pick % names.length] ?? 'v';
        const line = JSON.stringify({ ...parts, [name]: JSON.parse(json) });
        const result = decode(line);
        if (!result.ok) {
          expect(result.why).toMatch(new RegExp(`^${name}[.[:]`));
          expect(line.slice(0, result.at)).toContain(`"${name}":`);
        }
      }),
    );
  });

  it('with a key from the network never touches a prototype', () => {
    const line = encode({
      ...MOMENT,
      type: 'message',
      connection: 'c',
      from: 'client',
      protocol: 'p',
      summary: '',
      fields: Object.fromEntries([['__proto__', { polluted: 1 }]]),
      bytes: 0,
    });
    const result = decode(line);
    expect(result.ok && result.event.type === 'message' && Object.keys(result.event.fields)).toEqual([
      '__proto__',
    ]);
    expect(result.ok && result.event.type === 'message' && result.event.fields.polluted).toBe(undefined);
  });
});

describe('the walk that finds where', () => {
  it('agrees with JSON.parse on what is JSON', () => {
    const mangled = fc
      .tuple(fc.json(), fc.nat(), fc.constantFrom('', '"', ',', ']', '}', '0', '\\', '\n', ':', '-', 'e'))
      .map(([json, at, extra]) => {
        const cut = at % (json.length + 1);
        return json.slice(0, cut) + extra + json.slice(cut + (at % 2));
      });
    fc.assert(
      fc.property(mangled, (text) => {
        expect(syntaxFault(text) === null).toBe(valid(text));
      }),
      { numRuns: 2000 },
    );
  });

  it('finds a value by its path, the last of a repeated name, the container of a missing one', () => {
    const text = ' {"a":[1,{"b\\n":2}],"a":[1,{"b\\n":"x"}]}';
    expect(text.slice(offsetOf(text, ['a', 1, 'b\n']))).toBe('"x"}]}');
    expect(text.slice(offsetOf(text, ['a', 1, 'c']))).toBe('{"b\\n":"x"}]}');
    expect(offsetOf(text, ['z'])).toBe(1);
  });
});
