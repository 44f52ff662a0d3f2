import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttp } from 'node:http';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { needs } from '../../test/needs.ts';
import { SockscopeError } from '../errors.ts';
import { readAnswer, readCall, requestText } from '../make/dial/rpc/message.ts';
import { serveForTest } from '../make/serve/fixture.ts';
import { kind } from '../make/serve/rpc.ts';
import { fakeIo } from './dial-fixture.ts';
import { define } from './dial-rpc.ts';
import { type RpcFlags, runRpc } from './dial-rpc-run.ts';

const folder = mkdtempSync(join(tmpdir(), 'sockscope-dial-rpc-'));
const closing: (() => unknown)[] = [];

afterEach(async () => {
  await Promise.all(closing.splice(0).map((close) => close()));
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function rpc(argv: readonly string[], { input = '', isTTY = false } = {}) {
  const command = define(new Command());
  const { operands } = command.parseOptions([...argv]);
  const io = fakeIo();
  (io.output as { isTTY?: boolean }).isTTY = isTTY;
  io.input.end(input);
  let failed = '';
  let exit: number;
  try {
    exit = await runRpc(operands, command.opts<RpcFlags>(), io);
  } catch (error) {
    if (!(error instanceof SockscopeError)) {
      throw error;
    }
    exit = error.exit;
    failed = `error: ${error.message}\n${error.hint}\n`;
  }
  return { exit, out: io.out().toString(), said: io.said() + failed };
}

async function ours(web = false) {
  const served = await serveForTest(kind, { plan: { web, module: '' } });
  closing.push(() => served.close());
  return served;
}

/** Says what it is told to, once it was asked. */
async function raw(answer: (socket: Socket) => void): Promise<string> {
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket);
    socket.on('error', () => {});
    socket.once('data', () => answer(socket));
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  closing.push(
    () =>
      new Promise((done) => {
        for (const socket of open) {
          socket.destroy();
        }
        server.close(done);
      }),
  );
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const SEVEN = ['Arith.Multiply', '{"A":7,"B":8}'];

describe('a call', () => {
  test.each([[[]], [['--v2']]])('over a stream has a result %j', async (flags) => {
    const { port } = await ours();
    expect(await rpc([`127.0.0.1:${port}`, ...SEVEN, ...flags])).toEqual({ exit: 0, out: '56\n', said: '' });
  });

  test.each([[[]], [['--v1']]])('by HTTP and WebSocket has a result %j', async (flags) => {
    const { port } = await ours(true);
    expect(await rpc([`http://127.0.0.1:${port}/`, ...SEVEN, ...flags])).toEqual({
      exit: 0,
      out: '56\n',
      said: '',
    });
    expect(await rpc([`ws://127.0.0.1:${port}/`, ...SEVEN, ...flags])).toEqual({
      exit: 0,
      out: '56\n',
      said: '',
    });
  });

  test('over a UNIX socket has a result, which a terminal shows on several lines', async () => {
    const path = join(folder, 'rpc.sock');
    const served = await serveForTest(kind, {
      plan: { web: false, module: '' },
      over: 'unix',
      path,
    });
    closing.push(() => served.close());
    const argv = [`unix:${path}`, 'Arith.Divide', '{"A":7,"B":2}'];
    expect((await rpc(argv)).out).toBe('{"Quo":3,"Rem":1}\n');
    expect((await rpc(argv, { isTTY: true })).out).toBe('{\n  "Quo": 3,\n  "Rem": 1\n}\n');
  });

  test.each([
    [[], /Arith\.Divide answered an error: divide by zero/],
    [['--v2'], /Arith\.Divide answered an error \(-?\d+\): divide by zero/],
  ])('that fails is an error of the server %j', async (flags, words) => {
    const { port } = await ours();
    const { exit, out, said } = await rpc([`127.0.0.1:${port}`, 'Arith.Divide', '{"A":7,"B":0}', ...flags]);
    expect([exit, out]).toEqual([1, '']);
    expect(said).toMatch(words);
  });

  test('repeated goes over one connection, and its times are told', async () => {
    const { port, counts } = await ours();
    const { out, said } = await rpc([`127.0.0.1:${port}`, ...SEVEN, '--repeat', '20']);
    expect(out).toBe('56\n');
    expect(said).toMatch(/^20 calls: first .*, min .*, median .*, max /);
    expect(counts()).toMatchObject({ requests: 20 });
  });

  test('with --json is one line that begins with the version', async () => {
    const { port } = await ours();
    const { out } = await rpc([`127.0.0.1:${port}`, ...SEVEN, '--json']);
    expect(out).toMatch(
      /^\{"v":1,"type":"answer","method":"Arith\.Multiply","id":1,"ns":\d+,"result":56\}\n$/,
    );
  });

  test.each([[[]], [['--v2']]])('that is a notification waits for nothing, and arrives %j', async (flags) => {
    const served = await ours();
    expect(await rpc([`127.0.0.1:${served.port}`, ...SEVEN, '--notify', ...flags])).toEqual({
      exit: 0,
      out: '',
      said: '',
    });
    for (let turn = 0; turn < 200 && served.counts().requests === 0; turn++) {
      await new Promise((done) => setTimeout(done, 5));
    }
    expect(served.counts().requests).toBe(1);
  });
});

describe('a batch', () => {
  const LINES =
    'Arith.Add {"A":1,"B":2}\n# nothing\n\nSlow.Sleep {"Ms":20}\nArith.Divide {"A":1,"B":0}\nEcho.Echo "a b"\n';

  test.each([
    [[], false],
    [['--v2'], false],
    [[], true],
  ])('has its results in the order of its calls %j', async (flags, web) => {
    const { port } = await ours(web);
    const at = `${web ? 'http://' : ''}127.0.0.1:${port}`;
    const { exit, out, said } = await rpc([at, '--batch', '-', ...flags], { input: LINES });
    expect(out.split('\n')[0]).toBe('3');
    expect(out).toMatch(/"a b"\n$/);
    expect(out.trim().split('\n')).toHaveLength(3);
    expect(said).toMatch(/^error: Arith\.Divide answered an error.*divide by zero\.$/m);
    expect(exit).toBe(1);
  });

  test('with a line that cannot be read is not begun', async () => {
    const { exit, said } = await rpc(['127.0.0.1:1', '--batch', '-'], { input: 'A.B {"a":1}\nC.D {"a":\n' });
    expect(exit).toBe(2);
    expect(said).toContain('-:2: {"a": is not JSON');
  });
});

describe('what goes wrong is one sentence', () => {
  test.each<[string, (socket: Socket) => void, RegExp]>([
    ['closed', (socket) => socket.end(), /closed the connection without an answer/],
    ['reset', (socket) => socket.resetAndDestroy(), /reset the connection/],
    [
      'no JSON',
      (socket) => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n'),
      /is not JSON-RPC: .*: "HTTP\/1\.1 400 Bad Request\\r\\n\\r\\n"/,
    ],
    ['nearly JSON', (socket) => socket.write('{"id":1,}'), /is not JSON: "\{"id":1,\}"/],
    ['cut', (socket) => socket.end('{"id":1,"res'), /inside an answer, after 12 bytes/],
    [
      'another id',
      (socket) => socket.write('{"id":7,"result":1,"error":null}'),
      /answered with the id 7, and not 1/,
    ],
    ['no result', (socket) => socket.write('{"id":1}'), /neither result nor error/],
    ['an array of nothing', (socket) => socket.write('[]'), /it is no object/],
    ['silent', () => {}, /did not answer Arith\.Multiply within 100ms/],
  ])('%s', async (_name, answer, words) => {
    const { exit, out, said } = await rpc([await raw(answer), ...SEVEN, '--timeout', '100ms']);
    expect(said).toMatch(words);
    expect([exit, out]).toEqual([1, '']);
  });

  test('refused, no socket, no WebSocket, no JSON-RPC in a body', async () => {
    const server = createHttp((_request, response) => response.writeHead(404).end('not here'));
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    const at = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    expect((await rpc([`http://${at}/`, ...SEVEN])).said).toMatch(
      /answered 404 Not Found, and no JSON-RPC: "not here"/,
    );
    expect((await rpc([`ws://${at}/`, ...SEVEN])).said).toMatch(/does not speak WebSocket: .*404/);
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
    expect((await rpc([at, ...SEVEN])).said).toMatch(/refused: nobody listens there/);
    expect((await rpc([`http://${at}/`, ...SEVEN])).said).toMatch(/refused: nobody listens there/);
    expect((await rpc([`unix:${folder}/none`, ...SEVEN])).said).toMatch(/There is no socket/);
  });

  test.each([
    [[], 'Which address'],
    [[':1'], 'Which method'],
    [[':1', 'A.B', '{'], '{ is not JSON'],
    [[':1', 'A.B', 'text'], 'text is not JSON'],
    [['udp://:1', 'A.B'], 'not spoken over udp'],
    [[':1', 'A.B', '--v1', '--v2'], 'exclude each other'],
    [[':1', 'A.B', '--batch', '-'], 'has its methods in the file'],
    [[':1', '--batch', '/nowhere/x'], 'cannot be read (ENOENT)'],
    [[':1', '--batch', '-'], 'has no calls'],
    [[':1', 'A.B', '--repeat', '3', '--notify'], '--repeat is for one call'],
    [[':1', 'A.B', '--timeout', 'soon'], 'no time to wait'],
  ])('%j is refused as usage', async (argv, words) => {
    const { exit, said } = await rpc(argv);
    expect(said).toContain(words);
    expect(exit).toBe(2);
  });
});

describe('texts', () => {
  test('a line has its method and its arguments, wherever the spaces are', () => {
    fc.assert(
      fc.property(fc.array(fc.jsonValue(), { maxLength: 4 }), (params) => {
        const line = ['A.B', ...params.map((each) => JSON.stringify(each))].join('  ');
        expect(readCall(line)).toEqual({ method: 'A.B', params: JSON.parse(JSON.stringify(params)) });
      }),
    );
  });

  test('any line and any answer is read or refused, never thrown', () => {
    fc.assert(
      fc.property(fc.string(), fc.jsonValue(), (line, value) => {
        readCall(line);
        readAnswer(value);
      }),
    );
  });

  test('of 2.0 have an object of names as it is, and several arguments as a list', () => {
    expect(requestText({ method: 'a', params: [{ b: 1 }] }, 2, 1)).toBe(
      '{"jsonrpc":"2.0","method":"a","params":{"b":1},"id":1}',
    );
    expect(requestText({ method: 'a', params: [1, 2] }, 2, null)).toBe(
      '{"jsonrpc":"2.0","method":"a","params":[1,2]}',
    );
    expect(requestText({ method: 'a', params: [] }, 1, 3)).toBe('{"method":"a","params":[],"id":3}');
  });
});

const go = needs('go');

describe.skipIf(go.missing)("Go's own server", () => {
  beforeAll(() => {
    writeFileSync(
      join(folder, 'server.go'),
      `package main

import (
	"errors"
	"fmt"
	"net"
	"net/rpc"
	"net/rpc/jsonrpc"
	"os"
)

type Pair struct{ A, B int }
type Quotient struct{ Quo, Rem int }
type Arith struct{}

func (Arith) Multiply(p Pair, product *int) error {
	*product = p.A * p.B
	return nil
}

func (Arith) Divide(p Pair, q *Quotient) error {
	if p.B == 0 {
		return errors.New("division by nothing")
	}
	q.Quo, q.Rem = p.A/p.B, p.A%p.B
	return nil
}

func main() {
	rpc.Register(Arith{})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(listener.Addr())
	go func() {
		os.Stdin.Read(make([]byte, 1))
		os.Exit(0)
	}()
	for {
		connection, err := listener.Accept()
		if err == nil {
			go jsonrpc.ServeConn(connection)
		}
	}
}
`,
    );
    execFileSync('go', ['build', '-o', join(folder, 'server'), join(folder, 'server.go')], {
      env: { ...process.env, GO111MODULE: 'off', GOFLAGS: '' },
    });
  });

  test('answers calls, batches, errors and what it does not know', async () => {
    const child = spawn(join(folder, 'server'), { stdio: ['pipe', 'pipe', 'inherit'] });
    const gone = new Promise((done) => child.once('exit', done));
    closing.push(() => {
      child.stdin.end();
      return gone;
    });
    const at = await new Promise<string>((resolve) =>
      child.stdout.once('data', (data) => resolve(String(data).trim())),
    );
    expect(await rpc([at, ...SEVEN])).toEqual({ exit: 0, out: '56\n', said: '' });
    expect((await rpc([at, 'Arith.Divide', '{"A":7,"B":2}'])).out).toBe('{"Quo":3,"Rem":1}\n');
    expect((await rpc([at, 'Arith.Divide', '{"A":7,"B":0}'])).said).toContain(
      'Arith.Divide answered an error: division by nothing.',
    );
    expect((await rpc([at, 'Arith.Nothing', '{}'])).said).toContain("rpc: can't find method Arith.Nothing");
    const many = Array.from({ length: 200 }, (_, index) => `Arith.Multiply {"A":${index},"B":2}`).join('\n');
    const { out } = await rpc([at, '--batch', '-'], { input: many });
    expect(out.trim().split('\n').map(Number)).toEqual(Array.from({ length: 200 }, (_, index) => index * 2));
    expect((await rpc([at, ...SEVEN, '--repeat', '50'])).said).toMatch(/^50 calls/);
  });
});
