import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SockscopeError } from '../../../errors.ts';
import { readConfig } from './config.ts';
import { locationHere, pathThere, readTarget } from './target.ts';
import { planFrom } from './words.ts';

let folder = '';

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sockscope-config-'));
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function read(text: string) {
  const file = join(folder, 'proxy.yaml');
  writeFileSync(file, text);
  return readConfig(file, 'id');
}

async function complaint(text: string): Promise<string> {
  try {
    await read(text);
  } catch (error) {
    expect(error).toBeInstanceOf(SockscopeError);
    const { message, hint, exit } = error as SockscopeError;
    expect(exit).toBe(2);
    return `${message.replace(`${folder}/proxy.yaml:`, '')} ${hint}`;
  }
  return 'no complaint';
}

describe('the file', () => {
  test('what stands at the top holds for all locations, which may say otherwise', async () => {
    const plan = await read(`
upstreams: [localhost:3000, "https://h.test/base"]
balance: least
timeout: 5s
compress: true
cache: 1MB
locations:
  - path: /api/
    upstreams: unix:/run/api.sock
    compress: false
    cache: false
    rate: 30/m
    auth: { users: { ann: secret }, bearer: t }
`);
    expect(plan).toMatchObject({ cacheBytes: 1e6, stale: false, status: false });
    expect(
      plan.routes.map(({ prefix, balance, compress, cache, rate, timeoutMs, targets }) => [
        prefix,
        balance,
        compress,
        cache,
        rate,
        timeoutMs,
        targets.map(({ text }) => text),
      ]),
    ).toEqual([
      ['/api/', 'least', false, false, 0.5, 5000, ['unix:/run/api.sock']],
      ['/', 'least', true, true, 0, 5000, ['localhost:3000', 'https://h.test/base']],
    ]);
    expect(JSON.stringify(plan)).not.toContain('secret');
  });

  test('the example of the documentation is one', async () => {
    const example = readFileSync(join(import.meta.dirname, '../../../../docs/examples/proxy.yaml'), 'utf8');
    mkdirSync(join(folder, 'public'));
    writeFileSync(join(folder, 'ca.pem'), 'certificates');
    const { routes } = await read(example);
    expect(
      routes.map(({ prefix, rate, cache, tryFiles, failures }) => [prefix, rate, cache, tryFiles, failures]),
    ).toEqual([
      ['/api/', 10, false, join(folder, 'public'), 3],
      ['/', 0, true, join(folder, 'public'), 3],
    ]);
    expect(routes[0]!.targets[0]).toMatchObject({
      base: '/v2/',
      to: { ca: 'certificates', insecure: false },
    });
  });

  test('JSON is YAML', async () => {
    expect((await read('{"upstreams": ["127.0.0.1:1"]}')).routes).toHaveLength(1);
  });

  test.each([
    ['', '1:1: this is no configuration. It begins with upstreams: and a list of them.'],
    ['cache: 1MB\n', '1:1: there are no upstreams. Write upstreams: and a list of them.'],
    ['upstream: [3000]\n', '1:1: there is no upstream here. Did you mean upstreams?'],
    [
      'upstreams: [3000]\nbalance: leest\n',
      '2:10: leest is no way to choose an upstream. Did you mean least?',
    ],
    [
      'upstreams: ["http://a b"]\n',
      '1:1: http://a b is no upstream. Write localhost:3000, https://host/base or unix:/path.',
    ],
    ['upstreams: [3000]\ntimeout: 5\n', '2:10: 5 is no time. Write it like 500ms, 10s or 2m.'],
    ['upstreams: [3000]\nlocations:\n  - rate: 1/s\n', '3:5: a location has a path. Write path: /api/.'],
    [
      'locations:\n  - path: /a\n',
      '2:5: the location /a has no upstreams. Name them here, or for all at the top of the file.',
    ],
    [
      'upstreams: [3000]\nlocations: [{ path: /a }, { path: /a/ }]\n',
      '1:1: two locations are /a/. Make one of them.',
    ],
    ['upstreams: [3000]\nstale: perhaps\n', '2:8: stale is true or false. Write stale: true.'],
    [
      'upstreams: [3000]\ntry-files: none\n',
      `2:12: There is no directory FOLDER/none. Name one that exists.`,
    ],
    [
      'upstreams: [3000]\nauth: { users: { ann: "" } }\n',
      'An empty password or token keeps nobody out. Give it one.',
    ],
    [
      'upstreams: [3000\n',
      '2:1: this cannot be read: Flow sequence in block collection must be sufficiently indented and end with a ] Is a quote missing, or a space behind a colon?',
    ],
    [`upstreams: ${'['.repeat(5000)}`, '1:1: this is nested too deeply. A location is as deep as it gets.'],
  ])('%j', async (text, says) => {
    expect((await complaint(text)).replace(folder, 'FOLDER')).toContain(says.slice(0, 60));
  });

  test('anything at all is read or complained about', async () => {
    const good = 'upstreams: [3000]\nhealth: { path: /h, every: 1s }\nlocations: [{ path: /a, rate: 1/s }]\n';
    await fc.assert(
      fc.asyncProperty(fc.nat(good.length), fc.string({ maxLength: 8 }), fc.nat(9), async (at, put, cut) => {
        await complaint(good.slice(0, at) + put + good.slice(at + cut));
      }),
      { numRuns: 80 },
    );
  });
});

describe('words and options', () => {
  const plan = (words: string[], options = {}) => planFrom({ words, options });

  test.each([
    [[], {}, 'There is nothing to lead to.'],
    [['no host'], {}, 'no host is no upstream.'],
    [['3000'], { cache: 'much' }, 'much is no size.'],
    [['3000'], { timeout: '0s' }, '0s is no time.'],
    [['3000'], { balance: 'most' }, 'most is no way to choose an upstream.'],
    [['3000'], { health: 'health' }, 'health is no path for --health.'],
    [['3000'], { auth: ['ann'] }, '--auth is a user and a password.'],
    [['3000'], { tryFiles: '/etc/hostname' }, '/etc/hostname is no directory.'],
    [['none.yaml'], {}, 'none.yaml cannot be read: ENOENT.'],
    [['none.yaml'], { tryFiles: '.' }, 'With a file, --try-files is said in the file.'],
  ])('%j %j', async (words, options, message) => {
    await expect(plan(words, options)).rejects.toThrow(message);
  });

  test.each([
    ['3000', '127.0.0.1:3000', 3000, ''],
    ['localhost:81', 'localhost:81', 81, ''],
    ['[::1]:82', '[::1]:82', 82, ''],
    ['http://127.0.0.1:81/base/', '127.0.0.1:81/base', 81, '/base/'],
    ['https://h.test', 'https://h.test', 443, ''],
    ['unix:/a.sock', 'unix:/a.sock', 80, ''],
  ])('the target %s', (word, text, port, base) => {
    expect(readTarget(word)).toMatchObject({ text, base, to: { port } });
  });

  test.each(['ftp://x', 'http://u:p@h', 'http://h/?q', 'h', 'h:99999', ''])('%j is no target', (word) => {
    expect(readTarget(word)).toBeTypeOf('string');
  });

  test.each([
    ['', '/', '/a?b', '/a?b'],
    ['/base', '/', '/a?b', '/base/a?b'],
    ['/base/', '/api/', '/api/a', '/base/a'],
    ['/', '/api/', '/api/a', '/a'],
    ['/base', '/api', '/api', '/base/'],
  ])('base %j and location %s: %s → %s', (base, prefix, path, there) => {
    expect(pathThere(base, prefix, path)).toBe(there);
  });

  test.each([
    ['http://h.test:1/base/x?y#z', '/api/x?y#z'],
    ['http://h.test:1/base', '/api/'],
    ['http://h.test:1/basement', 'http://h.test:1/basement'],
    ['https://h.test:1/base/x', 'https://h.test:1/base/x'],
    ['http://other.test/base/x', 'http://other.test/base/x'],
    ['/base/x', '/base/x'],
  ])('Location %s → %s', (location, here) => {
    const target = readTarget('http://h.test:1/base');
    expect(typeof target === 'string' ? target : locationHere(location, target, '/api/')).toBe(here);
  });
});
