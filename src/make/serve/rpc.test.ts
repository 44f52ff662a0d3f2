import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { type Need, needs } from '../../../test/needs.ts';
import { type Served, type ServeWishes, serveForTest } from './fixture.ts';
import { createFrames } from './rpc/frames.ts';
import { kind } from './rpc.ts';

const folder = mkdtempSync(join(tmpdir(), 'sockscope-rpc-'));
let served: Served | null = null;

afterEach(async () => {
  await served?.close();
  served = null;
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function rpc(plan: { web?: boolean; module?: string } = {}, wishes: ServeWishes = {}): Promise<Served> {
  served = await serveForTest(kind, { plan: { web: false, module: '', ...plan }, ...wishes });
  return served;
}

/** What comes back until the server has nothing more to say to a client that said it is done. */
function said(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let got = '';
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    socket.on('data', (data) => {
      got += data.toString();
    });
    socket.on('end', () => resolve(got));
    socket.on('error', reject);
    socket.end(text);
  });
}

describe('1.0', () => {
  test.each([
    ['{"method":"Arith.Multiply","params":[{"A":7,"B":8}],"id":0}', '{"id":0,"result":56,"error":null}'],
    [
      '{"method":"Arith.Divide","params":[{"A":7,"B":2}],"id":1}',
      '{"id":1,"result":{"Quo":3,"Rem":1},"error":null}',
    ],
    [
      '{"method":"Arith.Divide","params":[{"A":7,"B":0}],"id":1}',
      '{"id":1,"result":null,"error":"divide by zero"}',
    ],
    [
      '{"method":"Arith.Nothing","params":[{}],"id":"x"}',
      '{"id":"x","result":null,"error":"rpc: can\'t find method Arith.Nothing"}',
    ],
    [
      '{"method":"Nobody.Nothing","params":[{}],"id":2}',
      '{"id":2,"result":null,"error":"rpc: can\'t find service Nobody.Nothing"}',
    ],
    [
      '{"method":"plain","params":[{}],"id":2}',
      '{"id":2,"result":null,"error":"rpc: service/method request ill-formed: plain"}',
    ],
    [
      '{"method":"Echo.Echo","id":2}',
      '{"id":2,"result":null,"error":"jsonrpc: request body missing params"}',
    ],
  ])('%s', async (request, answer) => {
    const { port } = await rpc();
    expect(await said(port, request)).toBe(`${answer}\n`);
  });

  test('a slow call does not hold up those behind it, and answers carry their ids', async () => {
    const { port } = await rpc();
    const got = await said(
      port,
      '{"method":"Slow.Sleep","params":[{"Ms":60}],"id":1}{"method":"Echo.Echo","params":["hi"],"id":2}',
    );
    expect(
      got
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).id),
    ).toEqual([2, 1]);
  });

  test('1000 calls in one write have 1000 answers in order, and lines', async () => {
    const { port, counts } = await rpc();
    const text = Array.from({ length: 1000 }, (_, id) =>
      JSON.stringify({ method: 'Arith.Add', params: [{ A: id, B: 1 }], id }),
    );
    const got = await said(port, text.join(''));
    expect(
      got
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).result),
    ).toEqual(text.map((_, id) => id + 1));
    expect(counts().requests).toBe(1000);
  });
});

describe('2.0', () => {
  test.each([
    [
      '{"jsonrpc":"2.0","method":"Arith.Add","params":{"a":1,"b":2},"id":"q"}',
      '{"jsonrpc":"2.0","result":3,"id":"q"}',
    ],
    [
      '{"jsonrpc":"2.0","method":"no","id":1}',
      '{"jsonrpc":"2.0","error":{"code":-32601,"message":"there is no method no"},"id":1}',
    ],
    [
      '{"jsonrpc":"2.0","method":"Arith.Add","params":["x"],"id":1}',
      '{"jsonrpc":"2.0","error":{"code":-32602,"message":"the argument is an object with the numbers A and B"},"id":1}',
    ],
    ['{"jsonrpc":"2.0","method":"Arith.Add","params":[{"A":1,"B":2}]}', ''],
  ])('%s', async (request, answer) => {
    const { port } = await rpc();
    expect((await said(port, request)).trim()).toBe(answer);
  });

  test('a batch is answered as one, without its notifications; its bad members have errors', async () => {
    const { port } = await rpc();
    const [one, two, three] = JSON.parse(
      await said(
        port,
        '[{"jsonrpc":"2.0","method":"Arith.Add","params":[{"A":1,"B":1}],"id":1},{"jsonrpc":"2.0","method":"Time.Now"},{"foo":"boo","jsonrpc":"2.0"},{"jsonrpc":"2.0","method":"Slow.Sleep","params":{"Ms":5},"id":4}]',
      ),
    );
    expect(one).toEqual({ jsonrpc: '2.0', result: 2, id: 1 });
    expect(two).toMatchObject({ error: { code: -32600 }, id: null });
    expect(three).toEqual({ jsonrpc: '2.0', result: { Ms: 5 }, id: 4 });
  });

  test.each(['[]', '{"jsonrpc":"2.0","method":1,"id":1}', '{"jsonrpc":"1.0","method":"x","id":1}'])(
    '%s is an invalid request',
    async (request) => {
      const { port } = await rpc();
      expect(JSON.parse(await said(port, request))).toMatchObject({ error: { code: -32600 } });
    },
  );
});

describe('a stream', () => {
  test.each(['}', 'hello', '{"a":}', `{"method":"${'x'.repeat(2_000_000)}`, '['.repeat(1000)])(
    'that is no JSON is told so, and ends',
    async (text) => {
      const { port } = await rpc();
      expect(JSON.parse((await said(port, text)).trim())).toMatchObject({ error: { code: -32700 } });
    },
  );

  test('is cut into the same texts wherever its pieces end', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.array(fc.jsonValue()), fc.dictionary(fc.string(), fc.jsonValue())), {
          maxLength: 5,
        }),
        fc.array(fc.nat(40), { maxLength: 10 }),
        (values, cuts) => {
          const texts = values.map((value) => JSON.stringify(value));
          const bytes = Buffer.from(texts.join(' \n'));
          const frames = createFrames(1e6);
          const got: string[] = [];
          let at = 0;
          for (const cut of [...cuts, bytes.length]) {
            const to = Math.min(bytes.length, at + cut);
            expect(frames.take(bytes, at, to, (text) => got.push(text))).toBe('');
            at = to;
          }
          expect(got).toEqual(texts);
        },
      ),
    );
  });

  test('of random bytes never throws', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        createFrames(100).take(bytes, 0, bytes.length, () => {});
      }),
    );
  });
});

describe('over HTTP and WebSocket', () => {
  test('a POST is answered, a notification has no content, a GET is not allowed', async () => {
    const { port, lines } = await rpc({ web: true });
    const post = (body: string) => fetch(`http://127.0.0.1:${port}/`, { method: 'POST', body });
    const first = await post('{"jsonrpc":"2.0","method":"Arith.Add","params":[{"A":1,"B":2}],"id":1}');
    expect(await first.json()).toEqual({ jsonrpc: '2.0', result: 3, id: 1 });
    expect((await post('{"jsonrpc":"2.0","method":"Time.Now"}')).status).toBe(204);
    const wrong = await fetch(`http://127.0.0.1:${port}/`);
    expect([wrong.status, wrong.headers.get('allow')]).toEqual([405, 'POST']);
    await wrong.text();
    while (lines.length === 0) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(lines[0]).toMatchObject({
      what: 'POST /',
      result: '200',
      note: expect.stringContaining('Arith.Add ok'),
    });
  });

  test('each message of a WebSocket is a request', async () => {
    const { port } = await rpc({ web: true });
    const socket = new WebSocket(`ws://127.0.0.1:${port}/`);
    const answer = new Promise((resolve) => socket.once('message', (data) => resolve(String(data))));
    await new Promise((resolve) => socket.once('open', resolve));
    socket.send('{"method":"Arith.Add","params":[{"A":1,"B":2}],"id":7}');
    expect(await answer).toBe('{"id":7,"result":3,"error":null}');
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.close();
    await closed;
  });
});

describe('--module', () => {
  const file = join(folder, 'own.mjs');
  writeFileSync(
    file,
    'export const add = (a, b) => a + b;\nexport const math = { async half(x) { return x / 2; } };\n' +
      'export function fail() { throw Object.assign(new Error("no"), { code: 42 }); }\n',
  );

  test('serves the functions that the module exports, awaited, with their errors', async () => {
    const plan = await kind.plan({ words: [], options: { module: file } });
    const { port } = await rpc(plan);
    const got = await said(
      port,
      '{"jsonrpc":"2.0","method":"add","params":[1,2],"id":1}{"jsonrpc":"2.0","method":"math.half","params":[5],"id":2}{"jsonrpc":"2.0","method":"fail","id":3}',
    );
    const answers = got
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(answers.find(({ id }) => id === 1)?.result).toBe(3);
    expect(answers.find(({ id }) => id === 2)?.result).toBe(2.5);
    expect(answers.find(({ id }) => id === 3)?.error).toEqual({ code: 42, message: 'no' });
  });

  test.each([
    ['nowhere.mjs', 'cannot be loaded'],
    ['empty.mjs', 'exports no function'],
  ])('%s is refused before anything listens', async (name, words) => {
    writeFileSync(join(folder, 'empty.mjs'), 'export const x = 1;');
    await expect(kind.plan({ words: [], options: { module: join(folder, name) } })).rejects.toThrow(words);
  });
});

const go: Need = needs('go');

describe.skipIf(go.missing)("Go's own client", () => {
  beforeAll(() => {
    writeFileSync(
      join(folder, 'client.go'),
      `package main

import (
	"fmt"
	"net/rpc/jsonrpc"
	"os"
)

type Args struct{ A, B int }
type Quotient struct{ Quo, Rem int }

func main() {
	client, err := jsonrpc.Dial("tcp", os.Args[1])
	if err != nil {
		panic(err)
	}
	var product int
	fmt.Println(client.Call("Arith.Multiply", Args{7, 8}, &product), product)
	var q Quotient
	fmt.Println(client.Call("Arith.Divide", &Args{7, 2}, &q), q.Quo, q.Rem)
	fmt.Println(client.Call("Arith.Divide", &Args{7, 0}, &q))
	fmt.Println(client.Call("Arith.Missing", &Args{7, 0}, &q))
	calls := 0
	for i := 0; i < 100; i++ {
		var sum int
		call := <-client.Go("Arith.Add", Args{i, i}, &sum, nil).Done
		if call.Error == nil && sum == 2*i {
			calls++
		}
	}
	fmt.Println(calls)
}
`,
    );
    execFileSync('go', ['build', '-o', join(folder, 'client'), join(folder, 'client.go')], {
      env: { ...process.env, GO111MODULE: 'off', GOFLAGS: '' },
    });
  });

  test('calls, is answered and is told of errors', async () => {
    const { port } = await rpc();
    const { execFile } = await import('node:child_process');
    const out = await new Promise<string>((resolve, reject) =>
      execFile(join(folder, 'client'), [`127.0.0.1:${port}`], (error, stdout) =>
        error === null ? resolve(stdout) : reject(error),
      ),
    );
    expect(out).toBe("<nil> 56\n<nil> 3 1\ndivide by zero\nrpc: can't find method Arith.Missing\n100\n");
  });
});
