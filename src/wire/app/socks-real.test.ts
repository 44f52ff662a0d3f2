/** curl through a small SOCKS proxy to a web server. */
import { execFile } from 'node:child_process';
import { createServer as createHttp, type Server as Http } from 'node:http';
import { type AddressInfo, createConnection, createServer, type Server, type Socket } from 'node:net';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RecordedTurn, recorded } from '../../../test/fixtures/recorded.ts';
import { needs } from '../../../test/needs.ts';
import { anySplitGivesTheSame, hear, type Said } from './decoder.contract.ts';
import { decoder as http1 } from './http1.ts';
import { decoder } from './socks.ts';

const run = promisify(execFile);
const USER = 'ann';
const PASSWORD = 'hunter2';

/** Bytes when they are asked for. */
function reader(socket: Socket): (count: number) => Promise<Buffer> {
  let kept = Buffer.alloc(0);
  return async (count) => {
    while (kept.length < count) {
      const more = socket.read() as Buffer | null;
      if (more === null) {
        await new Promise<void>((resolve, reject) => {
          socket.once('readable', resolve);
          socket.once('end', () => reject(new Error('the client left')));
        });
      } else {
        kept = Buffer.concat([kept, more]);
      }
    }
    const taken = kept.subarray(0, count);
    kept = kept.subarray(count);
    return taken;
  };
}

async function untilZero(take: (count: number) => Promise<Buffer>): Promise<string> {
  let text = '';
  for (let byte = (await take(1))[0]!; byte !== 0; byte = (await take(1))[0]!) {
    text += String.fromCharCode(byte);
  }
  return text;
}

/** Where to, and how to say yes or no. Every name is this machine; `nowhere` is none. */
async function handshake(socket: Socket, take: (count: number) => Promise<Buffer>) {
  const [version, second] = await take(2);
  if (version === 4) {
    const head = await take(6);
    await untilZero(take);
    const host = head.readUInt32BE(2) < 256 ? await untilZero(take) : head.subarray(2).join('.');
    const say = (yes: boolean) => socket.write(Uint8Array.of(0, yes ? 90 : 91, 0, 0, 0, 0, 0, 0));
    return { host, port: head.readUInt16BE(0), say };
  }
  const methods = [...(await take(second!))];
  const method = methods.includes(2) ? 2 : 0;
  socket.write(Uint8Array.of(5, method));
  if (method === 2) {
    const user = (await take((await take(2))[1]!)).toString();
    const password = (await take((await take(1))[0]!)).toString();
    const right = user === USER && password === PASSWORD;
    socket.write(Uint8Array.of(1, right ? 0 : 1));
    if (!right) {
      return null;
    }
  }
  const [, , , type] = await take(4);
  const host =
    type === 3
      ? (await take((await take(1))[0]!)).toString()
      : type === 1
        ? (await take(4)).join('.')
        : (await take(16)).toString('hex');
  const say = (yes: boolean) => socket.write(Uint8Array.of(5, yes ? 0 : 4, 0, 1, 127, 0, 0, 1, 0x12, 0x34));
  return { host, port: (await take(2)).readUInt16BE(0), say };
}

async function serve(socket: Socket): Promise<void> {
  const target = await handshake(socket, reader(socket));
  if (target === null || target.host === 'nowhere') {
    target?.say(false);
    socket.end();
    return;
  }
  const far = createConnection(target.port, '127.0.0.1', () => {
    target.say(true);
    socket.pipe(far).pipe(socket);
  });
  far.on('error', () => socket.destroy());
}

async function listening(server: Server | Http): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

describe.skipIf(needs('curl').missing !== null)('curl', () => {
  const web = createHttp((request, response) => response.end(`you asked for ${request.url}`));
  const proxy = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    serve(socket).catch(() => socket.destroy());
  });
  let webPort = 0;
  let proxyPort = 0;

  beforeAll(async () => {
    webPort = await listening(web);
    proxyPort = await listening(proxy);
  });

  afterAll(async () => {
    await Promise.all([web, proxy].map((one) => new Promise((resolve) => one.close(resolve))));
  });

  async function asked(how: string, host: string, ...more: string[]): Promise<Said[]> {
    const [turns] = (await recorded(proxyPort, async (relay) => {
      const words = ['-s', '-m', '10', how, `127.0.0.1:${relay}`, ...more, `http://${host}:${webPort}/x`];
      await run('curl', words, { env: { PATH: process.env.PATH } }).catch(() => {});
    })) as [RecordedTurn[]];
    const inside = { others: [http1] };
    const { said, troubles } = hear(decoder, turns, inside);
    expect(troubles).toEqual([]);
    anySplitGivesTheSame(decoder, turns, inside, 5);
    const first = turns[0]!.bytes;
    const hint = {
      transport: 'tcp',
      clientPort: 1,
      serverPort: 2,
      side: 'client',
      midStream: false,
    } as const;
    expect(decoder.recognises(hint, first, 0, first.length)).toBeGreaterThanOrEqual(0.8);
    return said;
  }

  const lines = (said: Said[]) => said.map((one) => `${one.protocol}: ${one.summary}`);

  it('by name, and by name after a password', async () => {
    const said = await asked('--socks5-hostname', 'web.test');
    expect(lines(said).slice(0, 4)).toEqual([
      expect.stringMatching(/^socks: SOCKS5 offers none(, GSSAPI)?$/),
      'socks: SOCKS5 method none',
      `socks: SOCKS5 CONNECT web.test:${webPort}`,
      `socks: SOCKS5 succeeded: CONNECT web.test:${webPort}, from 127.0.0.1:4660`,
    ]);
    expect(said.slice(4).map((one) => [one.protocol, one.kind, one.name, one.asked])).toEqual([
      ['http', 'request', 'GET', null],
      ['http', 'reply', '200', 'GET'],
    ]);
    expect(said.at(-1)!.fields.body).toBe('you asked for /x');

    const known = await asked('--socks5-hostname', 'web.test', '--proxy-user', `${USER}:${PASSWORD}`);
    const sent = known.find((one) => one.name === 'Password')!;
    expect(sent.fields).toMatchObject({ user: USER, password: PASSWORD });
    expect(known.find((one) => one.name === 'accepted')!.asked).toBe('Password');
    expect(lines(known).join()).not.toContain(PASSWORD);
    expect(known.at(-1)!.protocol).toBe('http');
  });

  it('by address', async () => {
    const said = await asked('--socks5', '127.0.0.1');
    expect(said[2]!.fields).toMatchObject({ host: '127.0.0.1', port: webPort, command: 'CONNECT' });
    expect(said.at(-1)!.protocol).toBe('http');
  });

  it('what is refused is refused', async () => {
    const unknown = (await asked('--socks5-hostname', 'web.test', '--proxy-user', `${USER}:wrong`)).at(-1)!;
    expect([unknown.name, unknown.failed, unknown.asked]).toEqual(['refused', true, 'Password']);
    const nowhere = (await asked('--socks5-hostname', 'nowhere')).at(-1)!;
    expect([nowhere.name, nowhere.failed, nowhere.asked]).toEqual(['host unreachable', true, 'CONNECT']);
    const old = (await asked('--socks4a', 'nowhere')).at(-1)!;
    expect([old.name, old.failed, old.asked]).toEqual(['rejected or failed', true, 'CONNECT']);
  });

  it('SOCKS 4a by name, SOCKS 4 by address', async () => {
    const named = await asked('--socks4a', 'web.test', '--proxy-user', `${USER}:`);
    expect(named[0]!.fields).toEqual({
      version: '4a',
      command: 'CONNECT',
      host: 'web.test',
      port: webPort,
      user: USER,
    });
    expect(named.map((one) => one.protocol)).toEqual(['socks', 'socks', 'http', 'http']);
    const plain = await asked('--socks4', '127.0.0.1');
    expect(plain[0]!.fields).toMatchObject({ version: '4', host: '127.0.0.1' });
    expect(plain.at(-1)!.fields.body).toBe('you asked for /x');
  });
});
