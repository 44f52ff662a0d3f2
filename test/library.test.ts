import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { joinPairs, SockscopeError, sockets } from '../src/index.ts';
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

  it('the first example of docs/library.md runs as it stands', () => {
    const page = readFileSync(new URL('../docs/library.md', import.meta.url), 'utf8');
    const example = /```ts\n([\s\S]*?)```/.exec(page)![1]!;
    const folder = mkdtempSync(join(tmpdir(), 'sockscope-example-'));
    try {
      const entry = new URL('../dist/index.mjs', import.meta.url).href;
      writeFileSync(join(folder, 'example.mjs'), example.replace("'sockscope'", `'${entry}'`));
      execFileSync(process.execPath, [join(folder, 'example.mjs')], { encoding: 'utf8' });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
