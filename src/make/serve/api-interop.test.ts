/** `serve api` with programs that others wrote: Go's encoding/gob, curl, nghttp. */
import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { needs } from '../../../test/needs.ts';
import { type Served, serve, until, type Wish } from '../../../test/web-service.ts';
import { readGob } from '../gob/read.ts';
import { BOOL, BYTES, FLOAT, INT, mapOf, STRING, sliceOf, struct } from '../gob/types.ts';
import { gobStream } from '../gob/write.ts';
import { kind } from './api.ts';
import type { TlsFiles } from './kind.ts';

const run = promisify(execFile);
const folder = mkdtempSync(join(tmpdir(), 'sockscope-api-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let served: Served | null = null;

afterEach(async () => {
  await served?.close();
  served = null;
});

async function up(wish: Wish = {}): Promise<Served> {
  served = await serve((house) => kind.node!(house, { deadline: null }), wish);
  return served;
}

const go = needs('go');

/** `fetch URL` decodes what a server says; `write FILE` writes what encoding/gob makes of some values. */
const PROGRAM = `package main

import (
	"encoding/gob"
	"encoding/json"
	"net/http"
	"os"
)

type Route struct {
	Path    string
	Methods []string
	About   string
}

type Report struct {
	Service       string
	Pid           int
	UptimeSeconds float64
	UnixNano      int64
	Secure        bool
	HeapBytes     uint64
	Id            []byte
	Routes        []Route
	Answered      map[string]int
	NotSent       string
}

type Inner struct {
	Name  string
	Marks []float64
}

type Outer struct {
	Yes     bool
	Low     int64
	High    uint64
	Bytes   []byte
	Nothing string
	Inner   Inner
	Many    []Inner
	ByName  map[string]int64
}

func must(err error) {
	if err != nil {
		println(err.Error())
		os.Exit(1)
	}
}

func main() {
	if os.Args[1] == "fetch" {
		answer, err := http.Get(os.Args[2])
		must(err)
		var report Report
		must(gob.NewDecoder(answer.Body).Decode(&report))
		must(json.NewEncoder(os.Stdout).Encode(report))
		return
	}
	file, err := os.Create(os.Args[2])
	must(err)
	to := gob.NewEncoder(file)
	value := Outer{true, -1 << 63, 1<<64 - 1, []byte{0, 255}, "", Inner{"a", []float64{1.5, -0.25}}, []Inner{{"b", nil}, {}}, map[string]int64{"k": 300}}
	must(to.Encode(value))
	must(to.Encode(value))
	must(to.Encode(complex(1, -2)))
	must(to.Encode([3]int{1, 0, -1}))
	must(file.Close())
}
`;

describe.skipIf(go.missing !== null)('Go', () => {
  const binary = join(folder, 'gobs');

  beforeAll(async () => {
    writeFileSync(join(folder, 'main.go'), PROGRAM);
    writeFileSync(join(folder, 'go.mod'), 'module gobs\n');
    await run('go', ['build', '-o', binary, '.'], {
      cwd: folder,
      env: {
        ...process.env,
        GO111MODULE: 'on',
        GOFLAGS: '-mod=mod',
        GOPROXY: 'off',
        GOTOOLCHAIN: 'local',
        CGO_ENABLED: '0',
      },
    });
  });

  test('decodes what /gob says', async () => {
    const { port } = await up();
    const { stdout } = await run(binary, ['fetch', `http://127.0.0.1:${port}/gob`]);
    const report = JSON.parse(stdout) as Record<string, unknown>;
    expect(report).toMatchObject({ Service: 'sockscope api', Pid: process.pid, Secure: false, NotSent: '' });
    expect(report.Answered).toEqual({ '/gob': 1 });
    expect(report.Routes).toContainEqual({
      Path: '/echo',
      Methods: ['POST'],
      About: 'answers what it was sent',
    });
    expect(Buffer.from(String(report.Id), 'base64')).toHaveLength(8);
  });

  test('writes what we read, and we write the same bytes', async () => {
    const file = join(folder, 'go.gob');
    await run(binary, ['write', file]);
    const bytes = readFileSync(file);
    const value = {
      Yes: true,
      Low: -(2n ** 63n),
      High: 2n ** 64n - 1n,
      Bytes: Uint8Array.of(0, 255),
      Nothing: '',
      Inner: { Name: 'a', Marks: [1.5, -0.25] },
      Many: [
        { Name: 'b', Marks: [] },
        { Name: '', Marks: [] },
      ],
      ByName: new Map([['k', 300]]),
    };
    expect(readGob(bytes)).toEqual([value, value, { real: 1, imaginary: -2 }, [1, 0, -1]]);

    const inner = struct('Inner', { Name: STRING, Marks: sliceOf(FLOAT) });
    const outer = struct('Outer', {
      Yes: BOOL,
      Low: INT,
      High: { kind: 'uint' },
      Bytes: BYTES,
      Nothing: STRING,
      Inner: inner,
      Many: sliceOf(inner),
      ByName: mapOf(STRING, INT),
    });
    const stream = gobStream();
    const ours = Buffer.concat([stream.value(outer, value), stream.value(outer, value)]);
    // What Go calls its types differs (int64, its numbers for types); the values do not.
    const last = stream.value(outer, value);
    expect(bytes.includes(last.subarray(3))).toBe(true);
    expect(readGob(ours)).toEqual([value, value]);
  });
});

const curl = needs('curl');

describe.skipIf(curl.missing !== null)('curl', () => {
  test('HTTP/1.1, over TCP and over a UNIX socket', async () => {
    const { port } = await up();
    const { stdout } = await run('curl', ['-sSi', `http://127.0.0.1:${port}/status/201`]);
    expect(stdout).toMatch(/^HTTP\/1\.1 201 Created\r\n/);
    await served!.close();
    const path = join(folder, 'api.sock');
    await up({ path });
    const chained = await run('curl', ['-sS', '--unix-socket', path, 'http://localhost/chain?ms=4']);
    expect(chained.stdout).toBe('/slow?ms=4 said 200: it took 4 ms\n');
  });

  test('--http2 in the clear is answered over HTTP/1.1, with prior knowledge over HTTP/2', async () => {
    const { port, lines } = await up();
    const url = `http://127.0.0.1:${port}/status/200`;
    expect((await run('curl', ['-sSi', '--http2', url])).stdout).toMatch(/^HTTP\/1\.1 200 /);
    expect((await run('curl', ['-sSi', '--http2-prior-knowledge', url])).stdout).toMatch(/^HTTP\/2 200 /);
    await until(() => lines.length === 2);
    expect(lines.map(({ note }) => note)).toEqual(['', 'h2']);
  });

  test('a body of 3 MB that is refused is no broken pipe', async () => {
    const file = join(folder, 'big');
    writeFileSync(file, Buffer.alloc(3_000_000));
    const { port } = await up({ common: { maxBody: 1000 } });
    const url = `http://127.0.0.1:${port}/echo`;
    for (const expects of ['Expect: 100-continue', 'Expect:']) {
      const { stdout } = await run('curl', ['-sSi', '-H', expects, '--data-binary', `@${file}`, url]);
      expect(stdout).toMatch(/^HTTP\/1\.1 413 /);
    }
  });
});

const openssl = needs('openssl', 'curl');

describe.skipIf(openssl.missing !== null)('over TLS', () => {
  const authority = join(folder, 'cert.pem');
  let tls: TlsFiles;

  beforeAll(() => {
    const key = join(folder, 'key.pem');
    const made = spawnSync('openssl', [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '1'],
      ...['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'],
      ...['-keyout', key, '-out', authority],
    ]);
    expect(made.stderr.toString()).not.toMatch(/error/i);
    tls = { certificate: readFileSync(authority, 'utf8'), key: readFileSync(key, 'utf8') };
  });

  test('curl gets HTTP/2 or HTTP/1.1, as it asks', async () => {
    const { port, lines } = await up({ tls });
    const url = `https://127.0.0.1:${port}`;
    const second = await run('curl', ['-sSi', '--cacert', authority, '--http2', `${url}/headers`]);
    expect(second.stdout).toMatch(/^HTTP\/2 200 /);
    const first = await run('curl', ['-sSi', '--cacert', authority, '--http1.1', `${url}/json`]);
    expect(first.stdout).toMatch(/^HTTP\/1\.1 200 /);
    expect(first.stdout).toContain('"secure": true');
    const chained = await run('curl', ['-sS', '--cacert', authority, `${url}/chain?ms=4`]);
    expect(chained.stdout).toBe('/slow?ms=4 said 200: it took 4 ms\n');
    const echoed = await run('curl', ['-sS', '--cacert', authority, '--data-binary', 'abc', `${url}/echo`]);
    expect(echoed.stdout).toBe('abc');
    await until(() => lines.length === 5);
    expect(lines.find(({ what }) => what === 'POST /echo')).toMatchObject({
      received: 3,
      sent: 3,
      note: 'h2',
    });
  });

  test('who speaks no TLS, or trusts nobody, is told about and harms nobody', async () => {
    const { port, said } = await up({ tls });
    const plain = await run('curl', ['-sS', `http://127.0.0.1:${port}/`]).catch(
      (error: { code: number }) => error,
    );
    const strange = await run('curl', ['-sS', `https://127.0.0.1:${port}/`]).catch(
      (error: { code: number }) => error,
    );
    expect([(plain as { code: number }).code > 0, (strange as { code: number }).code]).toEqual([true, 60]);
    await until(() => said.length === 2);
    expect(said.join('\n')).toMatch(/http request[\s\S]*unknown ca/i);
    const { stdout } = await run('curl', [
      '-sS',
      '--cacert',
      authority,
      `https://127.0.0.1:${port}/status/200`,
    ]);
    expect(stdout).toBe('this is 200\n');
  });

  test('nothing in flight is lost at the drain', async () => {
    const { port, lines } = await up({ tls });
    const flags = ['--http1.1', '--http2', '--http1.1', '--http2'];
    const asked = flags.map((flag) =>
      run('curl', ['-sS', flag, '--cacert', authority, `https://127.0.0.1:${port}/stream?count=4&ms=150`]),
    );
    const url = `https://127.0.0.1:${port}/slow?ms=600`;
    asked.push(run('curl', ['-sS', '--http1.1', '--cacert', authority, url]));
    asked.push(run('curl', ['-sS', '--http2', '--cacert', authority, url]));
    await new Promise((turn) => setTimeout(turn, 350));
    expect(await served!.drain()).toBe(0);
    const answers = (await Promise.all(asked)).map(({ stdout }) => stdout.trimEnd().split('\n').at(-1));
    expect(answers).toEqual([...flags.map(() => 'line 4 of 4'), 'it took 600 ms', 'it took 600 ms']);
    expect(lines.map(({ result }) => result)).toEqual(lines.map(() => '200'));
    expect(lines).toHaveLength(6);
  });

  const nghttp = needs('nghttp');

  test.skipIf(nghttp.missing !== null)('nghttp gets 20 streams at once over one session', async () => {
    const { port, lines } = await up({ tls });
    const urls = Array.from({ length: 20 }, (_none, at) => `https://127.0.0.1:${port}/slow?ms=${at + 50}`);
    const { stdout } = await run('nghttp', ['-s', '--no-verify-peer', '-n', ...urls]);
    expect(stdout.match(/ 200 /g) ?? stdout).toHaveLength(20);
    await until(() => lines.length === 20);
    expect(new Set(lines.map(({ from }) => from)).size).toBe(1);
    expect(lines.every(({ note, fine }) => note === 'h2' && fine)).toBe(true);
  });
});
