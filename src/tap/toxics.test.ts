import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Refusal } from './api/errors.ts';
import type { PlannedFault } from './fault.ts';
import { faults } from './faults.ts';
import { toxicTypes } from './toxic-types.ts';
import {
  changeToxic,
  MOST_TOXICS,
  readToxic,
  readToxics,
  TOO_MANY,
  writeToxic,
  writeToxics,
} from './toxics.ts';

const types = toxicTypes(faults);

function read(body: unknown): PlannedFault {
  const toxic = readToxic(body, types);
  if (toxic instanceof Refusal) {
    throw new Error(toxic.error);
  }
  return toxic;
}

function refused(body: unknown): string {
  const toxic = readToxic(body, types);
  return toxic instanceof Refusal ? `${toxic.status} ${toxic.error}` : 'not refused';
}

describe("Toxiproxy's toxics", () => {
  it.each([
    ['latency', { latency: 100, jitter: 10 }, 'latency', { delayMs: 100, jitterMs: 10 }],
    ['bandwidth', { rate: 7 }, 'bandwidth', { rateBytes: 7000 }],
    ['slow_close', { delay: 5 }, 'slow-close', { delayMs: 5 }],
    ['timeout', { timeout: 9 }, 'timeout', { timeoutMs: 9 }],
    ['reset_peer', { timeout: 3 }, 'reset', { afterMs: 3 }],
    [
      'slicer',
      { average_size: 64, size_variation: 32, delay: 10 },
      'slicer',
      { averageSize: 64, sizeVariation: 32, delayUs: 10 },
    ],
    ['limit_data', { bytes: 12 }, 'limit-data', { bytes: 12 }],
    ['packet_loss', { loss_rate: 0.25, correlation: 0.5 }, 'packet-loss', { share: 0.25, correlation: 0.5 }],
    ['noop', {}, 'noop', {}],
  ])('%s is our fault in our units, and is read back as it was sent', (type, attributes, fault, ours) => {
    const planned = read({ type, attributes });
    expect(planned.fault).toBe(fault);
    expect(planned.attributes).toMatchObject(ours);
    expect(writeToxic(planned, types)).toEqual({
      attributes,
      name: `${type}_downstream`,
      type,
      stream: 'downstream',
      toxicity: 1,
    });
  });

  it('have every attribute at 0 that was not sent, whatever our own default is', () => {
    for (const attributes of [undefined, null, {}]) {
      expect(writeToxic(read({ type: 'packet_loss', attributes }), types).attributes).toEqual({
        loss_rate: 0,
        correlation: 0,
      });
    }
  });

  it('are answered with their fields in the order of the real one', () => {
    expect(Object.keys(writeToxic(read({ type: 'noop' }), types))).toEqual([
      'attributes',
      'name',
      'type',
      'stream',
      'toxicity',
    ]);
  });

  it('take field and attribute names in any case, as Go does', () => {
    const planned = read({ Type: 'latency', STREAM: 'Upstream', Attributes: { Latency: 4 } });
    expect(planned).toMatchObject({
      name: 'latency_upstream',
      stream: 'upstream',
      attributes: { delayMs: 4 },
    });
  });

  it('take what our fault can do besides, and answer it only when it was asked for', () => {
    const planned = read({ type: 'latency', attributes: { latency: 1, distribution: 'normal' } });
    expect(planned.attributes).toMatchObject({
      delayMs: 1,
      jitterMs: 0,
      distribution: 'normal',
      wave: 'none',
    });
    expect(writeToxic(planned, types).attributes).toEqual({ latency: 1, jitter: 0, distribution: 'normal' });
  });

  it('name only attributes that our faults have', () => {
    for (const { name } of faults) {
      const known = types.of(name)?.fault.attributes.map((one) => one.name) ?? [];
      expect(known).toEqual(expect.arrayContaining((types.of(name)?.twins ?? []).map(({ ours }) => ours)));
    }
  });

  it('go by our name too', () => {
    expect(read({ type: 'slow-close', attributes: { delay: 1 } })).toMatchObject({ fault: 'slow-close' });
  });
});

describe('our further faults', () => {
  it('are types under their own names, with their own attributes and defaults', () => {
    const planned = read({ type: 'corrupt', stream: 'both', attributes: { share: 0.5 } });
    expect(planned).toEqual({
      name: 'corrupt_both',
      fault: 'corrupt',
      attributes: { share: 0.5, unit: 'bits' },
      stream: 'both',
      toxicity: 1,
    });
    expect(writeToxic(planned, types)).toMatchObject({
      type: 'corrupt',
      attributes: { share: 0.5, unit: 'bits' },
    });
  });

  it('hold for whom, when and for which messages it was said', () => {
    const conditions = {
      client: '10.0.0.0/8',
      connections: '2-5',
      atMs: 1000,
      lastsMs: 500,
      when: { filter: 'redis.command == "SET"', nth: 3, lastsMs: 10_000 },
    };
    const planned = read({ type: 'unplug', ...conditions });
    expect(planned).toMatchObject({
      client: '10.0.0.0/8',
      connections: '2-5',
      at: 1e9,
      lasts: 5e8,
      when: { filter: 'redis.command == "SET"', nth: 3, lasts: 1e10 },
    });
    expect(writeToxic(planned, types)).toMatchObject(conditions);
    expect(read({ type: 'unplug', when: 'redis' }).when).toEqual({ filter: 'redis' });
  });
});

describe('what cannot be', () => {
  it.each([
    ['no type', {}, '400 invalid toxic type'],
    ['an unknown type', { type: 'walrus' }, '400 invalid toxic type'],
    ['a type that is a property of every object', { type: 'constructor' }, '400 invalid toxic type'],
    [
      'an unknown stream',
      { type: 'noop', stream: 'sideways' },
      '400 stream was invalid, can be either upstream or downstream',
    ],
    ['a list', [], '400 bad request body: a toxic must be an object'],
    ['a number for a name', { name: 1, type: 'noop' }, '400 bad request body: name must be a string'],
    [
      'an unknown attribute',
      { type: 'bandwidth', attributes: { raet: 1 } },
      '400 bad request body: a toxic of type bandwidth has no attribute "raet"; it has: rate, shared',
    ],
    [
      'an attribute of one that has none',
      { type: 'noop', attributes: { a: 1 } },
      '400 bad request body: a toxic of type noop has no attribute "a"; it has no attributes',
    ],
    [
      'text for a number',
      { type: 'latency', attributes: { latency: '100' } },
      '400 bad request body: latency must be a whole number of at least 0',
    ],
    [
      'half a byte',
      { type: 'limit_data', attributes: { bytes: 0.5 } },
      '400 bad request body: bytes must be a whole number of at least 0',
    ],
    [
      'a share above 1',
      { type: 'corrupt', attributes: { share: 2 } },
      '400 bad request body: share must be a number from 0 to 1',
    ],
    [
      'a word that there is not',
      { type: 'latency', attributes: { distribution: 'round' } },
      '400 bad request body: distribution must be one of uniform, normal, pareto',
    ],
    [
      'a needed attribute left out',
      { type: 'accept-delay' },
      '400 bad request body: a toxic of type accept-delay needs the attribute delayMs: for how long',
    ],
    [
      'a list of attributes',
      { type: 'noop', attributes: [] },
      '400 bad request body: attributes must be an object',
    ],
    [
      'a toxicity above 1',
      { type: 'noop', toxicity: 1.5 },
      '400 bad request body: toxicity must be a number from 0 to 1',
    ],
    [
      'a client that is no address',
      { type: 'noop', client: 'here' },
      '400 bad request body: client must be an address or a prefix: 10.0.0.0/8',
    ],
    [
      'connections that are no numbers',
      { type: 'noop', connections: '0' },
      '400 bad request body: connections must be like 3, 2-5 or 10-, counted from 1',
    ],
    [
      'a count that is none',
      { type: 'noop', when: { filter: 'redis', nth: 0 } },
      '400 bad request body: when.nth must be a whole number of at least 1',
    ],
  ])('%s is refused with a sentence', (_, body, sentence) => {
    expect(refused(body)).toBe(sentence);
  });

  it('a filter that cannot be read is refused at its character', () => {
    expect(refused({ type: 'noop', when: 'redis.command ==' })).toMatch(
      /^400 bad request body: when: .*\(character \d+\)$/,
    );
  });

  it('a filter of many brackets is refused for its length, and one that may be read is read', () => {
    expect(refused({ type: 'noop', when: '('.repeat(4097) })).toBe(
      '400 bad request body: when.filter has at most 4096 characters',
    );
    expect(refused({ type: 'noop', when: '('.repeat(4096) })).toMatch(/^400 bad request body: when: /);
  });

  it('a wrong name is said back only in part when it is long', () => {
    expect(refused({ type: 'noop', attributes: { ['x'.repeat(1e6)]: 1 } }).length).toBeLessThan(200);
  });

  it('a body that looks like an answer is still a body', () => {
    expect(refused({ error: 'x', status: 200 })).toBe('400 invalid toxic type');
    expect(refused({ type: 'noop', attributes: { error: 'x', status: 200 } })).toMatch(
      /^400 .*no attribute "error"/,
    );
  });

  it('whatever JSON comes, the answer is a fault or a refusal', () => {
    const body = fc.record(
      {
        name: fc.jsonValue(),
        type: fc.oneof(fc.constantFrom('latency', 'slicer', 'corrupt', 'reset_peer'), fc.jsonValue()),
        stream: fc.oneof(fc.constant('upstream'), fc.jsonValue()),
        toxicity: fc.jsonValue(),
        attributes: fc.jsonValue(),
        when: fc.jsonValue(),
        client: fc.jsonValue(),
        atMs: fc.jsonValue(),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(fc.oneof(body, fc.jsonValue()), (given) => {
        const toxic = readToxic(given, types);
        if (!(toxic instanceof Refusal)) {
          expect(readToxic(writeToxic(toxic, types), types)).toEqual(toxic);
        } else {
          expect(toxic.status).toBe(400);
        }
      }),
    );
  });
});

describe('a list of toxics', () => {
  it('has an end', () => {
    const list = Array.from({ length: MOST_TOXICS + 1 }, (_, at) => ({ type: 'noop', name: String(at) }));
    expect(readToxics(list, types)).toBe(TOO_MANY);
    expect(readToxics(list.slice(1), types)).toHaveLength(MOST_TOXICS);
  });

  it('may name each once', () => {
    expect(readToxics([{ type: 'noop' }, { type: 'noop' }], types)).toEqual(
      new Refusal(409, 'toxic already exists: noop_downstream (toxic 2)'),
    );
    expect(readToxics([{ type: 'noop' }, { type: 'noop', stream: 'upstream' }], types)).toHaveLength(2);
  });

  it('is answered upstream first, each in the order in which it was added', () => {
    const planned = ['downstream', 'upstream', 'downstream'].map((stream, at) =>
      read({ type: 'noop', stream, name: `${stream}${at}` }),
    );
    expect(writeToxics(planned, types).map(({ name }) => name)).toEqual([
      'upstream1',
      'downstream0',
      'downstream2',
    ]);
  });
});

describe('a change', () => {
  const before = read({
    type: 'latency',
    toxicity: 0.5,
    attributes: { latency: 100, jitter: 10 },
    when: 'redis',
  });

  it('keeps what it does not name, and does not touch name, type and stream', () => {
    const body = { name: 'x', type: 'noop', stream: 'upstream', attributes: { latency: 1000 } };
    expect(changeToxic(body, before, types)).toEqual({
      ...before,
      attributes: { ...before.attributes, delayMs: 1000 },
    });
    expect(changeToxic({ toxicity: 0 }, before, types)).toEqual({ ...before, toxicity: 0 });
    expect(changeToxic(null, before, types)).toEqual(before);
  });

  it('takes a condition away with null', () => {
    expect(changeToxic({ when: null }, before, types)).not.toHaveProperty('when');
  });

  it('is refused as a new one would be', () => {
    expect(changeToxic({ attributes: { latency: -1 } }, before, types)).toBeInstanceOf(Refusal);
    expect(changeToxic({ toxicity: 'all' }, before, types)).toBeInstanceOf(Refusal);
  });
});
