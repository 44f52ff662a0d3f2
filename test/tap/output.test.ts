/** What the built tap prints, how it ends, and what it says to wrong words. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { client, target, text } from '../fixtures/engine.ts';
import { needs } from '../needs.ts';
import {
  cleanUp,
  cli,
  cpuSeconds,
  descriptors,
  folder,
  freePort,
  later,
  plainEnv,
  type Redis,
  redis,
  run,
  sockscope,
  type Tap,
  tap,
  until,
} from './program.ts';

const linux = needs('linux');
const lab = needs('linux', 'redis-server', 'redis-cli');

let server: Redis;
const taps: Tap[] = [];

beforeAll(async () => {
  if (lab.missing === null) {
    server = await redis();
  }
});
afterEach(async () => {
  await Promise.all(taps.splice(0).map((one) => one.stop()));
});
afterAll(cleanUp);

async function shown(words: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Tap> {
  const made = await tap(words, { json: false, env });
  taps.push(made);
  return made;
}

const say = async (port: number, ...words: string[]): Promise<string> =>
  (await run('redis-cli', ['-p', String(port), ...words])).out;

const ESCAPE = '\u001b[';

describe.skipIf(lab.missing)('what is printed', () => {
  it('one line per message, aligned, with the time that an answer took; then the summary', async () => {
    const one = await shown(['0', String(server.port)]);
    await say(one.port, 'SET', 'a', 'b');
    await until('the end of the connection', () => one.lines.some((line) => line.includes('closed by')));
    const { out, err, code } = await one.stop('SIGINT');
    expect([code, err]).toEqual([0, '']);
    expect(out).toMatch(/^127\.0\.0\.1:\d+ → localhost:\d+/);
    expect(out).toMatch(
      /^\d\d:\d\d:\d\d\.\d{6} {2}#1 {2,}127\.0\.0\.1:\d+ (redis-cli \d+ )?⇄ 127\.0\.0\.1:\d+, answered in /m,
    );
    expect(out).toMatch(/^\d\d:\d\d:\d\d\.\d{6} {2}#1 → redis {2}SET a b$/m);
    expect(out).toMatch(/^\d\d:\d\d:\d\d\.\d{6} {2}#1 ← redis {2}OK.* after SET$/m);
    expect(out).toMatch(/\n1 connection, 27 B → ← 5 B in /);
    expect(out).toMatch(/\nredis +SET +1 +1 /);
    expect(out).not.toContain(ESCAPE);
  });

  it('the times shown are those of the clock on the wall', async () => {
    const one = await shown(['0', String(server.port)]);
    const before = Date.now();
    await say(one.port, 'PING');
    await until('the line', () => one.lines.some((line) => line.includes('PING')));
    const line = one.lines.find((each) => each.includes('PING'))!;
    const [hours, minutes, seconds] = line.slice(0, 15).split(':').map(Number);
    // The tap's zone is the zone of this test.
    const day = new Date(before);
    const at =
      day.getHours() * 3600 + day.getMinutes() * 60 + day.getSeconds() + day.getMilliseconds() / 1000;
    const off = Math.abs(hours! * 3600 + minutes! * 60 + seconds! - at);
    expect(Math.min(off, 86_400 - off)).toBeLessThan(2);
  });

  it('--quiet: nothing but where it listens, and the summary', async () => {
    const one = await shown(['0', String(server.port), '--quiet']);
    await say(one.port, '-r', '10', 'PING');
    const { out } = await one.stop('SIGTERM');
    expect(out.split('\n')).toHaveLength(5);
    expect(out).toMatch(/redis +PING +10 +10 /);
  });

  it('--bytes: chunks and no messages', async () => {
    const one = await shown(['0', String(server.port), '--bytes']);
    await say(one.port, 'PING');
    await until('both chunks', () => one.lines.filter((line) => / B$/.test(line)).length >= 2);
    expect(one.lines.join('\n')).toMatch(/#1 → 14 B\n.*#1 ← 7 B/);
    expect(one.lines.join('\n')).not.toContain('redis  ');
  });

  it('-x: the bytes in hex, -vv: in ASCII, -v: every field', async () => {
    for (const [words, wanted] of [
      [['-x'], /2a 31 0d 0a 24 34 0d 0a {1,2}50 49 4e 47 0d 0a.*\*1\.\.\$4\.\.PING\.\./],
      [['-vv'], /\*1[\s\S]*PING/],
      [['-v'], /\n +command +PING\n/],
    ] as const) {
      const one = await shown(['0', String(server.port), ...words]);
      await say(one.port, 'PING');
      await until('the end', () => one.lines.some((line) => line.includes('closed by')));
      expect(one.lines.join('\n')).toMatch(wanted);
      expect(one.lines.join('\n')).toMatch(/redis {2}PING/);
    }
  });

  it('--decode none: connections and bytes are counted, nothing is read', async () => {
    const one = await shown(['0', String(server.port), '--decode', 'none']);
    await say(one.port, 'PING');
    await until('the end', () => one.lines.some((line) => line.includes('closed by')));
    const { out } = await one.stop();
    expect(out).not.toContain('PING');
    expect(out).toContain('1 connection, 14 B → ← 7 B in ');
  });

  it('--decode hex: a decoder by its name', async () => {
    const one = await shown(['0', String(server.port), '--decode', 'hex']);
    await say(one.port, 'PING');
    await until('the end', () => one.lines.some((line) => line.includes('closed by')));
    expect(one.lines.join('\n')).not.toMatch(/redis {2}PING/);
    expect(one.lines.join('\n')).toMatch(/#1 → \S+ /);
  });

  it('colour when asked for, none under NO_COLOR', async () => {
    for (const [words, env, coloured] of [
      [['-c'], {}, true],
      [[], { FORCE_COLOR: '1' }, true],
      [[], { NO_COLOR: '1', FORCE_COLOR: '1' }, false],
      [[], {}, false],
    ] as const) {
      const one = await shown(['0', String(server.port), ...words], env);
      await say(one.port, 'PING');
      await until('the end', () => one.lines.some((line) => line.includes('closed by')));
      expect([words, env, one.lines.slice(1).join('').includes(ESCAPE)]).toEqual([words, env, coloured]);
    }
  });

  it('secrets are hidden, and shown with --reveal', async () => {
    const plain = await shown(['0', String(server.port)]);
    await say(plain.port, 'AUTH', 'hunter2');
    await until('the line', () => plain.lines.some((line) => line.includes('AUTH')));
    expect(plain.lines.join('\n')).not.toContain('hunter2');
    const open = await shown(['0', String(server.port), '--reveal']);
    await say(open.port, 'AUTH', 'hunter2');
    await until('the line', () => open.lines.some((line) => line.includes('hunter2')));
  });

  it('several taps at once: each line says which', async () => {
    const second = await redis();
    const [a, b] = [await freePort(), await freePort()];
    const one = await tap([`${a}=${server.port}`, `${b}=${second.port}`], { json: false, taps: 2 });
    taps.push(one);
    expect(one.ports).toEqual([a, b]);
    await say(a, 'SET', 'where', 'first');
    await say(b, 'SET', 'where', 'second');
    expect([await say(server.port, 'GET', 'where'), await say(second.port, 'GET', 'where')]).toEqual([
      'first\n',
      'second\n',
    ]);
    await until('both lines', () => one.lines.filter((line) => line.includes('SET where')).length === 2);
    const lines = one.lines.filter((line) => line.includes('SET where'));
    expect(lines[0]).toContain(String(server.port));
    expect(lines[1]).toContain(String(second.port));
    expect((await one.stop('SIGINT')).out).toMatch(/2 connections, /);
  });

  it.each([
    ['while it looks after its target', ''],
    ['while it has nothing to do', '--always-accept'],
  ])('a reader that goes away ends it quietly, %s', async (_, word) => {
    const script = `"$0" "$1" tap 0 "$2" ${word} | { head -n 1; exec <&-; echo gone >&2; }`;
    const words = ['-c', script, process.execPath, cli, String(server.port)];
    // Its own process group: should the tap stay, it is ended with it.
    const shell = spawn('sh', words, { env: plainEnv, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    later(() => endGroup(shell.pid));
    const over = once(shell, 'close');
    let [out, err] = ['', ''];
    shell.stdout.on('data', (bytes: Buffer) => {
      out += String(bytes);
    });
    shell.stderr.on('data', (bytes: Buffer) => {
      err += String(bytes);
    });
    const port = await until('its first line', () => Number(/:(\d+) →/.exec(out)?.[1] ?? 0) || null);
    await until('the reader to go', () => err.includes('gone'));
    // It notices with the next thing that it says, and nothing else comes that would wake it.
    const one = client(port);
    later(() => one.socket.destroy());
    await until('the connection', () => one.connected);
    await over;
    expect(err).toBe('gone\n');
  });
});

function endGroup(pid: number | undefined): void {
  try {
    process.kill(-pid!, 'SIGKILL');
  } catch {
    // Gone, as it should be.
  }
}

describe.skipIf(lab.missing)('where it listens', () => {
  it('10000 above the target, or the next free port', async () => {
    const [first, second] = [await shown([String(server.port)]), await shown([String(server.port)])];
    // Above 55535 it goes on at 1024, where others may be.
    const wanted = server.port + 10_000 <= 65_535 ? server.port + 10_000 : server.port - 65_536 + 11_024;
    expect(first.port).toBeGreaterThanOrEqual(wanted);
    expect(second.port).toBeGreaterThan(first.port);
    expect([await say(first.port, 'PING'), await say(second.port, 'PING')]).toEqual(['PONG\n', 'PONG\n']);
  });

  it('-l and -r, and a word for one of them', async () => {
    const port = await freePort();
    const both = await shown(['-l', String(port), '-r', `127.0.0.1:${server.port}`]);
    expect(both.port).toBe(port);
    expect(await say(both.port, 'PING')).toBe('PONG\n');
    await both.stop();
    const one = await shown(['-r', String(server.port), `127.0.0.1:${port}`]);
    expect(one.port).toBe(port);
    expect(await say(port, 'PING')).toBe('PONG\n');
  });
});

describe.skipIf(linux.missing)('output that nobody reads', () => {
  it('delays nobody; what is not shown is counted', async () => {
    const made = await target(({ socket }) => socket.pipe(socket));
    later(() => made.close());
    const port = await freePort();
    const words = ['tap', String(port), String(made.port), '--bytes', '--json'];
    const child = spawn(process.execPath, [cli, ...words], {
      env: plainEnv,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    later(() => child.kill('SIGKILL'));
    const lines: string[] = [];
    let rest = '';
    child.stdout.setEncoding('utf8').on('data', (part: string) => {
      const parts = (rest + part).split('\n');
      rest = parts.pop() ?? '';
      lines.push(...parts.filter((line) => !line.includes('"base64"')));
    });
    await until('it to listen', () => lines.some((line) => line.includes('"standing"')));
    // The pipe is full after 64 kB.
    child.stdout.pause();
    const sink = client(port);
    let got = 0;
    sink.socket.on('data', (bytes: Buffer) => {
      got += bytes.length;
    });
    const size = 40e6;
    sink.socket.end(Buffer.alloc(size, 'x'));
    await until('all of it, there and back', () => got === size);
    child.stdout.resume();
    await until('the count of what was lost', () => lines.some((line) => line.includes('"type":"lost"')));
    const lost = JSON.parse(lines.find((line) => line.includes('"type":"lost"'))!) as { count: number };
    expect(lost.count).toBeGreaterThan(0);
    sink.socket.destroy();
    child.kill('SIGINT');
    const [code] = (await once(child, 'close')) as [number | null];
    expect(code).toBe(0);
  });
});

describe.skipIf(linux.missing)('how it ends', () => {
  it('two signals at once are one wish: it ends in order', async () => {
    const one = await shown(['0', '1', '--always-accept']);
    one.child.kill('SIGTERM');
    one.child.kill('SIGINT');
    const over = one.ended.then(({ code }) => code);
    const waited = new Promise((resolve) => setTimeout(() => resolve('still there'), 5000).unref());
    expect(await Promise.race([over, waited])).toBe(0);
  });

  it.each(['SIGINT', 'SIGTERM'] as const)(
    '%s: connections are closed, the summary, exit code 0',
    async (signal) => {
      const made = await target();
      later(() => made.close());
      const one = await shown(['0', String(made.port)]);
      const sink = client(one.port);
      await until('the connection', () => made.sockets.some(({ closed }) => !closed));
      const { code, out } = await one.stop(signal);
      expect(code).toBe(0);
      expect(out).toMatch(/\n1 connection, 0 B → ← 0 B in /);
      await until(
        'both ends to notice',
        () => (sink.ended || sink.closed) && made.sockets.every(({ ended, closed }) => ended || closed),
      );
      sink.socket.destroy();
    },
  );
});

const WRONG: readonly [words: string[], says: RegExp, code: number][] = [
  [[], /nothing to tap/, 2],
  [['1', '2', '3'], /3 addresses in a row/, 2],
  [['no.such.host.invalid:80'], /no\.such\.host\.invalid has no address/, 3],
  [['localhost'], /port/, 2],
  [['6379', '-l', '9', '-r', '10'], /both with -l\/-r and without/, 2],
  [['70000'], /70000 is not a port/, 2],
  [['0', '0'], /port 0 cannot be dialled/, 2],
  [['ftp://x:1'], /ftp:\/\/ is not known/, 2],
  [['6379', '--match', '('], /--match: .*[Uu]nterminated group/, 2],
  [['6379', '--replace', 'x'], /--replace: [\s\S]*\n {2}x\n {2} *\^/, 2],
  [['6379', '--replace', '(=>y'], /--replace: [\s\S]*\n {2}\(=>y\n {2} *\^/, 2],
  [
    ['6379', '--fault', 'latncy 5ms'],
    /there is no fault latncy; did you mean latency\?[\s\S]*\n {2}latncy 5ms\n {2}\^/,
    2,
  ],
  [['6379', '--fault', 'latency 5parsecs'], /--fault: [\s\S]*\n {2}latency 5parsecs\n {10}\^/, 2],
  [['6379', '--fault', 'reset when redis.comand == "SET"'], /There is no field 'redis\.comand'/, 2],
  [['6379', '--hold', 'redis.command =='], /redis\.command ==/, 2],
  [['6379', '--set', 'nonsense'], /--set: [\s\S]*\^/, 2],
  [['6379', '--tls', 'sideways'], /--tls sideways is not known/, 2],
  [['6379', '--decode', 'klingon'], /No decoder is called klingon/, 2],
  [['6379', '--seed', '-1'], /--seed takes a whole number/, 2],
  [['6379', '--dial-timeout', 'soon'], /soon is not a time/, 2],
  [['6379', '--proxy-out', '3'], /--proxy-out takes 1 or 2/, 2],
  [['6379', '--sockopt', 'nonsense=1'], /nonsense/, 2],
  [['6379', '--nonsense'], /unknown option '--nonsense'/, 2],
  [['192.0.2.7:0', '6379'], /Cannot listen on 192\.0\.2\.7:0/, 3],
  [['/nowhere/at/all/x.sock', '6379'], /Cannot listen on .*\/nowhere\/at\/all\/x\.sock/, 3],
  [['6379', '--config', '/nowhere/at/all.yaml'], /\/nowhere\/at\/all\.yaml/, 2],
];

describe.skipIf(linux.missing)('wrong words', () => {
  it.each(WRONG)('%j is refused in a sentence', async (words, says, code) => {
    const ran = await sockscope('tap', ...words);
    expect(ran.err).toMatch(says);
    expect(ran.err).not.toMatch(/this is a bug|\n {4}at /);
    expect([ran.code, ran.out]).toEqual([code, '']);
  });

  it('a port that is taken: by whom', async () => {
    const busy: Server = createServer().listen(0, '127.0.0.1');
    await once(busy, 'listening');
    later(() => busy.close());
    const { port } = busy.address() as AddressInfo;
    const ran = await sockscope('tap', String(port), '6379');
    expect(ran).toMatchObject({ code: 3, out: '' });
    expect(ran.err).toContain(`127.0.0.1:${port} is taken by `);
    expect(ran.err).toContain(`(pid ${process.pid})`);
  });

  it('a path that is taken', async () => {
    const place = join(folder(), 'busy.sock');
    const busy = createServer().listen(place);
    await once(busy, 'listening');
    later(() => busy.close());
    const ran = await sockscope('tap', place, '6379');
    expect(ran).toMatchObject({ code: 3, out: '' });
    expect(ran.err).toMatch(/busy\.sock is taken/);
  });
});

describe.skipIf(needs('linux', 'root', 'setpriv').missing)('another user', () => {
  it('cannot have a port below 1024, and is told why', async () => {
    const { code, out, err } = await run('setpriv', [
      ...['--reuid=65534', '--regid=65534', '--clear-groups', '--inh-caps=-all', '--bounding-set=-all'],
      ...[process.execPath, cli, 'tap', '81', '6379'],
    ]);
    expect({ code, out }).toEqual({ code: 3, out: '' });
    expect(err).toMatch(/Cannot listen on 127\.0\.0\.1:81: EACCES[\s\S]*1024/);
  });
});

describe.skipIf(linux.missing)('bad company', () => {
  it('a target that dies in the middle of a message: the client gets what there was, and it is said', async () => {
    const made = await target(({ socket }) => {
      socket.once('data', () => socket.end('$100\r\nonly this'));
    });
    later(() => made.close());
    const one = await tap(['0', String(made.port)]);
    taps.push(one);
    const sink = client(one.port);
    sink.socket.write('GET x\r\n');
    await until('the end', () => sink.ended);
    expect(text(sink)).toBe('$100\r\nonly this');
    sink.socket.destroy();
    await until('it to be told', () => one.of('ended').length > 0);
    expect(one.said('client')).toEqual(['GET x']);
    expect(one.of('ended')[0]).toMatchObject({ by: 'server' });
  });

  it('garbage goes through as it is, and the tap lives', async () => {
    const made = await target(({ socket }) => socket.pipe(socket));
    later(() => made.close());
    const one = await tap(['0', String(made.port)]);
    taps.push(one);
    let state = 12_345;
    for (let i = 0; i < 20; i++) {
      const bytes = Buffer.alloc(3000);
      for (let at = 0; at < bytes.length; at++) {
        state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
        bytes[at] = state >>> 16;
      }
      // Each begins like some protocol.
      Buffer.from(
        [
          '*9999999\r\n',
          'GET / HTTP/1.1\r\n',
          '\x16\x03\x01\xff\xff',
          'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
          '',
        ][i % 5]!,
        'latin1',
      ).copy(bytes);
      const sink = client(one.port);
      sink.socket.end(bytes);
      await until('all of it', () => sink.ended);
      expect(Buffer.concat(sink.data).equals(bytes)).toBe(true);
    }
    await until('all ends', () => one.of('ended').length === 20);
    expect(one.child.exitCode).toBe(null);
  });
});

const FEW = 64;

describe.skipIf(needs('linux', 'prlimit').missing)('descriptors run out', () => {
  it('it says so, rests without spinning, and goes on when some are free', async () => {
    const made = await target(({ socket }) => socket.pipe(socket));
    later(() => made.close());
    const one = await tap(['0', String(made.port)], { before: ['prlimit', `--nofile=${FEW}:${FEW}`] });
    taps.push(one);
    const room = FEW - descriptors(one.pid);
    const clients = Array.from({ length: room }, () => client(one.port));
    await until('it to be said', () => one.of('standing').some(({ state }) => state === 'resting'));
    expect(one.of('standing').find(({ state }) => state === 'resting')?.why).toMatch(/descriptor/);
    const before = cpuSeconds(one.pid);
    await pause(1500);
    expect(cpuSeconds(one.pid) - before).toBeLessThan(0.2);
    // Those that came in still work.
    const inside = clients.slice(0, 3);
    for (const each of inside) {
      each.socket.write('hello');
    }
    await until('echoes', () => inside.every((each) => text(each) === 'hello'));
    for (const each of clients.slice(0, room - 5)) {
      each.socket.destroy();
    }
    const waiting = clients.slice(room - 5);
    for (const each of waiting) {
      each.socket.write('late');
    }
    await until('those who waited', () => waiting.every((each) => each.closed || text(each) === 'late'));
    expect(waiting.some((each) => text(each) === 'late')).toBe(true);
    await until('it to listen again', () => one.of('standing').at(-1)?.state === 'listening');
    for (const each of waiting) {
      each.socket.destroy();
    }
    const after = client(one.port);
    after.socket.write('again');
    await until('a new one', () => text(after) === 'again');
    after.socket.destroy();
  });
});
