/** `sockscope serve` over TLS and UNIX sockets. */
import { spawn } from 'node:child_process';
import { existsSync, lstatSync } from 'node:fs';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { needs } from './needs.ts';
import { refused, serving, strangeHome } from './serving.ts';
import { cleanUp, folder, later, run, until } from './tap/program.ts';

const here = needs('linux');
const tools = needs('linux', 'curl', 'openssl');
const socat = needs('linux', 'socat');
const GET = 'GET / HTTP/1.1\r\nHost: h\r\n\r\n';

afterAll(cleanUp);

describe.skipIf(tools.missing !== null)('--tls', () => {
  it.concurrent.each([
    ['hello', 'Hello, world'],
    ['api', '/redirect/:n'],
  ])('%s: curl verifies it with the authority that is named', async (kind, answer) => {
    const { env, authority } = strangeHome();
    const server = await serving([kind, '127.0.0.1:0', '--tls'], { env });
    expect(server.out).toContain(`try: curl --cacert ${authority} https://127.0.0.1:${server.port}/`);
    const fine = await run('curl', [
      '-sS',
      '--http1.1',
      '--cacert',
      authority,
      `https://127.0.0.1:${server.port}/`,
    ]);
    expect(fine).toMatchObject({ code: 0, err: '' });
    expect(fine.out).toContain(answer);
    // 60: the certificate cannot be verified.
    const strict = await run('curl', ['-sS', `https://127.0.0.1:${server.port}/`]);
    expect(strict.code).toBe(60);
    await server.stop();
  });

  it.concurrent.each([
    ['echo', 'hello\n', 'hello\n'],
    ['line', 'PING\nQUIT\n', 'PONG\r\nBYE\r\n'],
  ])('%s: openssl verifies it with the authority that is named', async (kind, says, answer) => {
    const { env, authority } = strangeHome();
    const server = await serving([kind, '127.0.0.1:0', '--tls', '--quiet'], { env });
    const words = ['-connect', `127.0.0.1:${server.port}`, '-CAfile', authority, '-brief', '-ign_eof'];
    const strict = ['-verify_return_error', '-verify_ip', '127.0.0.1'];
    const child = spawn('openssl', ['s_client', ...words, ...strict], { stdio: 'pipe' });
    later(() => child.kill('SIGKILL'));
    let heard = '';
    let told = '';
    child.stdout.setEncoding('latin1').on('data', (piece) => {
      heard += piece;
    });
    child.stderr.setEncoding('latin1').on('data', (piece) => {
      told += piece;
    });
    child.stdin.write(says);
    await until('the answer', () => heard === answer);
    expect(told).toContain('Verification: OK');
    child.kill('SIGKILL');
    const { err: said } = await server.stop();
    expect(said).toContain('dropped 0');
  });
});

describe.skipIf(here.missing !== null)('a UNIX socket', () => {
  it.concurrent.each([
    ['hello', GET, 'Hello, world'],
    ['echo', 'hello', 'hello'],
    ['api', GET, '/redirect'],
  ])(
    '%s: its file is taken over when nobody listens there, kept when somebody does, and gone afterwards',
    async (kind, says, answer) => {
      const path = join(folder(), 'x.sock');
      const first = await serving([kind, `unix:${path}`, '--quiet']);
      await first.stop('SIGKILL');
      expect(lstatSync(path).isSocket()).toBe(true);
      const server = await serving([kind, `unix:${path}`, '--quiet']);
      const { code, err } = await refused(kind, `unix:${path}`);
      expect(err).toMatch(/^sockscope: Cannot listen on \/\S+: EADDRINUSE\.\nSomething listens there/);
      expect(code).toBe(3);
      const socket = createConnection({ path });
      let text = '';
      socket.setEncoding('latin1').on('data', (piece) => {
        text += piece;
      });
      socket.write(says);
      await until('the answer', () => text.includes(answer));
      socket.destroy();
      const { code: last } = await server.stop();
      expect([last, existsSync(path)]).toEqual([0, false]);
    },
  );

  it.skipIf(socat.missing !== null).concurrent('echo answers datagrams', async () => {
    const home = folder();
    const path = join(home, 'd.sock');
    const server = await serving(['echo', `unix-dgram:${path}`, '--quiet']);
    const from = `UNIX-SENDTO:${path},bind=${join(home, 'me.sock')}`;
    const { out } = await run('socat', ['-t1', 'STDIO', from], { input: 'hello' });
    expect(out).toBe('hello');
    const { code } = await server.stop();
    expect([code, existsSync(path)]).toEqual([0, false]);
  });
});
