/** What the built tap promises, each promise by its own test with sockets on both sides. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { client, type Target, target, text } from '../fixtures/engine.ts';
import { needs } from '../needs.ts';
import { cleanUp, later, plainEnv, rssBytes, run, type Tap, tap, until } from './program.ts';

const linux = needs('linux');
const lab = needs('linux', 'namespace', 'ip', 'nsenter');
const python = needs('linux', 'python3');

afterEach(cleanUp);

async function behind(onConnection?: Parameters<typeof target>[0], port?: number): Promise<Target> {
  const made = await target(onConnection, port);
  later(() => made.close());
  return made;
}

function enter(port: number): ReturnType<typeof client> {
  const one = client(port);
  later(() => one.socket.destroy());
  return one;
}

const last = (one: Tap): unknown => one.of('standing').at(-1)?.state;

describe.skipIf(linux.missing)('1. FIN is passed on as FIN', () => {
  it('a FIN from the client leaves the other direction open', async () => {
    const server = await behind();
    const through = await tap(['0', String(server.port)]);
    const one = enter(through.port);
    one.socket.end('question');
    const far = await until('the FIN', () => server.sockets.find(({ ended }) => ended));
    expect(text(far)).toBe('question');
    expect([one.ended, far.closed]).toEqual([false, false]);
    far.socket.write('answer');
    await until('the answer', () => text(one) === 'answer');
    far.socket.end(', late');
    await until('the end', () => one.closed);
    expect([text(one), one.error, far.error]).toEqual(['answer, late', null, null]);
    await until('it to be told', () => through.of('ended').length === 1);
    expect(through.of('half-closed')[0]).toMatchObject({ from: 'client' });
    expect(through.of('ended')[0]).toMatchObject({ how: 'fin', by: 'client', fromClient: 8, fromServer: 12 });
  });

  it('a FIN from the server leaves the other direction open', async () => {
    const server = await behind(({ socket }) => socket.end('greeting'));
    const through = await tap(['0', String(server.port)]);
    const one = enter(through.port);
    await until('the FIN', () => one.ended);
    one.socket.write('still here');
    const far = await until('the words', () => server.sockets.find((seen) => text(seen) === 'still here'));
    one.socket.end();
    await until('both ends', () => one.closed && far.closed);
    expect([one.error, far.error, text(one)]).toEqual([null, null, 'greeting']);
  });
});

describe.skipIf(linux.missing)('2. RST is passed on as RST', () => {
  it('from the server to the client, after what came before it', async () => {
    const server = await behind(({ socket }) => socket.write('last words'));
    const through = await tap(['0', String(server.port)]);
    const one = enter(through.port);
    await until('the words', () => text(one) === 'last words');
    server.sockets.find(({ socket }) => !socket.destroyed)!.socket.resetAndDestroy();
    await until('the end', () => one.closed);
    expect(one.error).toBe('ECONNRESET');
    await until('it to be told', () => through.of('ended').length === 1);
    expect(through.of('ended')[0]).toMatchObject({ how: 'reset', by: 'server' });
  });

  it('from the client to the server', async () => {
    const server = await behind();
    const through = await tap(['0', String(server.port)]);
    const one = enter(through.port);
    one.socket.write('x');
    const far = await until('the byte', () => server.sockets.find((seen) => text(seen) === 'x'));
    one.socket.resetAndDestroy();
    await until('the end', () => far.closed);
    expect(far.error).toBe('ECONNRESET');
    await until('it to be told', () => through.of('ended').length === 1);
    expect(through.of('ended')[0]).toMatchObject({ how: 'reset', by: 'client' });
  });

  it('a reset after a half-close still arrives', async () => {
    const server = await behind();
    const through = await tap(['0', String(server.port)]);
    const one = enter(through.port);
    one.socket.end('bye');
    const far = await until('the FIN', () => server.sockets.find(({ ended }) => ended));
    far.socket.resetAndDestroy();
    await until('the end', () => one.closed);
    expect(one.error).toBe('ECONNRESET');
  });
});

describe.skipIf(linux.missing)('3. a target that takes no connections', () => {
  it('refused upstream is refused client from the start, until the target is there', async () => {
    const gone = await behind();
    await gone.close();
    const through = await tap(['0', String(gone.port)]);
    await until('refusing', () => last(through) === 'refusing');
    const refused = enter(through.port);
    await until('the refusal', () => refused.closed);
    expect(refused.error).toBe('ECONNREFUSED');
    await behind(({ socket }) => socket.end('back'), gone.port);
    await until('listening', () => last(through) === 'listening');
    const one = enter(through.port);
    await until('its words', () => one.ended);
    expect(text(one)).toBe('back');
  });

  it('it goes and comes back twice while the tap runs; connections that stand are not touched', async () => {
    const server = await behind();
    const through = await tap(['0', String(server.port)]);
    const standing = enter(through.port);
    standing.socket.write('x');
    const far = await until('the first', () => server.sockets.find((seen) => text(seen) === 'x'));
    let listener = server.server;
    for (const round of [1, 2]) {
      listener.close();
      await until('refusing', () => last(through) === 'refusing');
      const refused = enter(through.port);
      await until('the refusal', () => refused.closed);
      expect([round, refused.error]).toEqual([round, 'ECONNREFUSED']);
      listener = createServer((socket) => socket.end(`round ${round}`));
      listener.listen(server.port, '127.0.0.1');
      later(() => listener.close());
      await once(listener, 'listening');
      await until('listening', () => last(through) === 'listening');
      const one = enter(through.port);
      await until('its words', () => one.ended);
      expect(text(one)).toBe(`round ${round}`);
    }
    far.socket.write('still here');
    await until('the words', () => text(standing) === 'still here');
    listener.close();
  });

  it('--always-accept: the client is let in and closed, and that is said', async () => {
    // tcpmux: nobody listens there, and no program is given that port by chance.
    const through = await tap(['0', '127.0.0.1:1', '--always-accept']);
    const one = enter(through.port);
    await until('the end', () => one.ended || one.closed);
    expect([one.connected, one.error, one.data]).toEqual([true, null, []]);
    await until('it to be told', () => through.of('ended').length === 1);
    expect(through.of('dial-failed')).toEqual([expect.objectContaining({ errno: -111, told: 'closed' })]);
  });
});

/** A network of its own: 192.0.2.1 swallows what it is sent, 198.51.100.1 has no route. */
const NETWORK = [
  'ip link set lo up',
  'ip link add v0 type veth peer name v1',
  'ip addr add 192.0.2.254/24 dev v0',
  'ip link set v0 up',
  'ip link set v1 up',
  'ip neigh replace 192.0.2.1 lladdr 02:00:00:00:00:01 dev v0 nud permanent',
].join(' && ');

/** How a connect goes, seen from inside that network: its errno's name, or `connected`, and what came afterwards. */
async function knock(through: Tap, port: number, patience: number): Promise<string[]> {
  const script = `
    const s = require('net').connect(${port}, '127.0.0.1', () => console.log('connected'));
    s.on('error', (e) => console.log(e.code)).on('data', (b) => { console.log(String(b)); s.destroy(); });
    setTimeout(() => { if (s.connecting) console.log('nothing'); s.destroy(); process.exit(); }, ${patience}).unref();
    s.on('close', () => process.exit());`;
  const words = [
    '-t',
    String(through.pid),
    '-U',
    '-n',
    '--preserve-credentials',
    process.execPath,
    '-e',
    script,
  ];
  return (await run('nsenter', words)).out.trim().split('\n');
}

describe.skipIf(lab.missing)('3. and 4. a target that does not answer', () => {
  const inside = ['unshare', '-Urn', 'sh', '-c', `${NETWORK} && exec "$@"`, 'sh'];

  it('a dial that takes too long is said, its client is reset, and the next one is not answered either', async () => {
    const through = await tap(['127.0.0.1:7001', '192.0.2.1:9', '--dial-timeout', '1500ms'], {
      before: inside,
    });
    expect(await knock(through, 7001, 10_000)).toEqual(['connected', 'ECONNRESET']);
    await until('it to be told', () => through.of('dial-failed').length > 0);
    expect(through.of('dial-failed')[0]).toMatchObject({ errno: -110, told: 'reset', target: '192.0.2.1:9' });
    expect(Number(through.of('dial-failed')[0]!.took)).toBeGreaterThanOrEqual(1.5e9);
    await until('silence', () => last(through) === 'silent');
    expect(await knock(through, 7001, 700)).toEqual(['nothing']);
  });

  it('no route to the target: clients are refused, and the reason is said', async () => {
    const through = await tap(['127.0.0.1:7001', '198.51.100.1:9'], { before: inside });
    await until('refusing', () => last(through) === 'refusing');
    expect(through.of('standing').at(-1)?.why).toBe('-101');
    expect(await knock(through, 7001, 5000)).toEqual(['ECONNREFUSED']);
  });

  it('a black-holed dial delays nobody else', async () => {
    const server = `require('net').createServer((s) => s.end('hello')).listen(7009, '127.0.0.1', () => console.error('up'))`;
    const words = ['127.0.0.1:7001=192.0.2.1:9', '127.0.0.1:7002=127.0.0.1:7009', '--always-accept'];
    const through = await tap(words, { before: inside, taps: 2 });
    const near = spawn(
      'nsenter',
      ['-t', String(through.pid), '-U', '-n', '--preserve-credentials', process.execPath, '-e', server],
      { env: plainEnv, stdio: ['ignore', 'ignore', 'pipe'] },
    );
    later(() => near.kill());
    await once(near.stderr, 'data');
    const stuck = Array.from({ length: 3 }, () => knock(through, 7001, 2500));
    await until('three dials', () => through.of('opened').length >= 3);
    const began = performance.now();
    expect(await knock(through, 7002, 2000)).toEqual(['connected', 'hello']);
    expect(performance.now() - began).toBeLessThan(2000);
    expect(through.of('dialled').filter(({ target }) => target === '192.0.2.1:9')).toEqual([]);
    await Promise.all(stuck);
  });
});

const MEGABYTE = 1e6;
const PUSHED = 500 * MEGABYTE;
/** What the process may grow by while a writer pushes and nobody reads: one side's queue, the ring and the young heap. */
const GROWTH_MAX = 64 * MEGABYTE;
/** While bytes move through stages, each chunk is garbage afterwards, and not collected at once. */
const GROWTH_MOVING = 192 * MEGABYTE;

describe.skipIf(linux.missing)('5. a stopped reader stops the writer', () => {
  it.each([
    ['with a decoder', []],
    ['without', ['--decode', 'none']],
    ['through a fault', ['--fault', 'latency 1ms up']],
    ['through a rule', ['--replace', 'up:never in there=>x']],
  ])('500 MB, memory bounded, nothing lost when it reads on: %s', async (_, words) => {
    const server = await behind(({ socket }) => {
      socket.pause();
    });
    const through = await tap(['0', String(server.port), '--quiet', ...words], { json: false });
    const writer = connect(through.port, '127.0.0.1');
    later(() => writer.destroy());
    await once(writer, 'connect');
    const before = rssBytes(through.pid);
    const chunk = Buffer.alloc(MEGABYTE, 'x');
    let pushed = 0;
    const push = (): void => {
      while (pushed < PUSHED) {
        pushed += chunk.length;
        if (!writer.write(chunk)) {
          return;
        }
      }
      writer.end();
    };
    writer.on('drain', push);
    push();
    // Nothing moves any more when nothing has moved for a while.
    let still = 0;
    let at = -1;
    await until('the writer to stand still', () => {
      still = writer.bytesWritten - writer.writableLength === at ? still + 1 : 0;
      at = writer.bytesWritten - writer.writableLength;
      return still > 40;
    });
    const grown = rssBytes(through.pid) - before;
    expect(pushed).toBeLessThan(PUSHED / 4);
    expect(grown).toBeLessThan(GROWTH_MAX);
    console.log(
      `${words.join(' ')}: ${pushed / MEGABYTE} MB left the writer, the tap grew by ${(grown / MEGABYTE).toFixed(1)} MB (bound ${GROWTH_MAX / MEGABYTE} MB)`,
    );
    const far = await until('the connection', () => server.sockets.at(-1));
    let got = 0;
    far.socket.removeAllListeners('data');
    far.socket.on('data', (bytes: Buffer) => {
      got += bytes.length;
    });
    far.socket.resume();
    await until('all of it', () => got === PUSHED && far.ended);
    expect(rssBytes(through.pid) - before).toBeLessThan(GROWTH_MOVING);
  });
});

describe.skipIf(linux.missing)('5. a client that never reads', () => {
  it('stops the server, and memory stays bounded', async () => {
    const chunk = Buffer.alloc(MEGABYTE, 'x');
    let pushed = 0;
    const server = await behind(({ socket }) => {
      const push = (): void => {
        do {
          pushed += chunk.length;
        } while (socket.write(chunk) && pushed < PUSHED);
      };
      socket.once('data', push).on('drain', () => pushed < PUSHED && push());
    });
    const through = await tap(['0', String(server.port), '--quiet'], { json: false });
    const before = rssBytes(through.pid);
    const lazy = connect(through.port, '127.0.0.1').pause();
    later(() => lazy.destroy());
    lazy.write('go on');
    let still = 0;
    let at = 0;
    await until('the server to stand still', () => {
      still = pushed > 0 && pushed === at ? still + 1 : 0;
      at = pushed;
      return still > 40;
    });
    expect(pushed).toBeLessThan(PUSHED / 4);
    expect(rssBytes(through.pid) - before).toBeLessThan(GROWTH_MAX);
    // Others are served meanwhile.
    const other = enter(through.port);
    await until('another', () => other.connected);
    other.socket.end('x');
    await until('its words', () => server.sockets.some((seen) => text(seen) === 'x'));
    lazy.destroy();
  });
});

describe.skipIf(python.missing)('7. urgent data', () => {
  it('arrives in its place as an ordinary byte, and nothing is lost', async () => {
    const server = await behind();
    const through = await tap(['0', String(server.port)]);
    const script = `
import socket, sys, time
s = socket.create_connection(('127.0.0.1', int(sys.argv[1])))
s.sendall(b'before')
time.sleep(0.1)
s.send(b'!', socket.MSG_OOB)
time.sleep(0.1)
s.sendall(b'after')
s.shutdown(socket.SHUT_WR)
s.recv(1)`;
    const asked = run('python3', ['-c', script, String(through.port)]);
    const far = await until('the end', () => server.sockets.find(({ ended }) => ended));
    expect(text(far)).toBe('before!after');
    far.socket.end();
    expect((await asked).code).toBe(0);
  });

  it('also backwards', async () => {
    const script = `
import socket, sys
l = socket.create_server(('127.0.0.1', 0))
print(l.getsockname()[1], flush=True)
while True:
  s, _ = l.accept()
  s.sendall(b'before')
  s.send(b'!', socket.MSG_OOB)
  s.sendall(b'after')
  s.shutdown(socket.SHUT_WR)
  s.recv(1)
  s.close()`;
    const server = spawn('python3', ['-c', script], { env: plainEnv, stdio: ['ignore', 'pipe', 'inherit'] });
    later(() => server.kill());
    const [first] = (await once(server.stdout, 'data')) as [Buffer];
    const through = await tap(['0', String(first).trim()]);
    const one = enter(through.port);
    await until('the end', () => one.ended);
    expect(text(one)).toBe('before!after');
  });
});

describe.skipIf(needs('linux', 'ss').missing)('7. keep-alive', () => {
  it('is set on both sides as asked for, and not otherwise', async () => {
    const server = await behind();
    const asked = await tap(['0', String(server.port), '--sockopt', 'keepalive=1,keepidle=5']);
    const plain = await tap(['0', String(server.port)]);
    for (const one of [asked, plain]) {
      enter(one.port);
      await until('the dial', () => one.of('dialled').length === 1);
      const table = spawnSync('ss', ['-Htanpo', 'state', 'established'], { encoding: 'utf8' }).stdout;
      const own = table.split('\n').filter((line) => line.includes(`pid=${one.pid},`));
      expect(own).toHaveLength(2);
      expect(own.filter((line) => /timer:\(keepalive/.test(line))).toHaveLength(one === asked ? 2 : 0);
    }
  });
});
