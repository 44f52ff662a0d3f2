/** Go's own encoder, client and server: a program is built once, and speaks through a relay. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { recorded } from '../../../test/fixtures/recorded.ts';
import { needs } from '../../../test/needs.ts';
import { anySplitGivesTheSame, hear, type Said, survivesAnything } from './decoder.contract.ts';
import { newGob, readItem } from './gob.ts';
import { decoder } from './gorpc.ts';
import { decoder as http1 } from './http1.ts';

const PROGRAM = `
package main

import (
	"encoding/gob"
	"encoding/hex"
	"errors"
	"bytes"
	"fmt"
	"log"
	"math"
	"math/big"
	"net"
	"net/http"
	"net/rpc"
	"net/url"
	"os"
	"strings"
	"time"
)

type Point struct{ X, Y int }
type Shape interface{ Area() float64 }
type Circle struct {
	Center Point
	R      float64
}
type Square struct{ Side float64 }
type Group struct{ Members []Shape }

func (c Circle) Area() float64 { return c.R * c.R * math.Pi }
func (s Square) Area() float64 { return s.Side * s.Side }
func (g Group) Area() float64  { return 0 }

type Tree struct {
	Name  string
	Left  *Tree
	Right *Tree
}

type Everything struct {
	Yes   bool
	Int   int
	Least int64
	Byte  uint8
	Most  uint64
	Float float64
	Half  float32
	Turn  complex128
	Text  string
	Words []byte
	Raw   []byte
	Array [3]int
	List  []string
	Ages  map[string]int
	Spots map[int]Point
	Near  *Point
	Path  []Point
	When  time.Time
	Large *big.Int
	Link  url.URL
	One   Shape
	Many  []Shape
	None  Shape
	Tree  *Tree
	Zero  int
	Last  string
}

type Args struct{ A, B int }
type User struct{ Name, Password string }
type Drawing struct {
	Title  string
	Shapes []Shape
	Note   string
}
type Calc int

func (Calc) Multiply(args *Args, reply *int) error { *reply = args.A * args.B; return nil }
func (Calc) Divide(args *Args, reply *int) error {
	if args.B == 0 {
		return errors.New("divide by zero")
	}
	*reply = args.A / args.B
	return nil
}
func (Calc) Login(user *User, reply *map[string]string) error {
	*reply = map[string]string{"token": "for " + user.Name}
	return nil
}
func (Calc) Draw(drawing *Drawing, reply *Drawing) error { *reply = *drawing; return nil }
func (Calc) Upload(data []byte, reply *int) error        { *reply = len(data); return nil }

// Wait is answered after a call of Open, which may come later.
func (Calc) Wait(_ int, reply *string) error { *reply = <-gate; return nil }
func (Calc) Open(name string, _ *int) error  { gate <- name; return nil }

var gate = make(chan string)

func values() {
	var stream bytes.Buffer
	encoder := gob.NewEncoder(&stream)
	link, _ := url.Parse("http://example.org/a?b=c")
	large, _ := new(big.Int).SetString("123456789012345678901234567890", 10)
	all := Everything{
		true, -129, math.MinInt64, 200, math.MaxUint64, 17, -0.5, complex(1, -2), "grüße", []byte("words"), []byte{0, 255},
		[3]int{7, 0, 9}, []string{"a", ""}, map[string]int{"Ada": 36}, map[int]Point{-1: {3, 4}}, &Point{Y: 5},
		[]Point{{1, 2}, {}}, time.Date(2024, 2, 29, 12, 30, 1, 500000000, time.UTC), large, *link,
		Circle{Point{1, 1}, 2}, []Shape{Square{3}, Group{[]Shape{Square{4}, Circle{R: 5}}}, nil}, nil,
		&Tree{"root", &Tree{Name: "leaf"}, nil}, 0, "end",
	}
	for _, value := range []interface{}{&all, &all, 17.0, -129, "top", []int{1, -2}, map[string]bool{"on": true}, int64(1) << 60} {
		if err := encoder.Encode(value); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println(hex.EncodeToString(stream.Bytes()))
}

func serve() {
	rpc.Register(Calc(0))
	rpc.HandleHTTP()
	plain, _ := net.Listen("tcp", "127.0.0.1:0")
	web, _ := net.Listen("tcp", "127.0.0.1:0")
	go rpc.Accept(plain)
	fmt.Println(plain.Addr().(*net.TCPAddr).Port, web.Addr().(*net.TCPAddr).Port)
	log.Fatal(http.Serve(web, nil))
}

func call(client *rpc.Client, err error) {
	if err != nil {
		log.Fatal(err)
	}
	var number int
	say := func(err error) {
		if err != nil {
			fmt.Println(err)
		}
	}
	say(client.Call("Calc.Multiply", Args{6, 7}, &number))
	say(client.Call("Calc.Divide", Args{6, 0}, &number))
	say(client.Call("Calc.Nothing", Args{6, 0}, &number))
	var answer map[string]string
	say(client.Call("Calc.Login", User{"ada", "s3cret"}, &answer))
	var drawing Drawing
	shapes := []Shape{Circle{Point{1, 2}, 3}, Square{4}}
	say(client.Call("Calc.Draw", Drawing{"first", shapes, "seen"}, &drawing))
	say(client.Call("Calc.Draw", Drawing{"again", shapes, "seen"}, &drawing))
	say(client.Call("Calc.Upload", []byte(strings.Repeat("0123456789", 20000)), &number))
	waiting := client.Go("Calc.Wait", 0, new(string), nil)
	say(client.Call("Calc.Multiply", Args{0, 1}, &number))
	say(client.Call("Calc.Open", "now", &number))
	say((<-waiting.Done).Error)
	client.Close()
}

func main() {
	gob.Register(Circle{})
	gob.Register(Square{})
	gob.Register(Group{})
	switch os.Args[1] {
	case "values":
		values()
	case "serve":
		serve()
	case "call":
		call(rpc.Dial("tcp", os.Args[2]))
	case "callhttp":
		call(rpc.DialHTTP("tcp", os.Args[2]))
	}
}
`;

let folder = '';
let program = '';
let server: ChildProcess | null = null;
let ports: number[] = [];

const absent = needs('go').missing !== null;

beforeAll(async () => {
  if (absent) {
    return;
  }
  folder = mkdtempSync(join(tmpdir(), 'sockscope-gorpc-'));
  program = join(folder, 'program');
  writeFileSync(join(folder, 'main.go'), PROGRAM);
  const env = { ...process.env, GO111MODULE: 'off', GOFLAGS: '-mod=mod', GOCACHE: join(folder, 'cache') };
  const built = spawnSync('go', ['build', '-o', program, 'main.go'], { cwd: folder, env, encoding: 'utf8' });
  expect(built.stderr).toBe('');
  server = spawn(program, ['serve'], { stdio: ['ignore', 'pipe', 'ignore'] });
  const [line] = await once(createInterface({ input: server.stdout! }), 'line');
  ports = String(line).split(' ').map(Number);
}, 60_000);

afterAll(async () => {
  if (server !== null && server.exitCode === null) {
    server.kill();
    await once(server, 'exit');
  }
  if (folder !== '') {
    rmSync(folder, { recursive: true, force: true });
  }
});

async function said(...args: string[]): Promise<string> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.on('data', (chunk) => {
    text += chunk;
  });
  const [code] = await once(child, 'close');
  expect(code).toBe(0);
  return text.trim();
}

describe.skipIf(absent)('gobs written by Go', () => {
  it('are read with all that can be in them', async () => {
    const bytes = Uint8Array.from((await said('values')).match(/../g)!, (two) => Number.parseInt(two, 16));
    const gob = newGob();
    const values: unknown[] = [];
    for (let at = 0; at < bytes.length; ) {
      const item = readItem(gob, bytes, at, bytes.length);
      expect(item).toMatchObject({ taken: expect.any(Number) });
      if (item.is === 'value') {
        expect(item.warning).toBe('');
        values.push(item.value);
      }
      at += item.is === 'value' || item.is === 'type' ? item.taken : Number.NaN;
    }
    const circle = { type: 'main.Circle', value: { Center: { X: 1, Y: 1 }, R: 2 } };
    const all = {
      Yes: true,
      Int: -129,
      Least: -(2n ** 63n),
      Byte: 200,
      Most: 2n ** 64n - 1n,
      Float: 17,
      Half: -0.5,
      Turn: '(1-2i)',
      Text: 'grüße',
      Words: 'words',
      Raw: '0x00ff',
      Array: [7, 0, 9],
      List: ['a', ''],
      Ages: { Ada: 36 },
      Spots: { '-1': { X: 3, Y: 4 } },
      Near: { Y: 5 },
      Path: [{ X: 1, Y: 2 }, {}],
      When: '2024-02-29T12:30:01.5Z',
      Large: '0x02018ee90ff6c373e0ee4e3f0ad2',
      Link: 'http://example.org/a?b=c',
      One: circle,
      Many: [
        { type: 'main.Square', value: { Side: 3 } },
        {
          type: 'main.Group',
          value: {
            Members: [
              { type: 'main.Square', value: { Side: 4 } },
              { type: 'main.Circle', value: { Center: {}, R: 5 } },
            ],
          },
        },
        null,
      ],
      Tree: { Name: 'root', Left: { Name: 'leaf' } },
      Last: 'end',
    };
    expect(values).toEqual([all, all, 17, -129, 'top', [1, -2], { on: true }, 2n ** 60n]);
  });
});

function checkCalls(heard: Said[]): void {
  const lines = (kind: string) => heard.filter((one) => one.kind === kind);
  expect(lines('request').map((one) => `${one.fields.seq} ${one.summary.slice(0, 60)}`)).toEqual([
    '0 Calc.Multiply {"A":6,"B":7}',
    '1 Calc.Divide {"A":6}',
    '2 Calc.Nothing {"A":6}',
    '3 Calc.Login {"Name":"ada","Password":"******"}',
    '4 Calc.Draw {"Title":"first","Shapes":[{"type":"main.Circle","',
    '5 Calc.Draw {"Title":"again","Shapes":[{"type":"main.Circle","',
    '6 Calc.Upload "01234567890123456789012345678901234567890123456',
    '7 Calc.Wait 0',
    '8 Calc.Multiply {"B":1}',
    '9 Calc.Open "now"',
  ]);
  const replies = lines('reply');
  expect(
    replies.slice(0, 8).map((one) => [one.fields.seq, one.asked, one.failed, one.summary.slice(0, 60)]),
  ).toEqual([
    [0, 'Calc.Multiply', false, 'Calc.Multiply = 42'],
    [1, 'Calc.Divide', true, 'ERROR divide by zero'],
    [2, 'Calc.Nothing', true, "ERROR rpc: can't find method Calc.Nothing"],
    [3, 'Calc.Login', false, 'Calc.Login = {"token":"******"}'],
    [4, 'Calc.Draw', false, 'Calc.Draw = {"Title":"first","Shapes":[{"type":"main.Circle"'],
    [5, 'Calc.Draw', false, 'Calc.Draw = {"Title":"again","Shapes":[{"type":"main.Circle"'],
    [6, 'Calc.Upload', false, 'Calc.Upload = 200000'],
    [8, 'Calc.Multiply', false, 'Calc.Multiply = 0'],
  ]);
  const last = replies.slice(8).map((one) => [one.fields.seq, one.asked, one.summary]);
  expect(last.sort((a, b) => Number(a[0]) - Number(b[0]))).toEqual([
    [7, 'Calc.Wait', 'Calc.Wait = "now"'],
    [9, 'Calc.Open', 'Calc.Open = 0'],
  ]);
  const drawing = lines('request')[4]!.fields.args;
  expect(drawing).toEqual({
    Title: 'first',
    Shapes: [
      { type: 'main.Circle', value: { Center: { X: 1, Y: 2 }, R: 3 } },
      { type: 'main.Square', value: { Side: 4 } },
    ],
    Note: 'seen',
  });
  expect(lines('reply')[4]!.fields.reply).toEqual(drawing);
  expect(lines('request')[3]!.fields['args.raw']).toEqual({ Name: 'ada', Password: 's3cret' });
  expect(lines('request')[6]!.fields.warning).toBe('the value is too long to be read');
  expect(lines('request')[6]!.bytes).toBeGreaterThan(200_000);
}

describe.skipIf(absent)('net/rpc between Go programs', () => {
  it('is read call by call', async () => {
    const [turns] = await recorded(ports[0]!, async (relay) => {
      expect(await said('call', `127.0.0.1:${relay}`)).toBe(
        "divide by zero\nrpc: can't find method Calc.Nothing",
      );
    });
    const heard = hear(decoder, turns!);
    expect(heard.troubles).toEqual([]);
    checkCalls(heard.said);
    for (const side of ['client', 'server'] as const) {
      const { bytes } = turns!.find((turn) => turn.side === side)!;
      const hint = { transport: 'tcp', clientPort: 1, serverPort: 2, side, midStream: false } as const;
      expect(decoder.recognises(hint, bytes, 0, bytes.length)).toBe(0.95);
    }
    anySplitGivesTheSame(decoder, turns!, {}, 2);
    const short = turns!.filter((turn) => turn.bytes.length < 2000);
    survivesAnything(decoder, short, {}, 100);
  });

  it('is the same behind CONNECT of HTTP', async () => {
    const [turns] = await recorded(ports[1]!, async (relay) => {
      await said('callhttp', `127.0.0.1:${relay}`);
    });
    const heard = hear(http1, turns!, { others: [decoder] });
    expect(heard.troubles).toEqual([]);
    expect(heard.said.slice(0, 2).map((one) => one.name)).toEqual(['CONNECT', '200']);
    checkCalls(heard.said.slice(2));
  });
});
