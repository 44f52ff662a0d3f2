import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { type Served, type ServeWishes, serveForTest } from './fixture.ts';
import { commandNames } from './line/commands.ts';
import { createStore, globOf } from './line/store.ts';
import { kind } from './line.ts';

let served: Served | null = null;
const sockets: Socket[] = [];

afterEach(async () => {
  for (const socket of sockets.splice(0)) {
    socket.destroy();
  }
  await served?.close();
  served = null;
});

interface Client {
  readonly socket: Socket;
  text: string;
  ended: boolean;
  ask(line: string): Promise<string>;
  lines(count: number): Promise<string[]>;
}

async function line(wishes: ServeWishes = {}): Promise<Served> {
  served = await serveForTest(kind, wishes);
  return served;
}

function open(port: number): Client {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  sockets.push(socket);
  let look = (): void => {};
  const client: Client = {
    socket,
    text: '',
    ended: false,
    async ask(text) {
      client.text = '';
      socket.write(`${text}\r\n`);
      return (await client.lines(1))[0]!;
    },
    lines: (count) =>
      new Promise((resolve) => {
        look = () => {
          const all = client.text.split('\r\n');
          if (all.length > count || client.ended) {
            resolve(all.slice(0, -1));
          }
        };
        look();
      }),
  };
  socket.on('data', (data) => {
    client.text += data.toString();
    look();
  });
  socket.on('end', () => {
    client.ended = true;
    look();
  });
  socket.on('error', () => {});
  return client;
}

describe('serve line', () => {
  test('a session: values, expiry, names', async () => {
    const { port, lines } = await line();
    const client = open(port);
    expect(await client.ask('ping')).toBe('PONG');
    expect(await client.ask('PING a  b')).toBe('PONG a  b');
    expect(await client.ask('ECHO grüße')).toBe('VALUE grüße');
    expect(await client.ask('TIME')).toMatch(/^TIME \d{13} \d{4}-\d\d-\d\dT/);
    expect(await client.ask('SET name the world')).toBe('OK');
    expect(await client.ask('GET name')).toBe('VALUE the world');
    expect(await client.ask('TTL name')).toBe('VALUE never');
    expect(await client.ask('SETEX soon 0.05 gone')).toBe('OK');
    expect(await client.ask('EXPIRE name 100')).toBe('OK');
    expect(await client.ask('TTL name')).toMatch(/^VALUE (99|100)\.\d{3}$/);
    expect(await client.ask('GET nothing')).toBe('NIL');
    while ((await client.ask('GET soon')) !== 'NIL') {}
    client.text = '';
    client.socket.write('SET b 1\nSET a 1\nKEYS ?\n');
    expect(await client.lines(5)).toEqual(['OK', 'OK', 'LIST 2', '- a', '- b']);
    expect(await client.ask('DEL a b c')).toBe('OK 2');
    expect(lines.length).toBeGreaterThan(10);
  });

  test('HELP lists every command, and the page describes every command', async () => {
    const { port } = await line();
    const client = open(port);
    client.socket.write('HELP\n');
    const listed = (await client.lines(1 + commandNames.length)).slice(1).map((text) => text.split(' ')[1]);
    expect(listed).toEqual(commandNames);
    const page = readFileSync(join(import.meta.dirname, '../../../docs/line.md'), 'utf8');
    expect(commandNames.filter((name) => !page.includes(`\`${name}`))).toEqual([]);
  });

  test('what is published reaches everybody who subscribed, and nobody else', async () => {
    const { port } = await line();
    const [one, two, three] = [open(port), open(port), open(port)];
    expect(await one.ask('SUBSCRIBE news sport')).toBe('OK 2');
    expect(await two.ask('SUBSCRIBE news')).toBe('OK 1');
    expect(await three.ask('PUBLISH news it rains')).toBe('OK 2');
    expect(await two.lines(2)).toEqual(['OK 1', 'EVENT news it rains']);
    expect(await one.lines(2)).toEqual(['OK 2', 'EVENT news it rains']);
    expect(await two.ask('UNSUBSCRIBE')).toBe('OK 0');
    one.socket.destroy();
    while ((await three.ask('PUBLISH news again')) !== 'OK 0') {}
  });

  test('a thousand commands in one write have a thousand answers in order', async () => {
    const { port } = await line();
    const client = open(port);
    client.socket.write(Array.from({ length: 1000 }, (_, at) => `ECHO ${at}\n`).join(''));
    expect(await client.lines(1000)).toEqual(Array.from({ length: 1000 }, (_, at) => `VALUE ${at}`));
  });

  test.each([
    ['FROB', 'ERR unknown FROB; HELP lists what there is'],
    ['', 'ERR empty a line says what to do; HELP lists it'],
    ['GET', 'ERR missing a key'],
    [`GET ${'k'.repeat(300)}`, 'ERR too-long a key has at most 256 bytes'],
    ['SETEX a -1 b', 'ERR bad-seconds seconds are a number above 0 and at most 315360000'],
    ['PUBLISH', 'ERR missing a channel'],
    ['SUBSCRIBE', 'ERR missing a channel'],
    [
      `SUBSCRIBE ${Array.from({ length: 101 }, (_, at) => at).join(' ')}`,
      'ERR too-many a client hears at most 100 channels',
    ],
    [`ECHO ${'x'.repeat(9000)}`, 'ERR too-long a line has at most 8192 bytes'],
    [`ECHO ${'x'.repeat(90_000)}`, 'ERR too-long a line has at most 8192 bytes'],
  ])('%.20s is answered with an error, and the next line is fine', async (text, answer) => {
    const { port } = await line();
    const client = open(port);
    client.socket.write(`${text}\r\nPING\r\n`);
    expect(await client.lines(2)).toEqual([answer, 'PONG']);
  });

  test('QUIT says BYE and ends; what stands behind it is not done', async () => {
    const { port } = await line();
    const client = open(port);
    client.socket.write('QUIT\nPING\n');
    expect(await client.lines(99)).toEqual(['BYE']);
  });

  test('a drain lets a request that is on its way be answered, says BYE, and loses nobody', async () => {
    const { port } = await line();
    const client = open(port);
    await client.ask('PING');
    client.text = '';
    const over = (served as Served).drain();
    served = null;
    client.socket.write('PING\n');
    expect(await client.lines(99)).toEqual(['PONG', 'BYE the server ends']);
    client.socket.end();
    expect(await over).toEqual({ drained: 1, dropped: 0 });
  });
});

describe('the store', () => {
  test('keeps what was set until it expires, like a map with a clock', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            key: fc.constantFrom('a', 'b', 'c'),
            act: fc.constantFrom('set', 'delete', 'expire', 'sweep'),
            value: fc.string(),
            ttl: fc.option(fc.nat(20)),
            step: fc.nat(10),
          }),
        ),
        (acts) => {
          const store = createStore();
          const model = new Map<string, { value: string; until: number }>();
          let now = 0;
          for (const { key, act, value, ttl, step } of acts) {
            now += step;
            for (const [name, entry] of model) {
              if (entry.until <= now) {
                model.delete(name);
              }
            }
            if (act === 'set') {
              store.set(key, value, ttl === null ? null : now + ttl, now);
              model.set(key, { value, until: ttl === null ? Infinity : now + ttl });
              if (ttl === 0) {
                model.delete(key);
              }
            } else if (act === 'delete') {
              expect(store.delete(key, now)).toBe(model.delete(key));
            } else if (act === 'expire') {
              const entry = model.get(key);
              expect(store.expire(key, now + 5, now)).toBe(entry !== undefined);
              if (entry !== undefined) {
                entry.until = now + 5;
              }
            } else {
              store.sweep(now);
              expect(store.size).toBe(model.size);
            }
            for (const name of ['a', 'b', 'c']) {
              expect(store.get(name, now)).toBe(model.get(name)?.value ?? null);
            }
          }
        },
      ),
    );
  });

  test('a pattern of stars matches as a regular expression does, and in no time', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[ab*?]{0,8}$/), fc.stringMatching(/^[ab]{0,10}$/), (pattern, text) => {
        const same = new RegExp(`^${pattern.replaceAll('*', '.*').replaceAll('?', '.')}$`).test(text);
        expect(globOf(pattern)(text)).toBe(same);
      }),
    );
    expect(globOf('*a'.repeat(50))('a'.repeat(49) + 'b'.repeat(1000))).toBe(false);
  });
});
