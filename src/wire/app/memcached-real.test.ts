/** memcached, with and without users, through a relay. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createConnection, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { recorded } from '../../../test/fixtures/recorded.ts';
import { findProgram, needs } from '../../../test/needs.ts';
import { anySplitGivesTheSame, type Heard, hear } from './decoder.contract.ts';
import { decoder } from './memcached.ts';

describe.skipIf(needs('memcached').missing !== null)('real memcached', () => {
  const daemons: ChildProcess[] = [];
  const folder = mkdtempSync(join(tmpdir(), 'sockscope-memcached-'));

  async function started(...options: string[]): Promise<number> {
    const probe = createServer().listen(0, '127.0.0.1');
    await once(probe, 'listening');
    const { port } = probe.address() as AddressInfo;
    probe.close();
    await once(probe, 'close');
    const daemon = spawn(
      findProgram('memcached')!,
      ['-l', '127.0.0.1', '-p', String(port), '-U', '0', '-u', 'nobody', '-vv', ...options],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    daemons.push(daemon);
    let log = '';
    daemon.stderr!.on('data', (chunk) => {
      log += chunk;
    });
    while (!log.includes('server listening')) {
      await once(daemon.stderr!, 'data');
    }
    return port;
  }

  afterAll(async () => {
    for (const daemon of daemons) {
      const gone = once(daemon, 'exit');
      daemon.kill();
      await gone;
    }
    rmSync(folder, { recursive: true });
  });

  /** Everything at once, on one connection, which `quit` closes. */
  async function spoken(port: number, said: readonly string[]) {
    const [turns] = await recorded(port, async (relay) => {
      const socket = createConnection({ host: '127.0.0.1', port: relay });
      socket.resume();
      socket.write(said.join(''));
      await once(socket, 'close');
    });
    return turns!;
  }

  const replies = (heard: Heard) => heard.said.filter(({ kind }) => kind === 'reply');

  test('what it answers is understood and paired', async () => {
    const big = 'v'.repeat(100_000);
    const said = [
      'version\r\n',
      'set a 1 0 5\r\nhello\r\n',
      'add a 1 0 5\r\nhello\r\n',
      `set big 0 0 ${big.length}\r\n${big}\r\n`,
      'set quiet 0 0 1 noreply\r\n1\r\n',
      'get a big quiet nobody\r\n',
      'gets a\r\n',
      'cas a 0 0 1 999999\r\nx\r\n',
      'append a 0 0 1\r\n!\r\n',
      'gat 100 a\r\n',
      'touch a 100\r\n',
      'incr quiet 41\r\n',
      'incr a 1\r\n',
      'delete nobody\r\n',
      'stats settings\r\n',
      'mg a t s v k Oabc\r\n',
      'mg nobody v q\r\n',
      'ms meta 2 T100\r\nhi\r\n',
      'ma quiet\r\n',
      'me a\r\n',
      'md meta q\r\n',
      'mn\r\n',
      'nonsense\r\n',
      'verbosity 2\r\n',
      'flush_all\r\n',
      'quit\r\n',
    ];
    const turns = await spoken(await started(), said);
    const heard = hear(decoder, turns, { serverPort: 11211 });
    expect(heard.troubles).toEqual([]);
    const answers = replies(heard);
    expect(answers.map(({ asked, name }) => [asked, name])).toEqual([
      ['version', 'VERSION'],
      ['set', 'STORED'],
      ['add', 'NOT_STORED'],
      ['set', 'STORED'],
      ['get', 'VALUE'],
      ['gets', 'VALUE'],
      ['cas', 'EXISTS'],
      ['append', 'STORED'],
      ['gat', 'VALUE'],
      ['touch', 'TOUCHED'],
      ['incr', 'number'],
      ['incr', 'CLIENT_ERROR'],
      ['delete', 'NOT_FOUND'],
      ['stats', 'STAT'],
      ['mg', 'VA'],
      ['ms', 'HD'],
      ['ma', 'HD'],
      ['me', 'ME'],
      ['mn', 'MN'],
      ['nonsense', 'ERROR'],
      ['verbosity', 'OK'],
      ['flush_all', 'OK'],
    ]);
    expect(answers[4]!.fields).toMatchObject({ hits: 3, misses: 1 });
    expect(answers[8]!.fields).toMatchObject({ value: 'hello!' });
    expect(answers[10]!.fields.number).toBe(42);
    for (const one of heard.said) {
      for (const name of Object.keys(one.fields)) {
        expect(decoder.speaks.memcached).toContain(name);
      }
    }
    anySplitGivesTheSame(decoder, turns, { serverPort: 11211 }, 4);
  });

  test('whatever it refuses, the next command is paired with its own answer', async () => {
    const long = 'k'.repeat(251);
    const odd = [
      ...['', '   ', 'get', 'nonsense noreply', 'shutdown', 'set', 'set k 0 0', `get ${long}`, 'x', 'gat 1'],
      ...['set k 0 0 2\r\nabcd', 'set k 0 0 2 noreply\r\nabcd', 'set k 0 0 2\r\na', 'ms k 2 q k Oa\r\nabcd'],
      ...[`set ${long} 0 0 2\r\nab`, `set ${long} 0 0 2 noreply\r\nab`, `ms ${long} 2 q\r\nab`],
      ...['set k x 0 2\r\nab', 'set k -1 0 2\r\nab', 'set k 0 x 2\r\nab', 'set k 0 0 x\r\nab'],
      ...['set k 4294967296 0 2\r\nab', 'set k 18446744073709551615 0 2\r\nab'],
      ...[
        'set k 18446744073709551616 0 2\r\nab',
        'set k 0 9223372036854775808 2\r\nab',
        'set k +1 +1 +2\r\nab',
      ],
      ...['set k 0 0 -1\r\nab', 'set k 0 0 2147483646\r\nab', 'set k 0 0 4294967298\r\nab'],
      ...['set k 0 0 2 foo\r\nab', 'set k 0 0 2 foo noreply\r\nab', 'set k 0 0 noreply', 'cas k 0 0 2\r\nab'],
      ...['cas k 0 0 2 -1\r\nab', 'cas k 0 0 2 noreply\r\nab', 'cas k 0 0 2 1 noreply\r\nab'],
      ...['ms k', 'ms k S2\r\nab', 'ms k 2 Tx\r\nab', 'ms k 2 q Tx\r\nabcd', 'ms k 4294967298\r\nab'],
      ...['incr k noreply', 'incr k 1 2 noreply', 'delete k 5', 'delete k b c noreply', 'touch k noreply'],
      ...['flush_all 0 1 noreply', 'verbosity noreply', 'lru mode flat noreply', 'slabs automove 0 noreply'],
      ...['lru_crawler disable noreply', 'stats noreply', 'version noreply', 'cache_memlimit 64 noreply'],
      ...['cache_memlimit 1', 'bget k', 'get k\tb', 'gat x a', 'slabs reassign 1 2'],
    ];
    const turns = await spoken(await started(), [...odd.map((line) => `${line}\r\nmn\r\n`), 'quit\r\n']);
    const heard = hear(decoder, turns, { serverPort: 11211 });
    expect(heard.troubles).toEqual([]);
    for (const name of heard.said.flatMap(({ fields }) => Object.keys(fields))) {
      expect(decoder.speaks.memcached).toContain(name);
    }
    const all = replies(heard);
    expect(all.every(({ asked }) => asked !== null)).toBe(true);
    const pings = all.filter(({ name, asked }) => name === 'MN' || asked === 'mn');
    expect(pings.length).toBeGreaterThan(odd.length - 2);
    expect(pings.filter(({ name, asked }) => name !== 'MN' || asked !== 'mn')).toEqual([]);
    anySplitGivesTheSame(decoder, turns, { serverPort: 11211 }, 4);
  });

  test('quiet meta commands are answered as expected', async () => {
    const turns = await spoken(await started(), [
      'set a 0 0 1\r\n1\r\n',
      'ma a q\r\nma a q v\r\nma new q N0\r\nmn\r\n',
      'ma none k q\r\nmd none k q\r\nmg none k q\r\nmd a C999 k q\r\nmn\r\n',
      'mg a q\r\nmg a q v\r\nmn\r\n',
      'ms none 1 q MR k\r\n1\r\nms a 1 q ME k\r\n1\r\nms a 1 q k C999\r\n1\r\nms none 1 q k C999\r\n1\r\nmn\r\n',
      'md a q\r\nmn\r\nquit\r\n',
    ]);
    const heard = hear(decoder, turns, { serverPort: 11211 });
    expect(replies(heard).map(({ name, asked }) => [name, asked])).toEqual([
      ['STORED', 'set'],
      ['HD', 'ma'],
      ['MN', 'mn'],
      ['NF', 'ma'],
      ['NF', 'md'],
      ['EX', 'md'],
      ['MN', 'mn'],
      ['HD', 'mg'],
      ['VA', 'mg'],
      ['MN', 'mn'],
      ['NS', 'ms'],
      ['NS', 'ms'],
      ['EX', 'ms'],
      ['NF', 'ms'],
      ['MN', 'mn'],
      ['MN', 'mn'],
    ]);
  });

  test('a server with users is logged in to, and the password is not shown', async () => {
    const users = join(folder, 'users');
    writeFileSync(users, 'ann:geheim\n');
    // The server reads it as nobody.
    chmodSync(folder, 0o755);
    const port = await started('-Y', users);
    const steps = [
      ...['get a\r\n', 'set x 0 0 9\r\nann wrong\r\n', 'set x y z 10 noreply\r\nann geheim\r\n'],
      ...['set b 0 0 3\r\na b\r\n'],
    ];
    const [turns] = await recorded(port, async (relay) => {
      const socket = createConnection({ host: '127.0.0.1', port: relay });
      for (const step of steps) {
        await exchanged(socket, step);
      }
      socket.end('quit\r\n');
      await once(socket, 'close');
    });
    const heard = hear(decoder, turns!);
    expect(heard.troubles).toEqual([]);
    expect(heard.said.map(({ summary }) => summary)).toEqual([
      'get a',
      'CLIENT_ERROR unauthenticated',
      'set x as ann',
      'CLIENT_ERROR authentication failure',
      'set x as ann',
      'STORED',
      'set b 3 B "a b"',
      'STORED',
      'quit',
    ]);
    expect(heard.said[4]!.fields.password).toBe('geheim');
    anySplitGivesTheSame(decoder, turns!);
  });
});

/** Says it, and waits for a line. */
async function exchanged(socket: Socket, said: string): Promise<void> {
  socket.write(said);
  await once(socket, 'data');
}
