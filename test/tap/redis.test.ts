/** redis-cli and redis-benchmark say and hear the same through the built tap as without it, and every command is decoded. */
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { needs } from '../needs.ts';
import { cleanUp, folder, type Redis, type RunOptions, redis, run, type Tap, tap, until } from './program.ts';

const lab = needs('linux', 'redis-server', 'redis-cli', 'redis-benchmark');

let server: Redis;
let through: Tap;

beforeAll(async () => {
  if (lab.missing === null) {
    server = await redis();
    through = await tap(['0', String(server.port)]);
  }
});
afterAll(cleanUp);

const cli = (port: number, words: readonly string[], options: RunOptions = {}) =>
  run('redis-cli', ['-p', String(port), ...words], options);

/** What redis-cli prints without the tap and through it; each on an empty database. */
async function twice(
  words: readonly string[],
  options: RunOptions = {},
): Promise<{ out: string; said: string[]; heard: string[] }> {
  await cli(server.port, ['FLUSHALL']);
  const straight = await cli(server.port, words, options);
  await cli(server.port, ['FLUSHALL']);
  const from = through.events.length;
  const ended = through.of('ended').length;
  const tapped = await cli(through.port, words, options);
  expect(tapped).toEqual(straight);
  await until('the connection to end', () => through.of('ended').length > ended);
  const told = through.events.slice(from).filter(({ type }) => type === 'message');
  // What redis-cli asks for its own sake.
  const of = (side: string): string[] =>
    told
      .filter((one) => one.from === side)
      .map(({ summary }) => String(summary))
      .filter((text) => text !== 'COMMAND DOCS');
  return { out: straight.out, said: of('client'), heard: of('server') };
}

describe.skipIf(lab.missing)('redis through a tap', () => {
  it('single commands', async () => {
    expect((await twice(['SET', 'user:1', 'Ann'])).said).toEqual(['SET user:1 Ann']);
    expect((await twice(['GET', 'nobody'])).heard).toEqual(['nil']);
    const wrong = await twice(['NOSUCH', 'x']);
    expect(wrong.out).toMatch(/unknown command/);
    expect(wrong.heard.join()).toMatch(/unknown command/);
  });

  it('one connection with many commands (-r)', async () => {
    const { said, heard } = await twice(['-r', '200', 'INCR', 'counter']);
    expect(said).toEqual(Array.from({ length: 200 }, () => 'INCR counter'));
    expect(heard).toHaveLength(200);
    expect(heard.at(-1)).toMatch(/200/);
  });

  it('a pipeline of 20 000 commands (--pipe)', async () => {
    const input = Array.from({ length: 20_000 }, (_, i) => `SET key:${i} value-${i}\r\n`).join('');
    const { out, said, heard } = await twice(['--pipe'], { input });
    expect(out).toMatch(/errors: 0, replies: 20000/);
    expect(said.filter((one) => one.startsWith('SET key:'))).toHaveLength(20_000);
    expect(heard.filter((one) => one === 'OK')).toHaveLength(20_000);
  });

  it('MULTI and EXEC, with an error inside', async () => {
    const input = 'MULTI\nSET a 1\nLPUSH a x\nGET a\nEXEC\n';
    const { out, said } = await twice([], { input });
    expect(out).toMatch(/QUEUED[\s\S]*WRONGTYPE/);
    expect(said).toEqual(['MULTI', 'SET a 1', 'LPUSH a x', 'GET a', 'EXEC']);
  });

  it('RESP3 (-3)', async () => {
    const { out, said } = await twice(['-3'], {
      input: 'HSET h a 1 b 2\nHGETALL h\nCONFIG GET save\nSISMEMBER s x\n',
    });
    expect(out).toMatch(/1/);
    expect(said[0]).toMatch(/^HELLO 3/);
    expect(said.slice(1)).toEqual(['HSET h a 1 b 2', 'HGETALL h', 'CONFIG GET save', 'SISMEMBER s x']);
  });

  it('a value of 5 MB, there and back', async () => {
    const big = 'x'.repeat(5_000_000);
    await cli(through.port, ['-x', 'SET', 'big'], { input: big });
    expect((await cli(through.port, ['GET', 'big'])).out).toBe(`${big}\n`);
    await until('the messages of both', () =>
      through.said('client').some((one) => one.startsWith('GET big')),
    );
    const told = through.events.filter(
      (one) => one.type === 'message' && /^(SET|GET) big/.test(String(one.summary)),
    );
    expect(told.map(({ bytes }) => Number(bytes))).toEqual([expect.any(Number), expect.any(Number)]);
    expect(Number(told[0]!.bytes)).toBeGreaterThan(5_000_000);
  });

  it('a subscriber hears what is published, and it is decoded', async () => {
    const socket = connect(through.port, '127.0.0.1');
    let got = '';
    socket.setEncoding('utf8').on('data', (text: string) => {
      got += text;
    });
    socket.write('SUBSCRIBE news\r\n');
    await until('the subscription', () => got.includes('subscribe'));
    expect((await cli(through.port, ['PUBLISH', 'news', 'hello'])).out).toBe('1\n');
    await until('the message', () => got.includes('hello'));
    socket.destroy();
    await until('the decoded message', () => through.said('server').some((one) => one.includes('hello')));
    expect(through.said('client')).toContain('PUBLISH news hello');
  });

  it('redis-benchmark: no request is lost, none is counted twice', async () => {
    const quiet = await tap(['0', String(server.port), '--quiet'], { json: false });
    const words = ['-p', String(quiet.port), '-n', '3000', '-c', '20', '-t', 'set,get', '-P', '4', '-q'];
    const ran = await run('redis-benchmark', words);
    expect(ran.code).toBe(0);
    expect(ran.out).toMatch(/SET: [\d.]+ requests per second[\s\S]*GET: [\d.]+ requests per second/);
    const { out, code } = await quiet.stop('SIGINT');
    expect(code).toBe(0);
    expect(out).toMatch(/redis +SET +3\s000 +3\s000/);
    expect(out).toMatch(/redis +GET +3\s000 +3\s000/);
  });

  it.each([
    [
      'a TCP tap in front of a UNIX socket',
      async (): Promise<string[]> => {
        const one = await tap(['0', `unix:${server.unix}`]);
        return ['-p', String(one.port)];
      },
    ],
    [
      'a UNIX tap in front of TCP',
      async (): Promise<string[]> => {
        const place = join(folder(), 'tap.sock');
        await tap([place, String(server.port)]);
        return ['-s', place];
      },
    ],
    [
      'a UNIX tap in front of a UNIX socket',
      async (): Promise<string[]> => {
        const place = join(folder(), 'tap.sock');
        await tap([`unix:${place}`, server.unix]);
        return ['-s', place];
      },
    ],
  ])('%s', async (_, start) => {
    const place = await start();
    expect((await run('redis-cli', [...place, 'SET', 'where', 'unix'])).out).toBe('OK\n');
    expect((await run('redis-cli', [...place, 'GET', 'where'])).out).toBe('unix\n');
  });
});
