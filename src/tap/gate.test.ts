import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bytesOf, faulty, gated, holding, setting } from './gate/testing.ts';
import { GATE_MAX, GATE_PATIENCE, GATE_QUIET } from './gate.ts';

const resp = (...words: string[]) =>
  `*${words.length}\r\n${words.map((one) => `$${one.length}\r\n${one}\r\n`).join('')}`;
const get = (path: string, more = '') => `GET ${path} HTTP/1.1\r\nHost: a\r\n${more}\r\n`;
const httpOk = (body: string) =>
  `HTTP/1.1 200 OK\r\nserver: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`;

describe('a message that waits for a person', () => {
  test('holds those behind it, and the other direction goes on', () => {
    const { state, client, server, release } = gated([holding('redis.command == "DEL"')], 'redis');
    client(resp('GET', 'a') + resp('DEL', 'b') + resp('GET', 'c'));
    expect(state.toServer).toBe(resp('GET', 'a'));
    expect(state.held).toMatchObject([{ id: 1, bytes: resp('DEL', 'b'), heard: { summary: 'DEL b' } }]);
    server('$1\r\nx\r\n');
    expect(state.toClient).toBe('$1\r\nx\r\n');
    expect(release(1, { verdict: 'go' })).toBe(true);
    expect(release(1, { verdict: 'go' })).toBe(false);
    expect(state.toServer).toBe(resp('GET', 'a') + resp('DEL', 'b') + resp('GET', 'c'));
    server(':1\r\n$1\r\ny\r\n');
    expect(state.toClient).toBe('$1\r\nx\r\n:1\r\n$1\r\ny\r\n');
    expect(state.held).toHaveLength(1);
  });

  test('may be edited or dropped', () => {
    const { state, client, release } = gated([holding('redis.command == "DEL"')], 'redis');
    client(resp('DEL', 'a') + resp('DEL', 'b') + resp('GET', 'c'));
    release(1, { verdict: 'edit', bytes: bytesOf(resp('EXISTS', 'a')) });
    release(2, { verdict: 'drop' });
    expect(state.toServer).toBe(resp('EXISTS', 'a') + resp('GET', 'c'));
  });

  test('a FIN waits behind it', () => {
    const { state, client, end, release } = gated([holding('redis.command == "DEL"')], 'redis');
    client(resp('DEL', 'a'));
    end('client');
    expect(state).toMatchObject({ toServer: '', ended: [] });
    release(1, { verdict: 'go' });
    expect(state).toMatchObject({ toServer: resp('DEL', 'a'), ended: ['client'] });
  });

  test('is forgotten when the connection is reset, and nothing is kept', () => {
    const { gate, state, client, release } = gated([holding('redis.command == "DEL"')], 'redis');
    client(resp('DEL', 'a') + resp('GET', 'b'));
    expect(gate.client.held).toBeGreaterThan(0);
    gate.close();
    expect(state.forgotten).toEqual([1]);
    expect(release(1, { verdict: 'go' })).toBe(false);
    expect(gate.client.held).toBe(0);
    expect(state.toServer).toBe('');
  });

  test('a reply can be held by what it says', () => {
    const { state, client, server, release } = gated([holding('http.status >= 500')], 'http1');
    client(get('/a') + get('/b'));
    server(`${httpOk('hi')}HTTP/1.1 500 Oh\r\nContent-Length: 1\r\n\r\n!`);
    expect(state.toClient).toBe(httpOk('hi'));
    release(1, { verdict: 'go' });
    expect(state.toClient.endsWith('!')).toBe(true);
  });
});

describe('replies of our own', () => {
  const busy = faulty('reply', 'http.path ~ "/pay*"', { protocol: 'http', text: '503 busy' });
  const error =
    'HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 4\r\n';

  test('the server never sees the request, and the client gets a whole reply', () => {
    const { state, client } = gated([busy]);
    client(get('/pay/1'));
    expect(state.toServer).toBe('');
    expect(state.toClient).toBe(`${error}Connection: keep-alive\r\n\r\nbusy`);
    expect(state.said).toEqual(['reply: answered GET /pay/1']);
  });

  test('a request that wants the connection closed is closed after it', () => {
    const { state, client } = gated([busy]);
    client(get('/pay/1', 'Connection: close\r\n'));
    expect(state.toClient).toBe(`${error}Connection: close\r\n\r\nbusy`);
    expect(state.ended).toEqual(['close']);
  });

  test.each(['whole', 'byte by byte'])('takes its turn among pipelined requests (%s)', (how) => {
    const moved = faulty('reply', 'redis.command == "SET"', { protocol: 'redis', text: '-MOVED 1 b:1' });
    const { state, client, server } = gated([moved], 'redis');
    const cut = (text: string) => (how === 'whole' ? [text] : [...text]);
    cut(resp('GET', '1') + resp('SET', '2', 'x') + resp('GET', '3') + resp('SET', '4', 'x')).forEach(client);
    expect(state.toServer).toBe(resp('GET', '1') + resp('GET', '3'));
    expect(state.toClient).toBe('');
    cut('$1\r\na\r\n$1\r\nb\r\n').forEach(server);
    expect(state.toClient).toBe('$1\r\na\r\n-MOVED 1 b:1\r\n$1\r\nb\r\n-MOVED 1 b:1\r\n');
  });

  test('and what follows is still paired with its own request', () => {
    const moved = faulty('reply', 'redis.command == "SET"', { protocol: 'redis', text: 'no' });
    const { state, client, server } = gated([moved, setting('redis.reply[GET 3]=three')], 'redis');
    client(resp('GET', '1') + resp('SET', '2', 'x') + resp('GET', '3') + resp('GET', '4'));
    server(':1\r\n:3\r\n:4\r\n');
    expect(state.toClient).toBe(':1\r\n$2\r\nno\r\n$5\r\nthree\r\n:4\r\n');
  });

  test('property: any cutting of a pipeline keeps the order', () => {
    fc.assert(
      fc.property(
        fc.array(fc.boolean(), { maxLength: 12 }),
        fc.array(fc.integer({ min: 1, max: 30 })),
        (fakes, sizes) => {
          const rule = faulty('reply', 'redis.command == "SET"', { protocol: 'redis', text: '+fake' });
          const { state, client, server } = gated([rule], 'redis');
          const cut = (text: string, to: (piece: string) => void) => {
            for (let at = 0, i = 0; at < text.length; i++) {
              const size = sizes[i % sizes.length] ?? 1000;
              to(text.slice(at, at + size));
              at += size;
            }
          };
          cut(fakes.map((fake, i) => resp(fake ? 'SET' : 'GET', `${i}`)).join(''), client);
          cut(fakes.map((fake, i) => (fake ? '' : `:${i}\r\n`)).join(''), server);
          expect(state.toClient).toBe(fakes.map((fake, i) => (fake ? '+fake\r\n' : `:${i}\r\n`)).join(''));
        },
      ),
    );
  });

  test('a request of another protocol is passed on, and it is said', () => {
    const { state, client } = gated([faulty('reply', 'redis', { protocol: 'http', text: '503' })], 'redis');
    client(resp('GET', 'a'));
    expect(state.toServer).toBe(resp('GET', 'a'));
    expect(state.said[0]).toMatch(/no reply to this redis request/);
  });
});

describe('faults that wait for a message', () => {
  test('the nth match of all connections of the tap', () => {
    const rule = faulty('reset', 'redis.command == "SET" and key ~ "user:*"', {}, { nth: 3 });
    const one = gated([rule], 'redis');
    const two = gated([rule], 'redis');
    one.client(resp('SET', 'user:1', '') + resp('SET', 'x', ''));
    one.server('+OK\r\n+OK\r\n');
    two.client(resp('SET', 'user:1', ''));
    expect(one.state.ended).toEqual([]);
    one.client(resp('GET', 'a') + resp('SET', 'user:1', ''));
    expect(one.state.ended).toEqual(['reset']);
    expect(one.state.toServer.endsWith(resp('GET', 'a'))).toBe(true);
    two.client(resp('SET', 'user:1', ''));
    expect(two.state.ended).toEqual([]);
  });

  test('for so long after the first', () => {
    const { state, client, wait } = gated(
      [faulty('drop', 'redis.command == "SET"', {}, { lasts: 10e9 })],
      'redis',
    );
    client(resp('SET', 'a', ''));
    wait(9e9);
    client(resp('SET', 'b', ''));
    wait(2e9);
    client(resp('SET', 'c', ''));
    expect(state.toServer).toBe(resp('SET', 'c', ''));
  });

  test('each second', () => {
    const { state, client } = gated([faulty('drop', 'redis.command == "SET"', {}, { every: 2 })], 'redis');
    client(['1', '2', '3', '4'].map((key) => resp('SET', key, '')).join(''));
    expect(state.toServer).toBe(resp('SET', '1', '') + resp('SET', '3', ''));
  });

  test('a delay holds what is behind it, counted from when it was read', () => {
    const { state, client, wait } = gated(
      [faulty('latency', 'redis.command == "SET"', { delayMs: 200 })],
      'redis',
    );
    client(resp('GET', 'a') + resp('SET', 'b', '') + resp('GET', 'c'));
    expect(state.toServer).toBe(resp('GET', 'a'));
    wait(199e6);
    expect(state.toServer).toBe(resp('GET', 'a'));
    wait(1e6);
    expect(state.toServer).toBe(resp('GET', 'a') + resp('SET', 'b', '') + resp('GET', 'c'));
  });

  test('stall lets nothing more through in its direction', () => {
    const { state, client, server } = gated([faulty('stall', 'redis.command == "SET"')], 'redis');
    client(resp('GET', 'a') + resp('SET', 'b', ''));
    client(resp('GET', 'c'));
    server('+OK\r\n');
    expect(state).toMatchObject({ toServer: resp('GET', 'a'), toClient: '+OK\r\n' });
  });

  test('others are handed over before the message goes on', () => {
    const { state, client } = gated(
      [faulty('bandwidth', 'redis.command == "SET"', { rateBytes: 1 })],
      'redis',
    );
    client(resp('SET', 'b', ''));
    expect(state).toMatchObject({ over: ['bandwidth client'], toServer: resp('SET', 'b', '') });
  });
});

describe('setting', () => {
  test('headers of requests and replies; all others keep their bytes', () => {
    const { state, client, server } = gated(
      [
        setting('http.request.header.x-test=1'),
        setting('http.request.path=/v2'),
        setting('http.reply.header.server='),
        setting('http.reply.status=503'),
      ],
      'http1',
    );
    client('GET /a HTTP/1.1\r\nhOST:  a\r\nX-Test: 0\r\nx-TEST: 2\r\n\r\n');
    expect(state.toServer).toBe('GET /v2 HTTP/1.1\r\nhOST:  a\r\nX-Test: 1\r\n\r\n');
    server('HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 2\r\n\r\nhi');
    expect(state.toClient).toBe('HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2\r\n\r\nhi');
  });

  test('a body, with its length, chunked or not', () => {
    const { state, client, server } = gated([setting('http.reply[/a*].body={"é":1}')], 'http1');
    client(get('/a') + get('/b'));
    server('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nA: b\r\n\r\n3\r\nabc\r\n');
    server(`0\r\n\r\n${httpOk('b')}`);
    expect(state.toClient).toBe(
      `HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 8\r\n\r\n{"\xc3\xa9":1}${httpOk('b')}`,
    );
  });

  test("Redis' replies, by their requests, and requests", () => {
    const { state, client, server } = gated(
      [
        setting('redis.reply[GET user:*]=Ann'),
        setting('redis.reply[ttl]=:-1'),
        setting('redis.request[GET a]=GET "b c"'),
      ],
      'redis',
    );
    client(resp('GET', 'user:1') + resp('GET', 'a') + resp('TTL', 'q'));
    server('$-1\r\n$1\r\nx\r\n:100\r\n');
    expect(state.toServer).toBe(resp('GET', 'user:1') + resp('GET', 'b c') + resp('TTL', 'q'));
    expect(state.toClient).toBe('$3\r\nAnn\r\n$1\r\nx\r\n:-1\r\n');
  });
});

describe('it never makes a connection hang', () => {
  const rule = holding('contains "never said"');

  test('bytes that are no known protocol pass after a short silence', () => {
    const { state, client, wait } = gated([rule]);
    client('\x01\x02');
    wait(GATE_QUIET);
    expect(state.toServer).toBe('\x01\x02');
  });

  test('a message that is broken opens the gate for good', () => {
    const { state, client, server } = gated([holding('redis.command == "DEL"')], 'redis');
    client(resp('DEL', 'a'));
    server('?nonsense\r\n');
    expect(state).toMatchObject({ toServer: resp('DEL', 'a'), toClient: '?nonsense\r\n', forgotten: [1] });
    client(resp('DEL', 'b'));
    expect(state.toServer).toBe(resp('DEL', 'a') + resp('DEL', 'b'));
    expect(state.said).toHaveLength(1);
  });

  test('a message that is too large goes on as it comes, and the next is judged again', () => {
    const { gate, state, client } = gated([setting('http.request.header.a=b')], 'http1');
    client(`PUT / HTTP/1.1\r\nContent-Length: ${GATE_MAX * 2}\r\n\r\n`);
    for (let i = 0; i < 32; i++) {
      client('x'.repeat(GATE_MAX / 16));
    }
    expect(state.toServer.length).toBeGreaterThan(GATE_MAX * 2);
    expect(state.said).toEqual([
      'a message of more than 1 MiB is passed on as it comes',
      expect.stringMatching(/cannot be changed/),
    ]);
    client(get('/'));
    expect(state.toServer.endsWith('Host: a\r\nA: b\r\n\r\n')).toBe(true);
    expect(gate.client.held).toBe(0);
  });

  test('nor is a half message kept for ever', () => {
    const { state, client, wait } = gated([holding('redis.command == "DEL"')], 'redis');
    client(resp('DEL', 'a').slice(0, -3));
    wait(GATE_PATIENCE - 1);
    expect(state.toServer).toBe('');
    wait(1);
    expect(state.toServer).toBe(resp('DEL', 'a').slice(0, -3));
  });

  test('the end of an event stream, which is no message, is not kept', () => {
    const { state, client, server, wait } = gated(
      [holding('http.status == 500 or http.event == "x"')],
      'http1',
    );
    client(get('/events'));
    const text =
      'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n0\r\n\r\n';
    server(text);
    wait(GATE_QUIET);
    expect(state.toClient).toBe(text);
  });
});

describe('identity', () => {
  const transcripts: [string, string, string][] = [
    [
      'redis',
      `${resp('SET', 'a', 'x\r\ny')}\r\nPING\r\n${resp('SUBSCRIBE', 'c')}`,
      '+OK\r\n+PONG\r\n*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n',
    ],
    [
      'http',
      `${get('/a')}\r\nPOST /b HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nT: 1\r\n\r\n`,
      `HTTP/1.1 100 Continue\r\n\r\n${httpOk('hi')}HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n`,
    ],
    [
      'postgres',
      '\0\0\0\x14\0\x03\0\0user\0me\0\0\0\0Q\0\0\0\rSELECT 1\0Q\0\0\0\x08xyz\0X\0\0\0\x04',
      'R\0\0\0\x08\0\0\0\0Z\0\0\0\x05ID\0\0\0\x0b\0\x01\0\0\0\x011C\0\0\0\rSELECT 1\0Z\0\0\0\x05I',
    ],
  ];
  const rules = () => [
    holding('contains "never said"'),
    setting('redis.reply[NEVER]=1'),
    setting('http.reply[/never].status=500'),
    faulty('reply', 'http.path == "/never"', { text: 'http 500' }),
    faulty('drop', 'redis.key == "never"'),
  ];
  const noise = fc.array(
    fc.constantFrom(
      '\r\n',
      '*1\r\n',
      'GET / HTTP/1.1\r\n\r\n',
      '\0',
      'HTTP/1.1 200 OK\r\n\r\n',
      '$5\r\n',
      '+x\r\n',
      'abc',
      '\xff\x01',
    ),
    { maxLength: 8 },
  );

  test('without a rule that matches, every byte comes out as it went in, however it is cut and mixed', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...transcripts),
        fc.tuple(noise, noise),
        fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 1, max: 40 })), { maxLength: 60 }),
        fc.boolean(),
        ([, asked, answered], [more, last], cuts, silence) => {
          const { gate, state, client, server, end, wait } = gated(rules());
          let up = asked + more.join('');
          let down = answered + last.join('');
          const whole = { up, down };
          for (const [which, size] of cuts) {
            if (which) {
              client(up.slice(0, size));
              up = up.slice(size);
            } else {
              server(down.slice(0, size));
              down = down.slice(size);
            }
            wait(silence ? GATE_QUIET : 1);
          }
          client(up);
          server(down);
          end('client');
          end('server');
          expect(state).toMatchObject({ toServer: whole.up, toClient: whole.down, held: [] });
          expect(state.ended.sort()).toEqual(['client', 'server']);
          expect(gate.client.held + gate.server.held).toBe(0);
          gate.close();
        },
      ),
      { numRuns: 400 },
    );
  });

  test.each(transcripts)('%s: whole messages pass with no silence at all', (_, asked, answered) => {
    const { state, client, server } = gated(rules());
    client(asked);
    server(answered);
    expect(state).toMatchObject({ toServer: asked, toClient: answered });
  });

  test('with rules, what they do not touch is unchanged and in order', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('GET', 'DEL', 'SET', 'TTL'), { maxLength: 15 }),
        fc.array(fc.integer({ min: 1, max: 50 })),
        (all, sizes) => {
          const { state, client } = gated(
            [faulty('drop', 'redis.command == "DEL"'), setting('redis.request[SET]=PING')],
            'redis',
          );
          const text = all.map((one, i) => resp(one, `${i}`)).join('');
          for (let at = 0, i = 0; at < text.length; i++) {
            const size = sizes[i % sizes.length] ?? 1000;
            client(text.slice(at, at + size));
            at += size;
          }
          expect(state.toServer).toBe(
            all
              .map((one, i) => (one === 'DEL' ? '' : one === 'SET' ? resp('PING') : resp(one, `${i}`)))
              .join(''),
          );
        },
      ),
    );
  });
});
