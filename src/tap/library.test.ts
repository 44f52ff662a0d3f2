import { afterEach, describe, expect, test } from 'vitest';
import { client, type Target, target, text } from '../../test/fixtures/engine.ts';
import { type Tap, tap } from './library.ts';

let open: Tap | null = null;
let server: Target | null = null;

afterEach(async () => {
  await open?.close();
  await server?.close();
  open = null;
  server = null;
});

/** The server answers each line with +OK. */
async function redis(options: Omit<Parameters<typeof tap>[0], 'target'> = {}): Promise<Tap> {
  server = await target(({ socket }) => {
    socket.on('data', () => socket.write('+OK\r\n'));
  });
  open = await tap({ target: server.port, ...options });
  return open;
}

async function asked(
  port: number,
  question = '*1\r\n$4\r\nPING\r\n',
): Promise<{ said: string; took: number }> {
  const one = client(port);
  const began = performance.now();
  one.socket.write(question);
  await new Promise((resolve) => one.socket.once(one.socket.destroyed ? 'close' : 'data', resolve));
  one.socket.destroy();
  return { said: text(one), took: performance.now() - began };
}

describe('the tap of the library', () => {
  test('hears every message', async () => {
    const t = await redis();
    expect((await asked(t.port)).said).toBe('+OK\r\n');
    const reply = await t.message(({ kind }) => kind === 'reply');
    expect(reply).toMatchObject({ protocol: 'redis', asked: 'PING', summary: 'OK' });
    expect(t.messages.map(({ name }) => name)).toEqual(['PING', expect.any(String)]);
    expect(await t.counts()).toMatchObject({ opened: 1, fromClient: 14, fromServer: 5 });
  });

  test('a fault is in force when its promise is kept, can be changed, and is gone when it is removed', async () => {
    const t = await redis();
    const slow = await t.fault('latency', { delayMs: 200 });
    expect((await asked(t.port)).took).toBeGreaterThan(190);
    await slow.change({ delayMs: 20 });
    const changed = await asked(t.port);
    expect(changed.took).toBeGreaterThan(15);
    expect(changed.took).toBeLessThan(190);
    await slow.remove();
    expect((await asked(t.port)).said).toBe('+OK\r\n');
  });

  test('a fault may be a text that waits for a message', async () => {
    const t = await redis();
    await t.fault('reply redis -MOVED 1 127.0.0.1:7000 when redis.command == "PING"');
    expect((await asked(t.port)).said).toBe('-MOVED 1 127.0.0.1:7000\r\n');
  });

  test('down is refused, and up is on the same port', async () => {
    const t = await redis();
    await t.disable();
    const refused = client(t.port);
    await new Promise((resolve) => refused.socket.once('close', resolve));
    expect(refused.error).toBe('ECONNREFUSED');
    await t.enable();
    expect((await asked(t.port)).said).toBe('+OK\r\n');
  });

  test('what is wrong with an order is one sentence', async () => {
    await expect(tap({ target: 'nowhere:' })).rejects.toMatchObject({ code: 'TAP_OPTIONS', exit: 2 });
    const t = await redis();
    await expect(t.fault('latenci')).rejects.toMatchObject({ message: 'There is no fault latenci.' });
    await expect(t.fault('latency', { delay: 1 })).rejects.toMatchObject({
      message: 'latency has no attribute delay.',
    });
  });
});
