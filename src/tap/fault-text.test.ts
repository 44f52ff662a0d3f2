import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Attribute, PlannedFault } from './fault.ts';
import { type FaultTextError, faultText, readFault } from './fault-text.ts';
import { faults } from './faults.ts';
import { messageFaults } from './message-faults.ts';

function planned(text: string): PlannedFault {
  const read = readFault(text);
  if ('why' in read) {
    throw new Error(`${text}: ${read.why}`);
  }
  return read;
}

function failed(text: string): FaultTextError & { readonly marked: string } {
  const read = readFault(text);
  if (!('why' in read)) {
    throw new Error(`${text} was read`);
  }
  return { ...read, marked: text.slice(read.at, read.at + read.length) };
}

describe('what can be written', () => {
  it.each([
    ['latency 200ms jitter=20ms', { delayMs: 200, jitterMs: 20 }],
    ['latency 200ms 20ms', { delayMs: 200, jitterMs: 20 }],
    ['latency 200', { delayMs: 200 }],
    ['latency jitter 0.5s 1.5s', { delayMs: 1500, jitterMs: 500 }],
    ['delay 1s normal', { delayMs: 1000, distribution: 'normal' }],
    [
      'latency 1s sine wave-period=5s waveAmplitudeMs=100',
      { wave: 'sine', wavePeriodMs: 5000, waveAmplitudeMs: 100 },
    ],
    ['bandwidth 100kB/s shared', { rateBytes: 100_000, shared: true }],
    ['bandwidth shared=no 8Mbit/s', { rateBytes: 1e6, shared: false }],
    ['bandwidth shared yes rate 10kB', { rateBytes: 10_000, shared: true }],
    ['reset after 1000B', { afterBytes: 1000, afterMs: 0 }],
    ['reset after=200ms', { afterBytes: 0, afterMs: 200 }],
    ['reset afterBytes=1000', { afterBytes: 1000 }],
    ['reset 1000B 200ms', { afterBytes: 1000, afterMs: 200 }],
    ['reset at accept', { at: 'accept' }],
    ['reset connect', { at: 'connect' }],
    ['drop 10%', { share: 0.1, correlation: 0 }],
    ['drop 10% 50%', { share: 0.1, correlation: 0.5 }],
    ['slicer 64 16 20us', { averageSize: 64, sizeVariation: 16, delayUs: 20 }],
    ['slicer 64B delay=1ms', { averageSize: 64, delayUs: 1000 }],
    ['limit-data 10kB', { bytes: 10_000 }],
    ['slow_close 2s', { delayMs: 2000 }],
    ['corrupt 1% bytes', { share: 0.01, unit: 'bytes' }],
    ['reorder 10% 3', { share: 0.1, gap: 3, timeMs: 100 }],
    ['timeout', { timeoutMs: 0 }],
  ])('%s', (text, attributes) => {
    expect(planned(text).attributes).toMatchObject(attributes);
  });

  it('conditions may stand anywhere after the name', () => {
    const wanted = {
      name: 'slow',
      fault: 'latency',
      attributes: expect.objectContaining({ delayMs: 200 }),
      stream: 'upstream',
      toxicity: 0.3,
      client: '10.0.0.0/8',
      connections: '2-5',
      at: 5e9,
      lasts: 10e9,
    };
    expect(planned('latency 200ms up 30% client 10.0.0.0/8 connection 2-5 at 5s for 10s name=slow')).toEqual(
      wanted,
    );
    expect(
      planned(
        "latency for 10s name='slow' at=5s connections 2-5 toxicity 0.3 client=10.0.0.0/8 upstream 200ms",
      ),
    ).toEqual(wanted);
  });

  it('what nobody says is downstream and always, and a name is made of fault and direction', () => {
    expect(planned('latency 1s')).toMatchObject({
      name: 'latency_downstream',
      stream: 'downstream',
      toxicity: 1,
    });
    expect(planned('unplug')).toMatchObject({ name: 'unplug_both', stream: 'both' });
    expect(planned('delay 1s when dns.type == "AAAA"').stream).toBe('both');
  });

  it('a share that the fault has no use for is its toxicity', () => {
    expect(planned('latency 1s 20%').toxicity).toBe(0.2);
    expect(planned('drop 20%').toxicity).toBe(1);
    expect(planned('duplicate 20% 50%')).toMatchObject({ attributes: { share: 0.2 }, toxicity: 0.5 });
  });

  it('reset at accept is an attribute, reset at 5s is a time', () => {
    expect(planned('reset at accept at 5s')).toMatchObject({ attributes: { at: 'accept' }, at: 5e9 });
  });
});

describe('when a message matches', () => {
  it.each([
    [
      'reset when redis.command == "SET" and key ~ "user:*" nth 3',
      { fault: 'reset', when: { filter: 'redis.command == "SET" and key ~ "user:*"', nth: 3 } },
    ],
    [
      'reply http 503 when http.path ~ "/pay*" for 10s',
      {
        fault: 'reply',
        attributes: { protocol: 'http', text: '503' },
        when: { filter: 'http.path ~ "/pay*"', lasts: 10e9 },
      },
    ],
    [
      'delay 200ms when dns.type == "AAAA"',
      { fault: 'latency', attributes: { delayMs: 200 }, when: { filter: 'dns.type == "AAAA"' } },
    ],
    [
      'reply redis -MOVED 1 127.0.0.1:7000 when redis.command == "GET"',
      {
        attributes: { protocol: 'redis', text: '-MOVED 1 127.0.0.1:7000' },
        when: { filter: 'redis.command == "GET"' },
      },
    ],
    [
      'reply http "503 when tired" client ::1 at 5s when http every 2 for 1m',
      {
        attributes: { protocol: 'http', text: '503 when tired' },
        client: '::1',
        at: 5e9,
        when: { filter: 'http', every: 2, lasts: 60e9 },
      },
    ],
    ['close for 3s when redis for 1s', { fault: 'close', lasts: 3e9, when: { filter: 'redis', lasts: 1e9 } }],
    ['stall when x == "for 10s"', { fault: 'stall', when: { filter: 'x == "for 10s"' } }],
    ['reset when x ~ /a nth 3/ nth 4', { when: { filter: 'x ~ /a nth 3/', nth: 4 } }],
  ])('%s', (text, wanted) => {
    expect(planned(text)).toMatchObject(wanted);
    expect(Object.keys(planned(text).when ?? {}).sort()).toEqual(Object.keys(wanted.when).sort());
  });
});

describe('what cannot be read is marked', () => {
  it.each([
    ['latncy 1s', 'latncy', /did you mean latency\?.*There are: noop, latency/],
    ['zzzzzzz', 'zzzzzzz', /^there is no fault zzzzzzz\. There are: noop/],
    ['latency', 'latency', /needs delay: a duration/],
    ['latency 200MB', '200MB', /means nothing here; there can be delay, jitter/],
    ['latency delay=soon', 'delay=soon', /delay wants a duration/],
    ['latency delay', 'delay', /delay wants a value/],
    ['latency speed=1', 'speed=1', /has no attribute speed; it has: delay, jitter/],
    ['latency 1s delay=2s', 'delay=2s', /said before/],
    ['latency 1s up down', 'down', /said before/],
    ['latency 1s client 10.0.0', '10.0.0', /client wants an address/],
    ['latency 1s connection 5-2', '5-2', /connection wants/],
    ['latency 1s for ever', 'ever', /for wants a duration/],
    ['latency 1s toxicity 2', '2', /toxicity wants a share/],
    ['latency 1s 120%', '120%', /toxicity wants a share/],
    ['latency distribution=even 1s', 'distribution=even', /uniform, normal, pareto/],
    ['reset after soon', 'soon', /after wants a duration .* or a size/],
    ['latency "1s', '"1s', /has no end/],
    ['reply http 503', 'reply', /needs a when/],
    ['close', 'close', /needs a when/],
    ['refuse when http', 'refuse', /before the first message/],
    ['reset when x == "a', '"a', /has no end/],
    ['reset when x nth 0', 'nth 0', /number from 1/],
    ['reset when x nth many', 'nth many', /number from 1/],
    ['reset when x nth 2 every 3', 'nth 2', /only one/],
    ['reset when x nth 2 nth 3', 'nth 2', /twice/],
    ['reset when x for 10', 'for 10', /a duration/],
  ])('%s', (text, marked, why) => {
    const error = failed(text);
    expect(error.marked).toBe(marked);
    expect(error.why).toMatch(why);
  });

  it('what is missing is marked where it should stand', () => {
    expect(failed('')).toMatchObject({ at: 0, length: 1 });
    expect(failed('reset when')).toMatchObject({ at: 10, why: expect.stringContaining('wants a filter') });
    expect(failed('reply http when http')).toMatchObject({
      at: 10,
      why: expect.stringContaining('protocol'),
    });
  });

  it('any text is either read or refused with a place inside it', () => {
    const word = fc.constantFrom(
      'reset',
      'reply',
      'when',
      'nth',
      '3',
      'for',
      '1s',
      '10%',
      'a="b',
      "'",
      '=',
      'at',
      'x',
      '\\',
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(word).map((words) => words.join(' ')),
        ),
        (text) => {
          const read = readFault(text);
          if ('why' in read) {
            expect(read.at).toBeGreaterThanOrEqual(0);
            expect(read.at).toBeLessThanOrEqual(text.length);
            expect(read.length).toBeGreaterThanOrEqual(1);
          } else {
            expect(readFault(faultText(read))).toEqual(read);
          }
        },
      ),
    );
  });
});

function anyValue(attribute: Attribute): fc.Arbitrary<number | string | boolean> {
  switch (attribute.kind) {
    case 'duration':
      return fc.integer({ min: 0, max: 1e9 }).map((n) => n / 1000);
    case 'share':
      return fc.double({ min: 0, max: 1, noNaN: true }).map((n) => Math.abs(n));
    case 'yes':
      return fc.boolean();
    case 'word':
      return attribute.words === undefined
        ? fc.string({ minLength: 1 })
        : fc.constantFrom(...attribute.words);
    default:
      return fc.nat(1e9);
  }
}

const filter = fc.constantFrom('redis', 'a.b == "for 10s"', "x ~ 'when' or y > 3", 'x ~ /a b/');

const anyPlanned: fc.Arbitrary<PlannedFault> = fc.constantFrom(...faults, ...messageFaults).chain((fault) => {
  const isMessage = messageFaults.includes(fault);
  const mayWait = isMessage || fault.stream !== undefined;
  const when = fc
    .record(
      { filter, nth: fc.integer({ min: 1, max: 99 }), lasts: fc.integer({ min: 1, max: 1e12 }) },
      { requiredKeys: ['filter'] },
    )
    .map((w) => w);
  return fc.record(
    {
      name: fc.string({ minLength: 1 }),
      fault: fc.constant(fault.name),
      attributes: fc.record(Object.fromEntries(fault.attributes.map((one) => [one.name, anyValue(one)]))),
      stream: fc.constantFrom('upstream', 'downstream', 'both'),
      toxicity: fc.double({ min: 0, max: 1, noNaN: true }).map((n) => Math.abs(n)),
      client: fc.constantFrom('10.0.0.0/8', '::1'),
      connections: fc.constantFrom('3', '2-5', '10-'),
      at: fc.nat(1e12),
      lasts: fc.nat(1e12),
      ...(mayWait && { when }),
    },
    {
      requiredKeys: [
        'name',
        'fault',
        'attributes',
        'stream',
        'toxicity',
        ...(isMessage ? (['when'] as const) : []),
      ],
    },
  ) as fc.Arbitrary<PlannedFault>;
});

it('a fault that was written is read as the same fault', () => {
  fc.assert(
    fc.property(anyPlanned, (fault) => {
      expect(readFault(faultText(fault))).toEqual(fault);
    }),
    { numRuns: 400 },
  );
});

it('what is usual is not written', () => {
  expect(faultText(planned('delay 200ms'))).toBe('latency delay=200ms');
  expect(faultText(planned('reset after 1000B 50% up'))).toBe('reset afterBytes=1000B up toxicity 0.5');
  expect(faultText(planned('reply redis -MOVED 1 a:1 when redis nth 2'))).toBe(
    'reply redis -MOVED 1 a:1 when redis nth 2',
  );
});
