/** HAProxy and curl say whose connection they pass on; a server of our own listens. */
import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type RecordedTurn, recorded } from '../../../test/fixtures/recorded.ts';
import { findProgram, needs } from '../../../test/needs.ts';
import { anySplitGivesTheSame, hear, type Said } from './decoder.contract.ts';
import { decoder as http1 } from './http1.ts';
import { decoder } from './proxy.ts';

const run = promisify(execFile);

/** Answers every request, whatever comes before it. */
const sink = createServer((socket) => {
  let heard = '';
  socket.on('error', () => socket.destroy());
  socket.on('data', (bytes) => {
    heard += bytes.toString('latin1');
    if (/HTTP\/1\.[01]\r\n(.+\r\n)*\r\n$/.test(heard)) {
      socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi');
    }
  });
});

beforeAll(() => new Promise<void>((resolve) => sink.listen(0, '127.0.0.1', resolve)));
afterAll(() => new Promise((resolve) => sink.close(resolve)));

const sinkPort = () => (sink.address() as AddressInfo).port;

async function freePorts(count: number): Promise<number[]> {
  const probes = Array.from({ length: count }, () => createServer());
  await Promise.all(
    probes.map((probe) => new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve))),
  );
  const ports = probes.map((probe) => (probe.address() as AddressInfo).port);
  await Promise.all(probes.map((probe) => new Promise((resolve) => probe.close(resolve))));
  return ports;
}

/** The header; the rest must be the request and the reply it introduces. */
function headerOf(turns: RecordedTurn[]): Said {
  const inside = { others: [http1] };
  const { said, troubles } = hear(decoder, turns, inside);
  expect(troubles).toEqual([]);
  expect(said.map((one) => [one.protocol, one.kind])).toEqual([
    ['proxy', 'notice'],
    ['http', 'request'],
    ['http', 'reply'],
  ]);
  expect(said[2]!.asked).toBe('GET');
  anySplitGivesTheSame(decoder, turns, inside, 5);
  const first = turns[0]!.bytes;
  const hint = { transport: 'tcp', clientPort: 1, serverPort: 2, side: 'client', midStream: false } as const;
  expect(decoder.recognises(hint, first, 0, first.length)).toBeGreaterThanOrEqual(0.8);
  return said[0]!;
}

describe.skipIf(needs('curl').missing !== null)('curl', () => {
  it('--haproxy-protocol says its own two ends', async () => {
    let relayPort = 0;
    let clientPort = 0;
    const [turns] = await recorded(sinkPort(), async (relay) => {
      relayPort = relay;
      const words = ['-s', '--haproxy-protocol', '-o', '/dev/null', '-w', '%{local_port}'];
      const { stdout } = await run('curl', [...words, `http://127.0.0.1:${relay}/`]);
      clientPort = Number(stdout);
    });
    expect(headerOf(turns!).fields).toEqual({
      version: 1,
      command: 'PROXY',
      family: 'TCP4',
      source: '127.0.0.1',
      destination: '127.0.0.1',
      'source.port': clientPort,
      'destination.port': relayPort,
    });
  });
});

describe.skipIf(needs('linux', 'haproxy', 'curl', 'openssl').missing !== null)('HAProxy', () => {
  let folder = '';

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'sockscope-haproxy-'));
    const words = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2'];
    for (const name of ['server', 'ann']) {
      const files = ['-keyout', join(folder, `${name}.key`), '-out', join(folder, `${name}.crt`)];
      execFileSync('openssl', [...words, ...files, '-subj', `/CN=${name}.test`], { stdio: 'ignore' });
    }
    const [key, crt] = ['key', 'crt'].map((end) => readFileSync(join(folder, `server.${end}`), 'utf8'));
    writeFileSync(join(folder, 'server.pem'), `${crt}${key}`);
  });

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  /** HAProxy with one listener in front of the sink; while it runs, `talk`. */
  async function through(
    bind: string,
    server: string,
    talk: (port: number) => Promise<unknown>,
    more = '',
  ): Promise<{ turns: RecordedTurn[][]; port: number }> {
    const [port] = (await freePorts(1)) as [number];
    const turns = await recorded(sinkPort(), async (relay) => {
      const config = join(folder, 'haproxy.cfg');
      writeFileSync(
        config,
        `defaults
  timeout connect 5s
  timeout client 5s
  timeout server 5s
listen here
  mode tcp
  ${more}
  bind 127.0.0.1:${port} ${bind}
  server there 127.0.0.1:${relay} ${server}
`,
      );
      const child = spawn(findProgram('haproxy')!, ['-db', '-q', '-f', config], {
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      let problems = '';
      child.stderr!.on('data', (bytes) => {
        problems += bytes;
      });
      try {
        await vi.waitFor(() => running(child, problems, port), { timeout: 10_000 });
        await talk(port);
      } finally {
        await stopped(child);
      }
    });
    return { turns, port };
  }

  /** Listening, which is seen without connecting: each connection would be passed on. */
  async function running(child: ChildProcess, problems: string, port: number): Promise<void> {
    expect(child.exitCode, problems).toBeNull();
    const wanted = `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')} 00000000:0000 0A`;
    expect(readFileSync('/proc/net/tcp', 'utf8')).toContain(wanted);
  }

  async function stopped(child: ChildProcess): Promise<void> {
    if (child.exitCode === null) {
      const gone = once(child, 'exit');
      child.kill();
      await gone;
    }
  }

  async function curl(...words: string[]): Promise<number> {
    const { stdout } = await run('curl', [
      '-s',
      '-m',
      '10',
      '-o',
      '/dev/null',
      '-w',
      '%{local_port}',
      ...words,
    ]);
    return Number(stdout);
  }

  it.each([
    ['send-proxy', 1],
    ['send-proxy-v2', 2],
  ])('%s says the client and where it went', async (server, version) => {
    let source = 0;
    const { turns, port } = await through('', server, async (at) => {
      source = await curl(`http://127.0.0.1:${at}/`);
    });
    expect(turns).toHaveLength(1);
    const said = headerOf(turns[0]!);
    expect(said.fields).toEqual({
      version,
      command: 'PROXY',
      family: 'TCP4',
      source: '127.0.0.1',
      destination: '127.0.0.1',
      'source.port': source,
      'destination.port': port,
    });
  });

  it('send-proxy-v2-ssl-cn says what TLS said, and its checksum is right', async () => {
    const options = 'crc32c,unique-id,authority,ssl,cert-cn,cert-key,cert-sig,ssl-cipher';
    const { turns } = await through(
      `ssl crt ${folder}/server.pem ca-file ${folder}/ann.crt verify optional alpn http/1.1`,
      `send-proxy-v2-ssl-cn proxy-v2-options ${options}`,
      (port) =>
        curl(
          ...['-k', '--cert', join(folder, 'ann.crt'), '--key', join(folder, 'ann.key')],
          ...['--resolve', `web.test:${port}:127.0.0.1`, `https://web.test:${port}/`],
        ),
      'unique-id-format id-%pid',
    );
    const said = headerOf(turns[0]!);
    expect(said.failed).toBe(false);
    expect(said.fields).toMatchObject({
      'tlv.crc32c': 'right',
      'tlv.alpn': 'http/1.1',
      'tlv.authority': 'web.test',
      'tlv.unique_id': expect.stringMatching(/^id-\d+$/),
      'tlv.ssl': true,
      'tlv.ssl.certificate': 'connection',
      'tlv.ssl.verified': true,
      'tlv.ssl.version': expect.stringMatching(/^TLSv1\.[23]$/),
      'tlv.ssl.cn': 'ann.test',
      'tlv.ssl.cipher': expect.stringMatching(/\w/),
      'tlv.ssl.sig_alg': 'RSA-SHA256',
      'tlv.ssl.key_alg': 'RSA2048',
    });
    expect(said.summary).toMatch(/over TLSv1\.[23] web\.test ann\.test$/);
  });

  it('its own health checks are LOCAL', async () => {
    const answered = new Promise<void>((resolve) => {
      sink.once('connection', (socket) => socket.once('close', () => resolve()));
    });
    const { turns } = await through(
      '',
      'send-proxy-v2 check check-send-proxy inter 60s',
      () => answered,
      'option httpchk GET /alive',
    );
    const said = headerOf(turns[0]!);
    expect([said.name, said.fields.command, said.fields.source]).toEqual(['LOCAL', 'LOCAL', undefined]);
  });
});
