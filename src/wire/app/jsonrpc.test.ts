import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { recorded } from '../../../test/fixtures/recorded.ts';
import { needs } from '../../../test/needs.ts';
import {
  anySplitGivesTheSame,
  client,
  hear,
  type Said,
  server,
  survivesAnything,
  type Turn,
} from './decoder.contract.ts';
import { decoder } from './jsonrpc.ts';

function said(...turns: Turn[]): Said[] {
  const heard = hear(decoder, turns);
  expect(heard.troubles).toEqual([]);
  anySplitGivesTheSame(decoder, turns, {}, 5);
  spoken(heard.said);
  return heard.said;
}

/** What a filter may ask for is all there is. */
function spoken(all: Said[]): void {
  const known = decoder.speaks.jsonrpc!;
  for (const name of all.flatMap((one) => Object.keys(one.fields))) {
    expect(
      known.some((one) => (one.endsWith('*') ? name.startsWith(one.slice(0, -1)) : name === one)),
      name,
    ).toBe(true);
  }
}

function trouble(text: string): string {
  anySplitGivesTheSame(decoder, [client(text)], {}, 5);
  return hear(decoder, [client(text)]).troubles.join();
}

const framed = (json: string) => `Content-Length: ${new TextEncoder().encode(json).length}\r\n\r\n${json}`;

describe('messages', () => {
  it('gives a request and its reply, in version 2.0', () => {
    const [request, reply] = said(
      client('{"jsonrpc": "2.0", "method": "subtract", "params": [42, 23], "id": 1}\n'),
      server('{"jsonrpc": "2.0", "result": 19, "id": 1}\n'),
    );
    expect(request).toEqual({
      side: 'client',
      protocol: 'jsonrpc',
      kind: 'request',
      name: 'subtract',
      bytes: 69,
      failed: false,
      fields: { version: '2.0', method: 'subtract', id: 1, params: '[42, 23]' },
      summary: 'subtract [42, 23]',
      asked: null,
    });
    expect(reply).toMatchObject({
      kind: 'reply',
      name: 'result',
      asked: 'subtract',
      fields: { version: '2.0', id: 1, result: '19' },
      summary: 'result 19',
    });
  });

  it('gives an error with its code, its message and its data', () => {
    const [, reply] = said(
      client('{"jsonrpc":"2.0","method":"foo","id":"1"}'),
      server(
        '{"jsonrpc":"2.0","error":{"code":-32601,"message":"Method not found","data":{"at":"{\\"}"}},"id":"1"}',
      ),
    );
    expect(reply).toMatchObject({
      name: 'error',
      failed: true,
      asked: 'foo',
      fields: {
        'error.code': -32601,
        'error.message': 'Method not found',
        'error.data': '{"at":"{\\"}"}',
        id: '1',
      },
      summary: 'error -32601 Method not found',
    });
  });

  it('reads version 1.0, where the error is null or a string', () => {
    const all = said(
      client(
        '{"method":"A.Add","params":[{"A":1}],"id":0}{"method":"A.Div","params":[1],"id":1}{"method":"bye","params":[],"id":null}',
      ),
      server('{"id":0,"result":3,"error":null}\n{"id":1,"result":null,"error":"divide by zero"}\n'),
    );
    expect(all.map((one) => [one.kind, one.name, one.asked, one.summary])).toEqual([
      ['request', 'A.Add', null, 'A.Add [{"A":1}]'],
      ['request', 'A.Div', null, 'A.Div [1]'],
      ['notice', 'bye', null, 'bye []'],
      ['reply', 'result', 'A.Add', 'result 3'],
      ['reply', 'error', 'A.Div', 'error divide by zero'],
    ]);
    expect(all[0]!.fields.version).toBe('1.0');
  });

  it('tells 1 from "1", and one side\'s 1 from the other\'s', () => {
    const all = said(
      client('{"jsonrpc":"2.0","method":"a","id":1}{"jsonrpc":"2.0","method":"b","id":"1"}'),
      server('{"jsonrpc":"2.0","method":"c","id":1}'),
      server('{"jsonrpc":"2.0","result":0,"id":"1"}{"jsonrpc":"2.0","result":0,"id":1}'),
      client('{"jsonrpc":"2.0","result":0,"id":1}'),
    );
    expect(all.slice(3).map((one) => [one.side, one.asked])).toEqual([
      ['server', 'b'],
      ['server', 'a'],
      ['client', 'c'],
    ]);
  });

  it('gives every message of a batch', () => {
    const all = said(
      client(
        '[ {"jsonrpc":"2.0","method":"sum","params":[1],"id":"1"} ,\n{"jsonrpc":"2.0","method":"notify"},',
      ),
      client('{"jsonrpc":"2.0","method":"get","id":9}]\n[]{"jsonrpc":"2.0","method":"last","id":10}'),
      server('[{"jsonrpc":"2.0","result":7,"id":"1"},{"jsonrpc":"2.0","result":["x",[5]],"id":9}]'),
    );
    expect(all.map((one) => [one.kind, one.name, one.asked, one.fields.batch])).toEqual([
      ['request', 'sum', null, true],
      ['notice', 'notify', null, true],
      ['request', 'get', null, true],
      ['request', 'last', null, undefined],
      ['reply', 'result', 'sum', true],
      ['reply', 'result', 'get', true],
    ]);
  });

  it('pairs nothing with an error without an id', () => {
    const [one] = said(server('{"jsonrpc":"2.0","error":{"code":-32700,"message":"Parse error"},"id":null}'));
    expect(one).toMatchObject({ kind: 'reply', asked: null, failed: true, fields: { id: null } });
  });

  it('keeps an id beyond 2^53 exact', () => {
    const [one] = said(client('{"jsonrpc":"2.0","method":"m","id":9007199254740993}'));
    expect(one!.fields.id).toBe(9007199254740993n);
  });

  it('looks only at the names of the message itself', () => {
    const [one] = said(
      client('{"params":{"method":"no","id":7,"x":"\\"id\\":8"},"jsonrpc":"2.0","method":"yes"}'),
    );
    expect(one).toMatchObject({ kind: 'notice', name: 'yes' });
    expect(one!.fields).not.toHaveProperty('id');
  });

  it('gives any values back as they were sent', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), fc.integer(), (value, id) => {
        const turns = [client(JSON.stringify({ jsonrpc: '2.0', result: value, id }))];
        const [one] = hear(decoder, turns).said;
        expect(one!.fields).toMatchObject({ id });
        expect(JSON.parse(String(one!.fields['result.raw'] ?? one!.fields.result))).toEqual(
          JSON.parse(JSON.stringify(value)),
        );
        anySplitGivesTheSame(decoder, turns, {}, 1);
      }),
      { numRuns: 60 },
    );
  });

  it('reads a value of a megabyte, and shows its beginning', () => {
    const long = JSON.stringify({ jsonrpc: '2.0', result: 'x'.repeat(1_000_000), id: 5 });
    const [request, reply] = hear(decoder, [client('{"method":"big","id":5}'), server(long)], {}, (turn) =>
      Array.from({ length: Math.ceil(turn.bytes.length / 1460) }, (_, i) =>
        turn.bytes.subarray(i * 1460, (i + 1) * 1460),
      ),
    ).said;
    expect(request!.name).toBe('big');
    expect(reply).toMatchObject({ asked: 'big', bytes: long.length });
    expect(reply!.fields.result).toBe(`"${'x'.repeat(16_383)}`);
  });

  it('masks what stands under a telling name', () => {
    const all = said(
      client('{"jsonrpc":"2.0","method":"login","params":{"user":"ann","password":"hunter2"},"id":1}'),
      server('{"jsonrpc":"2.0","result":{"token" : "hunter2"},"id":1}'),
      server('{"jsonrpc":"2.0","error":{"code":1,"message":"no","data":{"secret":"hunter2"}},"id":1}'),
    );
    for (const one of all) {
      const open = Object.entries(one.fields).filter(([name]) => !decoder.secrets.includes(name));
      expect(JSON.stringify([open, one.summary])).not.toContain('hunter2');
    }
    expect(all[0]!.fields).toMatchObject({
      params: '{"user":"ann","password":"******"}',
      'params.raw': '{"user":"ann","password":"hunter2"}',
    });
  });
});

describe('Content-Length, as in the Language Server Protocol', () => {
  it('frames messages of which the length is in bytes', () => {
    const json = '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"é":1}}';
    const all = said(
      client(framed(json), framed('{"jsonrpc":"2.0","method":"exit"}\n')),
      server(`content-type: application/vscode-jsonrpc; charset=utf-8\r\n${framed('[{"id":1,"result":0}]')}`),
    );
    expect(all.map((one) => [one.name, one.asked])).toEqual([
      ['initialize', null],
      ['exit', null],
      ['result', 'initialize'],
    ]);
    expect(all[0]!.bytes).toBe(new TextEncoder().encode(framed(json)).length);
  });

  it.each([
    ['Content-Length: 5\r\n\r\n{"id":1}', 'a Content-Length that ends inside the value'],
    ['Content-Length: 12\r\n\r\n[{"method":"a"}]', 'a Content-Length that ends inside the value'],
    ['Content-Length: 99999999999999999\r\n\r\n', 'not a head of JSON-RPC'],
    ['Content-Type: a\r\n\r\n', 'a head without Content-Length'],
    [`Content-Type: ${'a'.repeat(2000)}`, 'a head without an end'],
  ])('does not guess when it says %j', (text, why) => {
    expect(trouble(text)).toBe(`client: ${why}`);
  });
});

it.each([
  ['hello', 'neither an object nor an array of them'],
  ['[1]', 'neither an object nor an array of them'],
  ['{"id":1}', 'not a JSON-RPC message'],
  ['{1:2}', 'not an object with names'],
  ['{[]}', 'not an object with names'],
  ['{"method":[}', 'brackets that do not match'],
  [`{"params":${'['.repeat(200)}`, 'values 128 deep'],
])('does not read %j', (text, why) => {
  expect(trouble(text)).toBe(`client: ${why}`);
});

describe('recognising', () => {
  const score = (text: string) => {
    const hint = {
      transport: 'tcp',
      clientPort: 1,
      serverPort: 2,
      side: 'client',
      midStream: false,
    } as const;
    const bytes = new TextEncoder().encode(text);
    return decoder.recognises(hint, bytes, 0, bytes.length);
  };

  it.each([
    '{"jsonrpc":"2.0"',
    '[ {"id":1,"jsonrpc" : "2.0"',
    '{"method":"A.Add","params":[{"A":1}],"id":0}',
    '{"id":0,"result":3,"error":null}',
    'Content-Length: 52\r\n\r\n{"json',
  ])('is certain of %j', (text) => {
    expect(score(text)).toBeGreaterThanOrEqual(0.8);
  });

  it('leaves other JSON to others, unless nobody wants it', () => {
    expect(score('{"time":"2026-01-01","level":"info"}')).toBeLessThan(0.3);
    expect(score('{"id":7,"name":"x"}')).toBeLessThanOrEqual(0.5);
  });

  it.each([
    '',
    '[',
    '[1,2]',
    '{',
    'GET / HTTP/1.1\r\n',
    '*1\r\n$4\r\nPING\r\n',
    '{1}',
    'Content-Type: x',
    '\x16\x03',
  ])('sees nothing in %j', (text) => {
    expect(score(text)).toBeLessThanOrEqual(0.2);
  });
});

it('survives anything', () => {
  survivesAnything(decoder, [
    client(
      '[{"jsonrpc":"2.0","method":"a\\u0062","params":{"a":[1,{"b":"\\""}]},"id":1}]\n',
      framed('{"method":"x"}'),
    ),
    server('{"id":1,"result":null,"error":{"code":1,"message":"m","data":[1]}}'),
  ]);
});

/** A server without an argument; with a port, a client that asks it three things. */
const program = `
package main

import (
	"errors"
	"fmt"
	"net"
	"net/rpc"
	"net/rpc/jsonrpc"
	"os"
)

type Arith struct{}
type Args struct{ A, B int }

func (Arith) Divide(a *Args, r *int) error {
	if a.B == 0 {
		return errors.New("divide by zero")
	}
	*r = a.A / a.B
	return nil
}

func main() {
	if len(os.Args) > 1 {
		c, err := jsonrpc.Dial("tcp", "127.0.0.1:"+os.Args[1])
		if err != nil {
			panic(err)
		}
		var r int
		c.Call("Arith.Divide", Args{7, 2}, &r)
		c.Call("Arith.Divide", Args{7, 0}, &r)
		c.Call("Arith.Missing", "x", &r)
		c.Close()
		return
	}
	rpc.Register(Arith{})
	l, _ := net.Listen("tcp", "127.0.0.1:0")
	fmt.Println(l.Addr().(*net.TCPAddr).Port)
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go jsonrpc.ServeConn(c)
	}
}
`;

describe.skipIf(needs('go').missing !== null)('what Go says', () => {
  let folder = '';
  let serving: ChildProcess | undefined;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'sockscope-jsonrpc-'));
    writeFileSync(join(folder, 'main.go'), program);
    const env = { ...process.env, GO111MODULE: 'off', GOFLAGS: '' };
    execFileSync('go', ['build', '-o', 'calls', 'main.go'], { cwd: folder, env });
  });
  afterAll(async () => {
    if (serving !== undefined) {
      serving.kill();
      await once(serving, 'exit');
    }
    rmSync(folder, { recursive: true, force: true });
  });

  it('is understood, errors too', async () => {
    const calls = join(folder, 'calls');
    serving = spawn(calls, [], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [port] = (await once(serving.stdout!, 'data')) as [Buffer];
    const [turns] = await recorded(Number(String(port)), async (relay) => {
      await once(spawn(calls, [String(relay)], { stdio: 'inherit' }), 'exit');
    });
    const all = said(...turns!);
    expect(all.map((one) => [one.name, one.asked, one.summary])).toEqual([
      ['Arith.Divide', null, 'Arith.Divide [{"A":7,"B":2}]'],
      ['result', 'Arith.Divide', 'result 3'],
      ['Arith.Divide', null, 'Arith.Divide [{"A":7,"B":0}]'],
      ['error', 'Arith.Divide', 'error divide by zero'],
      ['Arith.Missing', null, 'Arith.Missing ["x"]'],
      ['error', 'Arith.Missing', "error rpc: can't find method Arith.Missing"],
    ]);
  });
});
