import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findProgram, needs } from '../../test/needs.ts';
import { type ProxyRead, readProxyHeader, writeProxyHeader } from './proxy-protocol.ts';

/** HAProxy before a server that reads its header, and HAProxy as the server that is told. */
describe.skipIf(needs('haproxy').missing !== null)('HAProxy', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sockscope-proxy-'));
  const at = (name: string): string => join(folder, name);
  let haproxy: ChildProcess;
  let server: Server;
  let heard: (read: ProxyRead) => void = () => {};

  beforeAll(async () => {
    server = createServer((socket) => {
      let bytes = Buffer.alloc(0);
      socket.on('error', () => {});
      socket.on('data', (more) => {
        bytes = Buffer.concat([bytes, more]);
        const read = readProxyHeader(bytes, 0, bytes.length);
        if (read.kind !== 'need') {
          heard(read);
          socket.end();
        }
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    // UNIX sockets: there is no port to lose a race for.
    writeFileSync(
      at('haproxy.cfg'),
      `defaults
  timeout connect 5s
  timeout client 5s
  timeout server 5s
listen one
  mode tcp
  bind unix@${at('one')} accept-proxy
  server s 127.0.0.1:${port} send-proxy
listen two
  mode tcp
  bind unix@${at('two')} accept-proxy
  server s 127.0.0.1:${port} send-proxy-v2 proxy-v2-options unique-id
  unique-id-format %{+X}o\\ %ci:%cp
frontend told
  mode http
  bind unix@${at('told')} accept-proxy
  http-request return status 200 content-type text/plain lf-string "%[src]:%[src_port] %[dst]:%[dst_port]"
`,
    );
    haproxy = spawn(findProgram('haproxy')!, ['-db', '-q', '-f', at('haproxy.cfg')], { stdio: 'ignore' });
    await reachable(at('told'), haproxy);
  });

  afterAll(async () => {
    server.close();
    const ended = once(haproxy, 'exit');
    haproxy.kill('SIGKILL');
    await ended;
    rmSync(folder, { recursive: true });
  });

  const source = { kind: 'tcp', host: '192.0.2.7', port: 40_001 } as const;
  const destination = { kind: 'tcp', host: '198.51.100.9', port: 443 } as const;
  const six = [
    { kind: 'tcp', host: '2001:db8::7', port: 5 },
    { kind: 'tcp', host: '2001:db8::9', port: 6 },
  ] as const;

  it.each([
    ['send-proxy', 'one', 1],
    ['send-proxy-v2 with a TLV', 'two', 2],
  ] as const)('%s is understood, and what we wrote came through it', async (_, front, version) => {
    for (const [from, to] of [[source, destination] as const, six]) {
      const read = new Promise<ProxyRead>((resolve) => {
        heard = resolve;
      });
      const client = connect(at(front));
      client.write(writeProxyHeader(version === 1 ? 2 : 1, from, to));
      expect(await read).toMatchObject({
        kind: 'header',
        header: { version, source: from, destination: to },
      });
      client.destroy();
    }
  });

  it.each([1, 2] as const)('accept-proxy takes version %i', async (version) => {
    for (const [from, to] of [[source, destination] as const, six]) {
      const client = connect(at('told'));
      client.write(writeProxyHeader(version, from, to));
      client.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
      expect(await textOf(client)).toContain(`${from.host}:${from.port} ${to.host}:${to.port}`);
    }
  });

  it.each([1, 2] as const)('accept-proxy takes version %i that knows no ends', async (version) => {
    const client = connect(at('told'));
    client.write(writeProxyHeader(version, null, null));
    client.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    expect(await textOf(client)).toContain('200 OK');
  });
});

async function reachable(path: string, program: ChildProcess): Promise<void> {
  while (program.exitCode === null) {
    const socket = connect(path);
    const answer = await once(socket, 'connect').then(
      () => true,
      () => false,
    );
    socket.destroy();
    if (answer) {
      return;
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  throw new Error('haproxy does not take its configuration');
}

async function textOf(socket: Socket): Promise<string> {
  let text = '';
  for await (const chunk of socket) {
    text += chunk;
  }
  return text;
}
