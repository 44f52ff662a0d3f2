import { join } from 'node:path';
import { stage } from 'sockscope/lab';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';

// Real programs on real kernels: a busy machine may take its time.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const file = (name) => join(import.meta.dirname, name);

let lab;
let client;
let server;

beforeEach(async () => {
  lab = await stage();
  client = lab.host('client');
  server = lab.host('server');
  await serve();
});
afterEach(() => lab?.close());

async function serve() {
  const program = await server.start('node', [file('server.mjs')]);
  await program.prints(/ready/, 20_000);
}

/** What the client prints. */
async function asks(timeoutMs) {
  const program = await client.start('node', [file('client.mjs'), 'http://10.9.0.2:8080/tea', timeoutMs]);
  return (await program.prints(/\n/, 30_000)).trim();
}

it('a lost packet costs time, and nothing else', async () => {
  // The third packet that the client sends: after SYN and ACK its request.
  const rule = await lab.wire.drop({ from: 'client', nth: 3 });
  expect(await asks('20000')).toBe('200 you asked for /tea');
  expect(await rule.hits()).toBe(1);
  await lab.settled();
  expect(lab.seen.packets({ from: 'client', note: 'retransmission' })).toHaveLength(1);
});

it('a cut wire is silence, not an error: only a timeout of its own saves the client', async () => {
  await lab.wire.cut('server');
  expect(await asks('1000')).toBe('failed: TimeoutError');
  await lab.wire.plug('server');
  expect(await asks('20000')).toBe('200 you asked for /tea');
});

it('after a power failure nobody listens until the server is started again', async () => {
  await server.powerOff();
  await server.boot();
  expect(await asks('20000')).toBe('failed: ECONNREFUSED');
  await serve();
  expect(await asks('20000')).toBe('200 you asked for /tea');
});
