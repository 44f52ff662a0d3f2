import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SockscopeError } from '../errors.ts';
import { type Config, configError, loadConfig, readConfig } from './config.ts';
import { compareConfigs } from './config-compare.ts';
import { defaultPlan } from './config-defaults.ts';
import { type ConfigProblem, MOST_CONFIG_BYTES } from './config-source.ts';
import { placeText } from './place.ts';

async function good(text: string): Promise<Config> {
  const read = await readConfig(text);
  if (!('taps' in read)) {
    throw configError('test', read);
  }
  return read;
}

/** `line:column message`. */
async function wrong(text: string): Promise<string[]> {
  const read = await readConfig(text);
  expect('taps' in read).toBe(false);
  for (const { hint } of read as readonly ConfigProblem[]) {
    expect(hint).not.toBe('');
  }
  return (read as readonly ConfigProblem[]).map(
    ({ line, column, message }) => `${line}:${column} ${message}`,
  );
}

const FULL = `
seed: 42
api: true
taps:
  - name: cache
    listen: 7000
    target: localhost:6379
    decode: redis
    match: [PING, 'SE.']
    replace: foo=>bar
    set: ['redis.reply[GET a]=x']
    hold: redis.command == "DEL"
    proxyIn: true
    proxyOut: 2
    dialTimeout: 2s
    alwaysAccept: true
    sockopt: { keepidle: 10, nodelay: false }
    faults:
      - latency 200ms when redis.command == "SET" nth 3
      - { fault: latency, delay: 50ms, jitterMs: 5, stream: upstream, toxicity: 50%, name: slow, at: 5s, for: 1m }
      - fault: reset
        when: { filter: redis.command == "GET", every: 2, for: 10s }
      - { fault: reply, protocol: redis, text: '-ERR "no"', when: redis.command == "GET" }
      - noop
      - noop
  - target: https://example.com/x
  - target: 6379
  - { listen: 127.0.0.1:1080, front: socks5, tls: { mode: peek } }
  - { listen: connect://:3128, enabled: false }
  - { name: dns, target: 'udp://9.9.9.9:53', tls: none }
`;

describe('a configuration', () => {
  it('orders taps with everything they can have', async () => {
    const { taps, seed, api } = await good(FULL);
    expect([seed, api]).toEqual([42, { kind: 'tcp', host: '127.0.0.1', port: 8474, path: '' }]);
    expect(taps.map(({ name, listen, searches }) => `${name} ${placeText(listen)} ${searches}`)).toEqual([
      'cache 127.0.0.1:7000 false',
      '443 127.0.0.1:10443 true',
      '6379 127.0.0.1:16379 true',
      'socks5 127.0.0.1:1080 false',
      'connect 127.0.0.1:3128 false',
      'dns udp://127.0.0.1:10053 true',
    ]);
    const [cache, https, , socks, connect] = taps;
    expect(cache).toMatchObject({
      enabled: true,
      target: { kind: 'tcp', host: 'localhost', port: 6379 },
      decode: 'redis',
      matches: ['PING', 'SE.'],
      replacements: [{ pattern: 'foo', text: 'bar', from: 'both' }],
      sets: ['redis.reply[GET a]=x'],
      holds: ['redis.command == "DEL"'],
      proxyIn: true,
      proxyOut: 2,
      dialTimeout: 2e9,
      mirrorsRefusal: false,
      wishes: { keepidle: 10, nodelay: 0, oobinline: 1 },
    });
    expect(https?.tls.mode).toBe('originate');
    expect(socks).toMatchObject({ front: 'socks5', tls: { mode: 'peek' } });
    expect(connect).toMatchObject({ front: 'connect', enabled: false });
  });
  it('reads faults as texts and with names alike', async () => {
    const { taps } = await good(FULL);
    expect(taps[0]!.faults).toMatchObject([
      {
        name: 'latency_both',
        attributes: { delayMs: 200 },
        when: { filter: 'redis.command == "SET"', nth: 3 },
      },
      {
        name: 'slow',
        attributes: { delayMs: 50, jitterMs: 5 },
        stream: 'upstream',
        toxicity: 0.5,
        at: 5e9,
        lasts: 60e9,
      },
      { fault: 'reset', when: { filter: 'redis.command == "GET"', every: 2, lasts: 10e9 } },
      { fault: 'reply', attributes: { protocol: 'redis', text: '-ERR "no"' } },
      { name: 'noop_both' },
      { name: 'noop_both-2' },
    ]);
  });
  it('is JSON as well, with its tabs and escapes', async () => {
    const json =
      '{\n\t"taps": [\n\t\t{"name": "\\u00fc\\ud83d\\ude00\\/", "listen": "127.0.0.1:0", "target": 6379}\n\t]\n}';
    expect((await good(json)).taps[0]).toMatchObject({ name: 'ü😀/', target: { port: 6379 } });
    expect((await good(JSON.stringify({ taps: [], seed: 0 }))).seed).toBe(0);
  });
  it('a plan that says little is the one of the command line', async () => {
    const [tap] = (await good('taps: [{ name: a, listen: "1", target: "2" }]')).taps;
    const usual = defaultPlan('a', tap!.listen, tap!.target);
    expect(tap).toEqual({ ...usual, searches: false, wishes: { nodelay: 1, oobinline: 1 } });
  });
  it('anchors and aliases may be used', async () => {
    const { taps } = await good(
      'taps:\n  - &a { target: "1", faults: &f [noop] }\n  - { target: "2", faults: *f }\n',
    );
    expect(taps.map(({ faults }) => faults.length)).toEqual([1, 1]);
  });
});

describe('what is wrong in a configuration', () => {
  it('all of it is told, each with its line and column', async () => {
    const text = `taps:
  - name: a
    lisen: 7000
    target: localhost:99999
    tls: { mode: peak, insecure: maybe }
    decode: rediss
    faults: [latency 200ms sideways, { fault: latencyy }, { fault: latency, dely: 1 }]
    hold: redis.comand == "DEL"
    set: nonsense
    match: "("
    dialTimeout: 5
    sockopt: { keepidel: 1 }
  - name: a
    target: 6379
    proxyOut: 3
seed: -1
api: h:x
`;
    const told = await wrong(text);
    const places = told.map((line) => line.split(' ')[0]);
    expect(new Set(places)).toEqual(
      new Set([
        '3:5',
        '4:23',
        '5:18',
        '5:34',
        '6:13',
        '7:28',
        '7:47',
        '7:77',
        '8:11',
        '9:10',
        '10:13',
        '11:18',
        '12:16',
        '15:15',
        '16:7',
        '17:6',
      ]),
    );
    const all = told.join('\n');
    expect(all).toMatch(/^3:5 a tap has no lisen$/m);
    expect(all).toMatch(/^4:23 target: 99999 is not a port$/m);
    expect(all).toMatch(/^7:28 fault: sideways means nothing here/m);
    expect(all).toMatch(/^7:77 latency has no dely$/m);
    const hints = ((await readConfig(text)) as ConfigProblem[]).map(({ hint }) => hint).join(' ');
    for (const meant of ['listen', 'peek', 'redis', 'delay', 'keepidle']) {
      expect(hints).toContain(`Did you mean ${meant}?`);
    }
  });
  it.each([
    ['taps: [{ name: a, target: 1 }, { name: a, target: 2 }]', '1:40 two taps are called a'],
    [
      'taps: [{ name: a, listen: 7000, target: 1 }, { name: b, listen: "localhost:7000", target: 2 }]',
      '1:65 localhost:7000 is taken by the tap a',
    ],
    [
      'taps: [{ listen: 7000, target: 1 }, { listen: "*:7000", target: 2 }]',
      '1:47 0.0.0.0:7000 is taken by the tap',
    ],
    ['taps: [{ listen: 7000 }]', '1:8 this tap has no target'],
    ['taps: [{ front: socks5 }]', '1:10 a front listens'],
    ['taps: [{ listen: 1, front: socks5, target: 2 }]', '1:44 socks5:// has no target'],
    ['taps: [{ listen: "tcp://:1", target: "udp://h:1" }]', 'UDP leads to UDP only'],
    ['taps: { a: 1 }', '1:7 taps is a list'],
    ['taps: [x]', '1:8 a tap is written as names with values'],
    [
      'taps: [{ target: 1, faults: [{ fault: noop, name: x }, { fault: noop, name: x }] }]',
      'two faults are called x',
    ],
    ['taps: [{ target: 1, faults: [{ delay: 1s }] }]', '1:30 which fault is not said'],
    [
      'taps: [{ target: 1, faults: [{ fault: latency, delay: soon }] }]',
      '1:55 fault: delay wants a duration',
    ],
    ['taps: [{ target: 1, faults: [{ fault: noop, when: { filter: dns.typ } }] }]', '1:61 when: '],
    ['taps: [{ target: 1, tls: { certificate: a.pem } }]', 'belong together'],
    ['taps: [{ target: 1, target: 2 }]', '1:21 target is here twice'],
    ['taps:\n  - target: [::1]:80', 'cannot be read'],
    ['taps:\n  - target: *:80', '2:13 this alias has no anchor'],
    ['a: 1\n---\nb: 2', '2:1 a second document'],
    ['tpas: []', '1:1 the file has no tpas'],
    ['', '1:1 this is not a configuration'],
    ['{', 'cannot be read'],
    ['taps: !unknown xx', '1:7 this cannot be read'],
    ['- *a', '1:3 this alias has no anchor'],
  ])('%j: %s', async (text, message) => {
    expect((await wrong(text)).join('\n')).toContain(message);
  });
  it('deep nesting and aliases of aliases are refused at once', async () => {
    for (const deep of [
      '['.repeat(100_000),
      '- '.repeat(50_000),
      '{a: '.repeat(30_000),
      '? '.repeat(50_000),
    ]) {
      expect((await wrong(deep)).join()).toContain('nested too deeply');
    }
    const levels = Array.from({ length: 20 }, (_, i) => `- &b${i} [${`*b${i - 1}, `.repeat(9)}]`);
    expect((await wrong(['- &b-1 x', ...levels].join('\n'))).join()).toContain('too large');
    expect((await wrong(`taps: &a [*a, *a]`)).join()).toContain('too large');
  });
  it('no text throws', async () => {
    const piece = fc.constantFrom(
      'taps:',
      '\n',
      '  ',
      '- ',
      'a: ',
      '[',
      ']',
      '{',
      '}',
      '"',
      '*a',
      '&a ',
      '1',
      ',',
      '!!x ',
      '? ',
      '|',
      '#',
    );
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.string(),
          fc.array(piece, { maxLength: 30 }).map((p) => p.join('')),
        ),
        async (text) => {
          const read = await readConfig(text);
          expect('taps' in read || read.length > 0).toBe(true);
        },
      ),
    );
  });
});

describe("Toxiproxy's file", () => {
  const proxies = [
    {
      name: 'redis',
      listen: '127.0.0.1:26379',
      upstream: 'localhost:6379',
      enabled: false,
      toxics: [
        { type: 'latency', attributes: { latency: 1000, jitter: 5 } },
        { name: 'cut', type: 'limit_data', stream: 'upstream', toxicity: 0.5, attributes: { bytes: 10 } },
      ],
    },
    { name: 'web', listen: '[::]:8080', upstream: 'example.com:80' },
  ];
  it('is read, and its toxics are in force', async () => {
    const { taps } = await good(JSON.stringify(proxies, null, 2));
    expect(taps).toMatchObject([
      {
        name: 'redis',
        enabled: false,
        listen: { port: 26379 },
        target: { host: 'localhost' },
        searches: false,
        faults: [
          { name: 'latency_downstream', fault: 'latency', attributes: { delayMs: 1000, jitterMs: 5 } },
          { name: 'cut', fault: 'limit-data', stream: 'upstream', toxicity: 0.5, attributes: { bytes: 10 } },
        ],
      },
      { name: 'web', enabled: true, listen: { host: '::', port: 8080 }, faults: [] },
    ]);
  });
  it.each([
    [[{ listen: ':1', upstream: 'h:1' }], 'has no name'],
    [[{ name: 'a', listen: ':1' }], 'has no upstream'],
    [[{ name: 'a', upstream: 'h:1', toxics: [{ type: 'latenci' }] }], 'invalid toxic type'],
    [[{ name: 'a', upstream: 'h:1', toxics: [{ type: 'noop' }, { type: 'noop' }] }], 'two toxics are called'],
    [[{ name: 'a', upstrem: 'h:1' }], 'has no upstrem'],
  ])('%j: %s', async (file, message) => {
    expect((await wrong(JSON.stringify(file))).join()).toContain(message);
  });
});

describe('a file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sockscope-config-'));
  const write = (name: string, text: string | Uint8Array): string => {
    const path = join(folder, name);
    writeFileSync(path, text);
    return path;
  };
  it('is loaded, or refused with file, line and column, or with why it cannot be read', async () => {
    try {
      expect(await loadConfig(write('a.yaml', FULL))).toMatchObject({ seed: 42 });
      const bad = write('b.yaml', 'taps:\n  - taget: 1\n');
      const refused = (await loadConfig(bad)) as SockscopeError;
      expect(refused).toBeInstanceOf(SockscopeError);
      expect(refused.message).toContain(`${bad}:2:5 a tap has no taget\n  Did you mean target?`);
      expect(refused.exit).toBe(2);
      const messageOf = async (path: string) => ((await loadConfig(path)) as SockscopeError).message;
      expect(await messageOf(join(folder, 'none'))).toContain('ENOENT');
      expect(await messageOf(folder)).toContain('EISDIR');
      expect(await messageOf(write('c', Uint8Array.of(0xff, 0xfe, 0)))).toContain('not UTF-8');
      expect(await messageOf(write('d', '#'.repeat(MOST_CONFIG_BYTES + 1)))).toContain('more than');
      expect(await messageOf('/dev/zero')).toContain('more than');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('a reload', () => {
  it('finds what was added, removed and changed', async () => {
    const old = await good('taps: [{ name: a, target: 1 }, { name: b, target: 2 }, { name: c, target: 3 }]');
    const next = await good(
      'taps: [{ target: 3, name: c }, { name: b, target: 2, faults: [noop] }, { name: d, target: 4 }]',
    );
    const { added, removed, changed } = compareConfigs(old, next);
    expect([added, removed, changed].map((taps) => taps.map(({ name }) => name))).toEqual([
      ['d'],
      ['a'],
      ['b'],
    ]);
    expect(changed[0]!.faults).toHaveLength(1);
    expect(compareConfigs(old, old)).toEqual({ added: [], removed: [], changed: [] });
  });
});
