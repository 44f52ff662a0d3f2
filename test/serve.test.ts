/** `sockscope serve` as it is typed: what is refused and how, what is printed, how it ends. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { closeFd } from '../src/kernel/epoll.ts';
import { takeDescriptor } from '../src/kernel/take-descriptor.ts';
import { kinds } from '../src/make/serve/kinds.ts';
import { getOption } from '../src/reactor/socket-options.ts';
import { needs } from './needs.ts';
import { ls, refused, serving, written } from './serving.ts';
import { cleanUp, cli, folder, later, plainEnv, run, until } from './tap/program.ts';
import { wire } from './web-service.ts';

const here = needs('linux');
const asRoot = needs('linux', 'root', 'setpriv');
const GET = 'GET / HTTP/1.1\r\nHost: h\r\n\r\n';

afterAll(cleanUp);

/** Words, and what is said: the sentence, and the line of advice. */
const WRONG: readonly (readonly [words: string, message: RegExp, hint: RegExp])[] = [
  ['frob', /^There is no kind of server called "frob"\.$/, /serve --help` lists them/],
  ['helo', /called "helo"/, /^Did you mean hello\?/],
  ['hello :0 --sockopt nodeley=0', /no socket option is called "nodeley"/, /^Did you mean nodelay\?$/],
  ['hello :0 --sockopt rcvbuf=lots', /rcvbuf="lots" is not a whole number/, /^rcvbuf \(bytes\): /],
  ['hello :0 --sockopt nodelay=2', /nodelay is on \(1\) or off \(0\), not 2/, /Nagle/],
  ['hello :0 --sockopt ttl=1,ttl=2', /ttl is given twice/, /Keep one/],
  ['hello :0 --rate many', /--rate cannot be many: /, /^Example: --rate 100\/s$/],
  ['hello :0 --rate 0/s', /--rate cannot be 0\/s: /, /100\/s/],
  ['hello :0 --slow 0', /--slow cannot be 0: it takes bytes per second/, /10B\/s/],
  [
    'hello :0 --close-after soon',
    /--close-after cannot be soon: it takes bytes of answers, or a time/,
    /1kB, or 5s/,
  ],
  ['hello :0 --reset-after -1', /--reset-after cannot be -1/, /1kB, or 5s/],
  ['hello :0 --workers 0', /--workers cannot be 0: it takes a whole number from 1 to 64/, /--workers 4/],
  ['hello :0 --workers 65', /--workers cannot be 65/, /--workers 4/],
  ['hello unix:/tmp/x.sock --workers 2', /Several workers share a TCP port only/, /Leave out --workers/],
  ['line :0 --workers 2', /share what one thread keeps/, /Leave out --workers/],
  ['hello :0 --idle-timeout 5', /--idle-timeout cannot be 5: it takes a time with its unit/, /30s/],
  ['hello :0 --max-connections 0', /--max-connections cannot be 0/, /100/],
  ['hello :0 --max-body much', /--max-body cannot be much/, /1MB/],
  ['hello :0 --drain never', /--drain cannot be never/, /10s/],
  ['hello :0 --backlog x', /--backlog cannot be x/, /8/],
  ['hello :0 --die-after x', /--die-after cannot be x/, /5s/],
  ['hello :99999', /99999 is not a port/, /1 to 65535/],
  ['hello :0 --listen :0', /The address is given twice/, /--listen/],
  ['hello udp:0', /hello does not speak over UDP/, /TCP, a UNIX socket/],
  ['echo :0 further', /serve echo does not know what to do with further/, /\[address\]/],
  ['echo udp:0 --leak', /datagrams have none/, /TCP/],
  ['echo unix:/tmp/x.sock --tls', /TLS needs TCP/, /Leave out --tls/],
  ['frob :0 --listen :0 --frob', /^There is no kind of server called "frob"\.$/, /--help/],
];

describe.skipIf(here.missing !== null)('serve', () => {
  it.concurrent.each(WRONG)('refuses `serve %s`', async (words, message, hint) => {
    const { code, out, err } = await refused(...words.split(' '));
    expect([code, out]).toEqual([2, '']);
    const [first = '', second = '', ...others] = err.split('\n');
    expect(first.replace(/^sockscope: /, '')).toMatch(message);
    expect(second).toMatch(hint);
    expect(others).toEqual(['']);
  });

  it.concurrent('a zone file with a mistake is named with its line', async () => {
    const file = join(folder(), 'broken.zone');
    writeFileSync(file, '$ORIGIN example.test.\n@ 60 IN SOA ns root 1 2 3 4 5\nns 60 IN A 999.1.1.1\n');
    const { code, out, err } = await refused('dns', file, '--listen', '127.0.0.1:0');
    expect(err).toMatch(/^sockscope: \/\S+\/broken\.zone:3:\d+: /);
    expect([code, out]).toEqual([1, '']);
  });

  it.skipIf(!kinds.some(({ name }) => name === 'files')).concurrent(
    'a directory that is not there',
    async () => {
      const { code, out, err } = await refused('files', '/nonexistent', '--listen', '127.0.0.1:0');
      expect(err).toMatch(/^sockscope: .*\/nonexistent/);
      expect([code, out]).toEqual([2, '']);
    },
  );

  it.concurrent('a port that is taken: who has it, and the next one where none was asked for', async () => {
    const first = await serving(['hello', '127.0.0.1:0', '--quiet']);
    const { code, err } = await refused('echo', `127.0.0.1:${first.port}`);
    expect(err).toMatch(
      new RegExp(
        `^sockscope: 127\\.0\\.0\\.1:${first.port} is taken by \\S+ \\(pid ${first.pid}\\)\\.\n.*kill :${first.port}\n$`,
      ),
    );
    expect(code).toBe(3);
    await first.stop();
    const two = await Promise.all([serving(['time', '--quiet']), serving(['time', '--quiet'])]);
    expect(new Set(two.map(({ port }) => port)).size).toBe(2);
    await Promise.all(two.map((one) => one.stop()));
  });

  it.concurrent('an address of another machine', async () => {
    const { code, err } = await refused('hello', '192.0.2.77:0');
    expect(err).toBe(
      'sockscope: Cannot listen on 192.0.2.77:0: EADDRNOTAVAIL.\nThat address is not one of this machine: ip addr lists them.\n',
    );
    expect(code).toBe(3);
  });

  it.skipIf(asRoot.missing !== null).concurrent('a port that this user may not have', async () => {
    const plain = ['--reuid=65534', '--regid=65534', '--clear-groups', '--bounding-set=-all'];
    const { code, err } = await run('setpriv', [...plain, process.execPath, cli, 'serve', 'hello', ':80']);
    expect(err).toBe(
      'sockscope: This user may not listen on 127.0.0.1:80.\nPorts below 1024 need root or CAP_NET_BIND_SERVICE; choose a higher one.\n',
    );
    expect(code).toBe(3);
  });

  it.concurrent('socket options are told as the kernel made them, and every accepted socket has them', async () => {
    const wishes = 'rcvbuf=4096,nodelay=0,keepidle=5,user-timeout=2000';
    for (const kind of ['echo', 'api']) {
      const server = await serving([kind, '127.0.0.1:0', '--json', '--sockopt', wishes]);
      const [listening] = server.lines('listening');
      expect(listening?.sockopt).toEqual([
        { name: 'rcvbuf', asked: 4096, made: 8192 },
        { name: 'nodelay', asked: 0, made: 0 },
        { name: 'keepidle', asked: 5, made: 5 },
        { name: 'user-timeout', asked: 2000, made: 2000 },
      ]);
      const one = wire(server.port, GET);
      await one.until((text) => text !== '');
      const rows = await ls('established', `sport = :${server.port}`);
      const fd = rows.flatMap(({ owners = [] }) => owners).find(({ pid }) => pid === server.pid)?.fd;
      const own = takeDescriptor(server.pid, fd ?? -1);
      expect(own).toBeGreaterThan(0);
      const made = ['rcvbuf', 'nodelay', 'keepidle', 'user-timeout'].map((name) => getOption(own, name));
      closeFd(own);
      expect([kind, ...made]).toEqual([kind, 8192, 0, 5, 2000]);
      one.socket.destroy();
      await server.stop();
    }
  });

  it.concurrent('for people: where it listens, how to try it, what the kernel made of the options, access lines', async () => {
    const server = await serving(['hello', '127.0.0.1:0', '--sockopt', 'rcvbuf=4096']);
    expect(server.out).toContain(
      `hello on 127.0.0.1:${server.port}   try: curl http://127.0.0.1:${server.port}/\n`,
    );
    const one = wire(server.port, GET);
    await until('an access line', () => /GET \/ {2}200 {2}/.test(server.out));
    expect(server.out).toContain('  rcvbuf=4096: the kernel made it 8192. ');
    one.socket.destroy();
    const { err, code } = await server.stop('SIGINT');
    expect(err).toMatch(/^1 request · .*\ndrained [01], dropped 0\n$/);
    expect(code).toBe(0);
  });

  it.concurrent('--json: every line is an object that begins with v', async () => {
    const server = await serving(['hello', '127.0.0.1:0', '--json']);
    const one = wire(server.port, GET);
    await until('an access line', () => server.lines('access').length === 1);
    one.socket.destroy();
    const { out, err, code } = await server.stop();
    const lines = out.trimEnd().split('\n');
    expect(lines.filter((line) => !line.startsWith('{"v":1,"type":"'))).toEqual([]);
    expect(lines.map((line) => (JSON.parse(line) as { type: string }).type)).toEqual([
      'listening',
      'access',
      'summary',
    ]);
    expect(server.lines('access')[0]).toMatchObject({ what: 'GET /', result: '200', fine: true });
    expect(server.lines('summary')[0]).toMatchObject({ dropped: 0, connections: 1, requests: 1 });
    expect([err, code]).toEqual(['', 0]);
  });

  it.concurrent('--quiet: no line for a request, and a summary in the end', async () => {
    const server = await serving(['hello', '127.0.0.1:0', '--quiet']);
    const one = wire(server.port, GET);
    await one.until((text) => text.includes('Hello'));
    one.socket.destroy();
    const { out, err } = await server.stop();
    expect(out.split('\n')).toHaveLength(2);
    expect(err).toMatch(/^1 request · /);
  });

  it.concurrent('a reader that goes away ends it quietly', async () => {
    const child = spawn(process.execPath, [cli, 'serve', 'hello', '127.0.0.1:0'], {
      env: plainEnv,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    later(() => child.kill('SIGKILL'));
    let err = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      err += text;
    });
    const ended = once(child, 'close');
    const [first] = (await once(child.stdout, 'data')) as [Buffer];
    child.stdout.destroy();
    const port = Number(/:(\d+) {3}try/.exec(String(first))?.[1]);
    wire(port, GET);
    const [code, signal] = await ended;
    expect([code, signal, err]).toEqual([0, null, '']);
  });

  it.concurrent('a second SIGINT leaves at once, though a client hangs', async () => {
    const server = await serving(['api', '127.0.0.1:0', '--quiet']);
    const one = wire(server.port, 'GET /slow?ms=60000 HTTP/1.1\r\nHost: h\r\n\r\n');
    await written([one]);
    // timeout(1) tells its wish twice, so two signals close together are one; then every further one counts.
    const again = setInterval(() => server.child.kill('SIGINT'), 50);
    const { code, signal } = await server.ended;
    clearInterval(again);
    expect([code, signal]).toEqual([130, null]);
  });

  it.concurrent.each([
    ['hello', 'GET / HT'],
    ['api', 'GET /slow?ms=60000 HTTP/1.1\r\nHost: h\r\n\r\n'],
    ['rpc', '{"method":"Slow.Sleep","params":[{"Ms":60000}],"id":1}\n'],
    ['echo', 'hello'],
  ])('--drain 200ms: %s gives up on a client that hangs, and says so', async (kind, says) => {
    const server = await serving([kind, '127.0.0.1:0', '--json', '--drain', '200ms']);
    // Half-open and silent: for echo, it is the client that never ends.
    const one = wire(server.port, says);
    one.socket.removeAllListeners('end');
    await written([one]);
    const { code } = await server.stop();
    expect(server.lines('summary')[0]).toMatchObject({ drained: 0, dropped: 1 });
    expect(code).toBe(0);
    one.socket.destroy();
  });
});
