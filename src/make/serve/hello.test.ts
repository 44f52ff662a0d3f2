import { connect, type Socket } from 'node:net';
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { GOOD, type Served, type ServeWishes, serveForTest } from './fixture.ts';
import { chunksDone, newChunks, readChunks } from './hello/chunks.ts';
import { kind } from './hello.ts';

let served: Served | null = null;
const sockets: Socket[] = [];

afterEach(async () => {
  for (const socket of sockets.splice(0)) {
    socket.destroy();
  }
  await served?.close();
  served = null;
});

async function hello(wishes: ServeWishes = {}): Promise<Served> {
  served = await serveForTest(kind, { plan: { body: 'Hello, world\n' }, ...wishes });
  return served;
}

interface Talk {
  readonly socket: Socket;
  text: string;
  ended: boolean;
  error: string;
  until(done: (talk: Talk) => boolean): Promise<void>;
}

function open(port: number): Talk {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  sockets.push(socket);
  let look = (): void => {};
  const talk: Talk = {
    socket,
    text: '',
    ended: false,
    error: '',
    until: (done) =>
      new Promise((resolve) => {
        look = () => {
          if (done(talk)) {
            resolve();
          }
        };
        look();
      }),
  };
  socket.on('data', (data) => {
    talk.text += data.toString('latin1');
    look();
  });
  socket.on('end', () => {
    talk.ended = true;
    look();
  });
  socket.on('error', (error: NodeJS.ErrnoException) => {
    talk.error = error.code ?? '';
    look();
  });
  return talk;
}

const GET = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n';
const answers = (text: string): string[] => text.match(/HTTP\/1\.1 \d+/g) ?? [];

/** What a client gets that sends this and then says that it is done. */
async function asked(text: string, wishes: ServeWishes = {}): Promise<string> {
  const { port } = await hello(wishes);
  const talk = open(port);
  talk.socket.end(Buffer.from(text, 'latin1'));
  await talk.until(({ ended, error }) => ended || error !== '');
  expect(talk.error).toBe('');
  return talk.text;
}

describe('hello', () => {
  test('a GET is answered, HEAD has the same head and no body', async () => {
    const got = await asked(`${GET}HEAD /?q HTTP/1.1\r\nHost: x\r\n\r\n`);
    const [, first, second] =
      got.split(/(?=HTTP\/1\.1)/).length === 2 ? ['', ...got.split(/(?=HTTP\/1\.1)/)] : [];
    expect(first).toMatch(/^HTTP\/1\.1 200 OK\r\n[\s\S]*Content-Length: 13\r\n\r\nHello, world\n$/);
    expect(second).toMatch(/^HTTP\/1\.1 200 OK\r\n[\s\S]*Content-Length: 13\r\n\r\n$/);
  });

  test('twenty pipelined requests in one segment have twenty answers in order', async () => {
    const got = await asked(`${GET}GET /x HTTP/1.1\r\nHost: x\r\n\r\n`.repeat(10));
    expect(answers(got).join()).toBe(Array(10).fill('HTTP/1.1 200,HTTP/1.1 404').join());
  });

  test('a request is understood wherever it is cut', async () => {
    const text = `POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n4;a=b\r\nwiki\r\n5\r\npedia\r\n0\r\nT: x\r\n\r\n${GET}`;
    const { port } = await hello();
    for (let cut = 1; cut < text.length; cut += 3) {
      const talk = open(port);
      talk.socket.setNoDelay(true);
      talk.socket.write(text.slice(0, cut));
      await new Promise((resolve) => setImmediate(resolve));
      talk.socket.write(text.slice(cut));
      await talk.until((now) => answers(now.text).length === 2);
      expect(talk.text).toContain('9 bytes came\n');
      talk.socket.destroy();
    }
  });

  test.each([
    ['a PUT', 'PUT / HTTP/1.1\r\nHost: x\r\n\r\n', 405, 'Allow: GET, HEAD, POST'],
    ['an unknown method', 'GXT / HTTP/1.1\r\nHost: x\r\n\r\n', 405, 'Allow: GET, HEAD, POST'],
    ['an absolute target', 'GET http://x/ HTTP/1.1\r\nHost: x\r\n\r\n', 200, 'Hello'],
    ['another path', 'GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n', 404, 'there is only /'],
    ['a request without Host', 'GET / HTTP/1.1\r\n\r\n', 400, 'Host is missing'],
    ['HTTP/1.0', 'GET / HTTP/1.0\r\n\r\n', 200, 'Connection: close'],
    ['a request behind empty lines', '\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n', 200, 'Hello'],
    ['another version', 'GET / HTTP/2.0\r\nHost: x\r\n\r\n', 505, 'request line'],
    ['a target with a space', 'GET /a b HTTP/1.1\r\nHost: x\r\n\r\n', 400, 'white space'],
    ['nonsense', 'nonsense\r\n\r\n', 400, 'not a request line'],
    [
      'a long head',
      `GET / HTTP/1.1\r\nHost: x\r\nA: ${'a'.repeat(40_000)}\r\n\r\n`,
      431,
      'a head of more than',
    ],
    [
      'a head without end',
      `GET / HTTP/1.1\r\nHost: x\r\nA: ${'a'.repeat(200_000)}`,
      431,
      'a head of more than',
    ],
    [
      'a long body',
      'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n\r\nx',
      413,
      'a body of more than',
    ],
    [
      'a long chunk',
      'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\n',
      413,
      'a body of more than',
    ],
  ])('%s is answered as it should be', async (_, text, status, words) => {
    const got = await asked(text);
    expect(answers(got)).toEqual([`HTTP/1.1 ${status}`]);
    expect(got).toContain(words);
  });

  // Each is read differently by some pair of servers: whoever answers one of them twice lets a request be smuggled.
  const second = 'GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n';
  test.each([
    ['both lengths', `Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
    ['two lengths', `Content-Length: 0\r\nContent-Length: 37\r\n\r\n`],
    ['the same length twice', `Content-Length: 0\r\nContent-Length: 0\r\n\r\n`],
    ['a list of lengths', `Content-Length: 0, 37\r\n\r\n`],
    ['a signed length', `Content-Length: +5\r\n\r\nhello`],
    ['a hexadecimal length', `Content-Length: 0x5\r\n\r\nhello`],
    ['a length with a space', `Content-Length: 1 2\r\n\r\nhello`],
    ['an obscured coding', `Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`],
    ['a coding behind chunked', `Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n`],
    ['chunked twice', `Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
    ['a vertical tab before chunked', `Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n`],
    ['a space before the colon', `Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n`],
    ['a folded coding', `Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n`],
    ['a name that begins with a space', ` Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
    ['a NUL in a name', `Transfer-Encoding\0: chunked\r\n\r\n0\r\n\r\n`],
    ['a line without colon', `Transfer-Encoding\r\n\r\n`],
    ['a bare LF', `X: y\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
    ['a bare CR', `X: y\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
    ['two hosts', `Host: y\r\n\r\n`],
    ['a chunk size with 0x', `Transfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n`],
    ['a chunk size with a space', `Transfer-Encoding: chunked\r\n\r\n0 \r\n\r\n`],
    ['a chunk size with a bare LF', `Transfer-Encoding: chunked\r\n\r\n0\n\n`],
    ['a chunk longer than it says', `Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n`],
    ['a chunk size that wraps around', `Transfer-Encoding: chunked\r\n\r\n10000000000000000\r\n`],
    ['a trailer with a bare LF', `Transfer-Encoding: chunked\r\n\r\n0\r\nX: y\n\r\n`],
  ])('%s is refused, and what stands behind it is not answered', async (_, rest) => {
    const got = await asked(`POST / HTTP/1.1\r\nHost: x\r\n${rest}${second}`);
    expect(answers(got)).toHaveLength(1);
    expect(got).toMatch(/^HTTP\/1\.1 (400|413|501) /);
    expect(got).toContain('Connection: close');
  });

  test('Expect: 100-continue is told to go on before the body is sent', async () => {
    const { port } = await hello();
    const talk = open(port);
    talk.socket.write('POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n');
    await talk.until(({ text }) => text.includes('100 Continue\r\n\r\n'));
    talk.socket.write('hello');
    await talk.until(({ text }) => text.includes('5 bytes came'));
  });

  test('a head that dribbles in is answered 408, and the client is not reset', async () => {
    const { port, lines } = await hello({ common: { idleNs: 300e6 } });
    const talk = open(port);
    talk.socket.write('GET / HTTP/1.1\r\nHo');
    await talk.until(({ ended, error }) => ended || error !== '');
    expect(answers(talk.text)).toEqual(['HTTP/1.1 408']);
    expect(talk.error).toBe('');
    talk.socket.end();
    while (lines.length === 0) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(lines[0]).toMatchObject({ result: '408', fine: true });
  });

  test('beyond --rate a client is answered 429', async () => {
    const got = await asked(GET.repeat(5), { common: { rate: 3 } });
    expect(answers(got).slice(0, 4)).toEqual([
      'HTTP/1.1 200',
      'HTTP/1.1 200',
      'HTTP/1.1 200',
      'HTTP/1.1 429',
    ]);
    expect(got).toContain('Retry-After: 1');
  });

  test('an answer that is cut off on purpose leaves no connection behind', async () => {
    const { port, counts } = await hello({
      common: { misbehaviour: { ...GOOD, resetAfter: { bytes: 50 } } },
    });
    const talk = open(port);
    talk.socket.write(GET.repeat(10));
    await talk.until(({ ended, error }) => ended || error !== '');
    expect(talk.text.length).toBeLessThanOrEqual(50);
    expect(counts().open).toBe(0);
  });

  test('200 requests on their way when a drain begins are all answered', async () => {
    const { port, drain } = await hello({ common: { misbehaviour: null } });
    const talks = Array.from({ length: 200 }, () => open(port));
    await Promise.all(talks.map((talk) => new Promise((resolve) => talk.socket.once('connect', resolve))));
    for (const talk of talks) {
      talk.socket.write(GET.slice(0, 10));
    }
    const over = (served as Served).drain();
    served = null;
    for (const talk of talks) {
      talk.socket.write(GET.slice(10));
    }
    await Promise.all(talks.map((talk) => talk.until(({ ended, error }) => ended || error !== '')));
    expect(talks.map(({ text, error }) => `${answers(text)}${error}`)).toEqual(
      talks.map(() => 'HTTP/1.1 200'),
    );
    for (const talk of talks) {
      talk.socket.end();
    }
    expect(await over).toEqual({ drained: 200, dropped: 0 });
    expect(drain).toBeDefined();
  });

  test('random bytes are answered with one refusal or none, and never break it', async () => {
    const { port } = await hello();
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 300 }), async (bytes) => {
        const talk = open(port);
        talk.socket.end(bytes);
        await talk.until(({ ended, error }) => ended || error !== '');
        expect(answers(talk.text).length).toBeLessThanOrEqual(1);
      }),
      { numRuns: 60 },
    );
    const after = open(port);
    after.socket.write(GET);
    await after.until(({ text }) => text.includes('Hello'));
  });
});

describe('a chunked body', () => {
  test('is read the same in any pieces', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ minLength: 1, maxLength: 40 }), { maxLength: 6 }),
        fc.array(fc.nat(30), { maxLength: 20 }),
        (parts, cuts) => {
          const text = Buffer.concat([
            ...parts.map((part) =>
              Buffer.concat([Buffer.from(`${part.length.toString(16)}\r\n`), part, Buffer.from('\r\n')]),
            ),
            Buffer.from('0\r\n\r\nrest'),
          ]);
          const chunks = newChunks();
          let at = 0;
          for (const cut of [...cuts, text.length]) {
            const to = Math.min(text.length, at + cut);
            at = readChunks(chunks, text, at, to);
            expect(at).toBeGreaterThanOrEqual(0);
          }
          expect(chunksDone(chunks)).toBe(true);
          expect(text.subarray(at).toString()).toBe('rest');
          expect(chunks.length).toBe(parts.reduce((sum, part) => sum + part.length, 0));
        },
      ),
    );
  });
});
