/** The real server, its own client, and a real replica, through a relay. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, createConnection, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { recorded } from '../../../test/fixtures/recorded.ts';
import { needs } from '../../../test/needs.ts';
import { anySplitGivesTheSame, hear } from './decoder.contract.ts';
import { decoder } from './redis.ts';

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  return port;
}

describe.skipIf(needs('redis-server', 'redis-cli').missing !== null)('real Redis', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sockscope-redis-'));
  const running: ChildProcess[] = [];
  let port = 0;

  async function start(...more: string[]): Promise<number> {
    const own = await freePort();
    const data = mkdtempSync(join(folder, 'data-'));
    const options = ['--port', String(own), '--bind', '127.0.0.1', '--save', '', '--dir', data, ...more];
    const child = spawn('redis-server', options, { stdio: ['ignore', 'pipe', 'ignore'] });
    running.push(child);
    let log = '';
    child.stdout.on('data', (chunk) => {
      log += chunk;
    });
    while (!log.includes('Ready to accept connections')) {
      await once(child.stdout, 'data');
    }
    return own;
  }

  async function cli(at: number, args: string[], input = ''): Promise<string> {
    const child = spawn('redis-cli', ['-p', String(at), ...args], {
      stdio: [input === '' ? 'ignore' : 'pipe', 'pipe', 'ignore'],
    });
    let out = '';
    child.stdout!.on('data', (chunk) => {
      out += chunk;
    });
    child.stdin?.end(input);
    await once(child, 'close');
    return out;
  }

  beforeAll(async () => {
    port = await start('--repl-diskless-sync-delay', '0');
  });

  afterAll(async () => {
    await Promise.all(
      running
        .filter((child) => child.exitCode === null)
        .map((child) => {
          const gone = once(child, 'exit');
          child.kill();
          return gone;
        }),
    );
    rmSync(folder, { recursive: true });
  });

  test.each([[[]], [['-3']]])('commands of redis-cli %j and what comes back', async (options) => {
    const lines = [
      'FLUSHALL',
      'SET user:7 "Ann Ö"',
      'GET user:7',
      'GET nobody',
      'INCR user:7',
      'RPUSH list a b c',
      'LRANGE list 0 -1',
      'HSET hash f v',
      'HGETALL hash',
      'ZADD z 1.5 m',
      'ZSCORE z m',
      'MULTI',
      'SET a 1',
      'EXEC',
      'XADD stream 1-1 f v',
      'XREAD STREAMS stream 0',
      'CONFIG SET requirepass ""',
      'EVAL "return {1,{2,false},redis.status_reply(\'fine\')}" 0',
      'BLPOP nothing 0.01',
      'OBJECT ENCODING user:7',
      'NONSENSE x',
    ];
    const [turns] = await recorded(port, async (relay) => {
      await cli(relay, options, `${lines.join('\n')}\n`);
    });
    const heard = hear(decoder, turns!);
    expect(heard.troubles).toEqual([]);
    const requests = heard.said.filter(({ kind }) => kind === 'request');
    const replies = heard.said.filter(({ kind }) => kind === 'reply');
    expect(requests).toHaveLength(replies.length);
    expect(replies.map(({ asked }) => asked)).toEqual(requests.map(({ name }) => name));
    const of = (name: string) => replies.filter(({ asked }) => asked === name);
    expect(of('GET').map(({ fields }) => fields.reply)).toEqual(['Ann Ö', null]);
    expect(of('INCR')[0]).toMatchObject({ failed: true, fields: { 'error.code': 'ERR' } });
    expect(of('LRANGE')[0]!.fields.reply).toEqual(['a', 'b', 'c']);
    expect(of('HGETALL')[0]!.fields.reply).toEqual(options.length === 0 ? ['f', 'v'] : { f: 'v' });
    expect(of('ZSCORE')[0]!.fields.reply).toBe(options.length === 0 ? '1.5' : 1.5);
    expect(of('SET').at(-1)!.fields.queued).toBe(true);
    expect(of('EXEC')[0]!.fields).toMatchObject({ commands: ['SET'], reply: ['OK'] });
    expect(of('EVAL')[0]!.fields.reply).toEqual([1, [2, null], 'fine']);
    expect(of('BLPOP')[0]!.fields.type).toBe('null');
    expect(of('NONSENSE')[0]!.summary).toContain('ERR unknown command');
    anySplitGivesTheSame(decoder, turns!, {}, 4);
  });

  test('the decoder is certain of both sides', async () => {
    const [turns] = await recorded(port, async (relay) => {
      await cli(relay, ['LRANGE', 'list', '0', '-1']);
    });
    for (const { side, bytes } of turns!) {
      const hint = { transport: 'tcp', clientPort: 1, serverPort: 2, side, midStream: false } as const;
      expect(decoder.recognises(hint, bytes, 0, bytes.length)).toBeGreaterThanOrEqual(0.8);
    }
  });

  test('a large value and a pipeline of 3000', async () => {
    const value = 'x'.repeat(300_000);
    const commands = `SET big ${value}\r\n${'INCR counter\r\n'.repeat(3000)}GET big\r\n`;
    const [turns] = await recorded(port, async (relay) => {
      await cli(
        relay,
        ['--pipe'],
        commands.replace(/SET big (.*)\r\n/, `*3\r\n$3\r\nSET\r\n$3\r\nbig\r\n$300000\r\n$1\r\n`),
      );
    });
    const { said, troubles } = hear(decoder, turns!);
    expect(troubles).toEqual([]);
    const sent = said.filter(({ name, kind }) => kind === 'request' && name === 'INCR');
    expect(sent).toHaveLength(3000);
    expect(said.filter(({ asked }) => asked === 'INCR')).toHaveLength(3000);
    expect(said.find(({ asked }) => asked === 'GET')!.bytes).toBe(300_000 + 11);
    expect(said.find(({ name }) => name === 'SET')!.bytes).toBeGreaterThan(300_000);
  });

  test('a subscriber hears what another publishes, and a monitor what all ask', async () => {
    const connections = await recorded(port, async (relay) => {
      const socket = createConnection({ host: '127.0.0.1', port: relay });
      let heard = '';
      socket.on('data', (chunk) => {
        heard += chunk;
      });
      const until = async (word: string) => {
        while (!heard.includes(word)) {
          await once(socket, 'data');
        }
      };
      socket.write('SUBSCRIBE news other\r\n');
      await until('other');
      await cli(port, ['PUBLISH', 'news', 'hello you']);
      await until('hello you');
      socket.write('RESET\r\nMONITOR\r\n');
      await until('+OK');
      await cli(port, ['GET', 'some thing']);
      await until('some thing');
      socket.end();
      await once(socket, 'close');
    });
    const { said, troubles } = hear(decoder, connections[0]!);
    expect(troubles).toEqual([]);
    expect(said.map(({ kind, name, asked }) => [kind, name, asked]).slice(0, 8)).toEqual([
      ['request', 'SUBSCRIBE', null],
      ['reply', 'subscribe', 'SUBSCRIBE'],
      ['reply', 'subscribe', 'SUBSCRIBE'],
      ['notice', 'message', null],
      ['request', 'RESET', null],
      ['request', 'MONITOR', null],
      ['reply', 'simple', 'RESET'],
      ['reply', 'simple', 'MONITOR'],
    ]);
    const seen = said
      .filter(({ name }) => name === 'monitor')
      .map(({ fields }) => [fields.command, fields.args]);
    expect(seen).toContainEqual(['GET', ['some thing']]);
    anySplitGivesTheSame(decoder, connections[0]!, {}, 5);
  });

  test.each([['no'], ['yes']])('a replica: snapshot, then the stream (diskless %s)', async (diskless) => {
    await cli(port, ['CONFIG', 'SET', 'repl-diskless-sync', diskless]);
    const connections = await recorded(port, async (relay) => {
      const replica = await start('--replicaof', '127.0.0.1', String(relay));
      const mark = `mark:${diskless}`;
      while (!(await cli(replica, ['INFO', 'replication'])).includes('master_link_status:up')) {
        // Asking again is the wait: each question is a process.
      }
      await cli(port, ['SET', mark, '1']);
      while ((await cli(replica, ['EXISTS', mark])).trim() !== '1') {
        // As above.
      }
      const child = running.at(-1)!;
      const gone = once(child, 'exit');
      child.kill();
      await gone;
    });
    const link = connections.find((turns) => hear(decoder, turns).said.some(({ name }) => name === 'PSYNC'))!;
    const { said, troubles } = hear(decoder, link);
    expect(troubles).toEqual([]);
    expect(said.filter(({ asked }) => asked === 'PSYNC').map(({ name }) => name)).toEqual(['simple', 'rdb']);
    const after = said.slice(said.findIndex(({ name }) => name === 'rdb') + 1);
    expect(after.every(({ kind }) => kind === 'notice')).toBe(true);
    expect(after.map(({ summary }) => summary)).toContain(`SET mark:${diskless} 1`);
    anySplitGivesTheSame(decoder, link, {}, 3);
  });
});
