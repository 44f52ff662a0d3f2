import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { joinPairs, SockscopeError, sockets } from '../src/index.ts';
import { configError, readConfig } from '../src/tap/config.ts';
import { readFault } from '../src/tap/fault-text.ts';
import { faults } from '../src/tap/faults.ts';
import { needs } from './needs.ts';

const linux = needs('linux');

describe.skipIf(linux.missing)('the library', () => {
  let server: Server;
  let port = 0;
  beforeAll(async () => {
    server = createServer((socket) => socket.resume());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    port = Number((server.address() as { port: number }).port);
  });
  afterAll(() => new Promise((resolve) => server.close(resolve)));

  it('sockets({ filter }) finds a listener and its owner', () => {
    const { sockets: rows } = sockets({ filter: `listen and :${port}`, owners: 'always' });
    expect(rows).toHaveLength(1);
    expect(rows[0]).toMatchObject({
      protocol: 'tcp',
      state: 'LISTEN',
      local: { address: '127.0.0.1', port },
      accept: { used: 0, limit: 511 },
    });
    expect(rows[0]!.owners[0]).toMatchObject({ pid: process.pid });
  });

  it('a bad filter throws a SockscopeError with a code and a hint', () => {
    expect(() => sockets({ filter: 'dport >' })).toThrow(SockscopeError);
  });

  it('details bring buffers and congestion control, and without them there are none', () => {
    const filter = `:${port}`;
    const [detailed] = sockets({ filter, details: true }).sockets;
    expect(detailed?.congestion).toMatch(/^[a-z0-9_]+$/);
    expect(detailed?.memory?.receiveLimit).toBeGreaterThan(0);
    expect(sockets({ filter }).sockets[0]).not.toHaveProperty('congestion');
  });

  it('joinPairs gives both ends of a connection on this machine', async () => {
    const { connect } = await import('node:net');
    const client = connect(port, '127.0.0.1');
    await new Promise((resolve) => client.once('connect', resolve));
    const { pairs } = joinPairs(sockets({ protocols: ['tcp'] }).sockets);
    const pair = pairs.find((one) => one.server.local.port === port);
    expect(pair).toMatchObject({ how: 'listen', client: { local: { port: client.localPort } } });
    client.destroy();
  });

  /** The example that uses this function, run as it stands; what it prints. */
  function example(of: string): string {
    const page = readFileSync(new URL('../docs/library.md', import.meta.url), 'utf8');
    const codes = [...page.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code]) => code!);
    const code = codes.find((one) => one.includes(`${of}(`))!;
    const folder = mkdtempSync(join(tmpdir(), 'sockscope-example-'));
    try {
      const entry = new URL('../dist/index.mjs', import.meta.url).href;
      writeFileSync(join(folder, 'example.mjs'), code.replace("'sockscope'", `'${entry}'`));
      return execFileSync(process.execPath, [join(folder, 'example.mjs')], {
        encoding: 'utf8',
        timeout: 20_000,
      });
    } finally {
      rmSync(folder, { recursive: true });
    }
  }

  it('the first example of docs/library.md runs as it stands', () => {
    example('joinPairs');
  });

  it('so does the example of a tap, to its end', () => {
    const [status, message] = example('tap').split('\n');
    expect(status).toBe('503');
    expect(message).toMatch(/^503 Service Unavailable .*opened: [1-3]/);
  });
});

/** Texts between the lines ```LANGUAGE and ```. */
function fenced(page: string, language: string): string[] {
  const text = readFileSync(new URL(`../docs/${page}`, import.meta.url), 'utf8');
  return text
    .split(`\`\`\`${language}\n`)
    .slice(1)
    .map((rest) => rest.split('```')[0]!);
}

describe('what the pages about taps say', () => {
  it('the configuration of docs/tap.md can be read, and orders its four taps', async () => {
    const [yaml] = fenced('tap.md', 'yaml');
    const read = await readConfig(yaml!);
    if (!('taps' in read)) {
      throw configError('docs/tap.md', read);
    }
    expect(read.taps.map(({ name, faults }) => [name, faults.length])).toEqual([
      ['cache', 2],
      ['web', 0],
      ['dns', 1],
      ['socks5', 0],
    ]);
  });

  it('every fault that docs/tap-faults.md writes can be read, and every fault is in its table', () => {
    const page = readFileSync(new URL('../docs/tap-faults.md', import.meta.url), 'utf8');
    const quoted = [...page.matchAll(/--fault '([^']+)'/g)].map(([, text]) => text!);
    const listed = fenced('tap-faults.md', '')
      .find((text) => text.startsWith('reset after'))!
      .split(/ {3,}|\n/)
      .map((text) => text.trim());
    const texts = [...quoted, ...listed].filter((text) => text !== '');
    expect(texts.length).toBeGreaterThan(15);
    for (const text of texts) {
      expect([text, readFault(text)]).toEqual([
        text,
        expect.not.objectContaining({ why: expect.anything() }),
      ]);
    }
    for (const { name } of faults) {
      expect(page).toContain(`| \`${name}\``);
    }
  });
});
