/** psql, a Go JSON-RPC program, ssh and dig through the built tap: the same output as without it, and their messages by name. */
import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { needs } from '../needs.ts';
import { answers, cleanUp, folder, freePort, later, run, serve, type Tap, tap, until } from './program.ts';

afterAll(cleanUp);

/** Shown by all who are told: which protocols, and what was said. */
const ofProtocol = (one: Tap, protocol: string): string[] =>
  one
    .of('message')
    .filter((seen) => seen.protocol === protocol)
    .map(({ summary }) => String(summary));

describe.skipIf(needs('linux', 'psql', 'initdb', 'postgres', 'setpriv').missing)('psql', () => {
  let port: number;
  let through: Tap;

  beforeAll(async () => {
    const home = folder();
    const isRoot = process.getuid?.() === 0;
    const as = isRoot ? ['--reuid', 'postgres', '--regid', 'postgres', '--clear-groups', '--'] : [];
    if (isRoot) {
      const id = (flag: string) => Number(spawnSync('id', [flag, 'postgres'], { encoding: 'utf8' }).stdout);
      chownSync(home, id('-u'), id('-g'));
    }
    const { findProgram } = await import('../needs.ts');
    const data = join(home, 'data');
    const init = [
      findProgram('initdb')!,
      '-D',
      data,
      '-U',
      'postgres',
      '-A',
      'trust',
      '--no-sync',
      '-E',
      'UTF8',
    ];
    const made = await run('setpriv', [...as, ...init], { cwd: home, timeoutMs: 30_000 });
    expect(made).toMatchObject({ code: 0 });
    port = await freePort();
    const start = [
      findProgram('postgres')!,
      '-D',
      data,
      '-k',
      home,
      '-p',
      `${port}`,
      '-h',
      '127.0.0.1',
      '-F',
    ];
    await serve('setpriv', [...as, ...start], () => answers(port), { cwd: home });
    through = await tap(['0', String(port)]);
  });

  const SESSION = `
    CREATE TEMP TABLE people (id int PRIMARY KEY, name text);
    INSERT INTO people VALUES (1, 'Ann'), (2, 'Bob');
    SELECT * FROM people ORDER BY id;
    SELECT nonsense FROM nowhere;
    INSERT INTO people VALUES (1, 'again');
    COPY people FROM STDIN;
3\tCarl
4\tDora
\\.
    COPY people TO STDOUT;
    BEGIN; UPDATE people SET name = upper(name); ROLLBACK;
    SELECT count(*), repeat('x', 100000) FROM people;
`;

  it('a session with errors and COPY both ways', async () => {
    const words = (to: number) => [
      '-h',
      '127.0.0.1',
      '-p',
      String(to),
      '-U',
      'postgres',
      '-X',
      '-f',
      '-',
      'postgres',
    ];
    const straight = await run('psql', words(port), { input: SESSION });
    const tapped = await run('psql', words(through.port), { input: SESSION });
    expect(tapped).toEqual(straight);
    expect(straight.err).toMatch(/does not exist[\s\S]*duplicate key/);
    expect(straight.out).toContain('3\tCarl');
    await until('the end', () => through.of('ended').length > 0);
    const said = ofProtocol(through, 'postgres').join('\n');
    for (const wanted of [
      'SELECT nonsense FROM nowhere',
      'COPY people FROM STDIN',
      'duplicate key',
      'ROLLBACK',
    ]) {
      expect(said).toContain(wanted);
    }
    expect(through.of('trouble')).toEqual([]);
  });
});

describe.skipIf(needs('linux', 'go').missing)('a Go JSON-RPC program', () => {
  const SERVER = `package main

import ("errors"; "fmt"; "net"; "net/rpc"; "net/rpc/jsonrpc"; "os")

type Args struct{ A, B int }
type Arith int

func (t *Arith) Multiply(a *Args, reply *int) error { *reply = a.A * a.B; return nil }
func (t *Arith) Divide(a *Args, reply *int) error {
	if a.B == 0 { return errors.New("divide by zero") }
	*reply = a.A / a.B
	return nil
}

func main() {
	if os.Args[1] == "serve" {
		rpc.Register(new(Arith))
		l, err := net.Listen("tcp", os.Args[2])
		if err != nil { panic(err) }
		for { c, err := l.Accept(); if err != nil { return }; go jsonrpc.ServeConn(c) }
	}
	c, err := jsonrpc.Dial("tcp", os.Args[2])
	if err != nil { panic(err) }
	for i := 0; i < 50; i++ {
		var product int
		err := c.Call("Arith.Multiply", Args{i, 7}, &product)
		fmt.Println(product, err)
	}
	var none int
	fmt.Println(c.Call("Arith.Divide", Args{1, 0}, &none))
	c.Close()
}
`;

  it('calls, answers and errors', async () => {
    const home = folder();
    writeFileSync(join(home, 'main.go'), SERVER);
    writeFileSync(join(home, 'go.mod'), 'module calls\n\ngo 1.19\n');
    const env = {
      // The user's own cache: without it the standard library is compiled each time.
      ...(process.env.GOCACHE === undefined ? {} : { GOCACHE: process.env.GOCACHE }),
      GOFLAGS: '-mod=mod',
      GOPROXY: 'off',
    };
    const built = await run('go', ['build', '-o', 'calls', '.'], { cwd: home, env, timeoutMs: 110_000 });
    expect(built).toMatchObject({ code: 0 });
    const program = join(home, 'calls');
    const port = await freePort();
    await serve(program, ['serve', `127.0.0.1:${port}`], () => answers(port));
    const through = await tap(['0', String(port)]);
    const straight = await run(program, ['call', `127.0.0.1:${port}`]);
    const tapped = await run(program, ['call', `127.0.0.1:${through.port}`]);
    expect(tapped).toEqual(straight);
    expect(straight.out).toContain('343 <nil>\ndivide by zero');
    await until('the end', () => through.of('ended').length > 0);
    const said = ofProtocol(through, 'jsonrpc');
    expect(said.filter((one) => one.includes('Arith.Multiply'))).toHaveLength(50);
    expect(said.filter((one) => one.includes('divide by zero'))).toHaveLength(1);
    expect(said).toHaveLength(102);
  }, 120_000);
});

describe.skipIf(needs('linux', 'root', 'ssh', 'sshd', 'ssh-keygen').missing)('ssh', () => {
  it('runs a command on the other side; the banners are read', async () => {
    const home = folder();
    const file = (name: string): string => join(home, name);
    for (const key of ['host', 'user']) {
      await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', file(key)]);
    }
    // sshd insists on a folder that only root writes to.
    if (!existsSync('/run/sshd')) {
      mkdirSync('/run/sshd', { mode: 0o755 });
      later(() => rmdirSync('/run/sshd'));
    }
    const port = await freePort();
    const settings = [
      `Port ${port}`,
      'ListenAddress 127.0.0.1',
      `HostKey ${file('host')}`,
      `AuthorizedKeysFile ${file('user.pub')}`,
      'StrictModes no',
      'UsePAM no',
      'PasswordAuthentication no',
      `PidFile ${file('pid')}`,
    ];
    writeFileSync(file('config'), `${settings.join('\n')}\n`);
    chmodSync(home, 0o755);
    await serve('sshd', ['-D', '-e', '-f', file('config')], () => answers(port));
    const through = await tap(['0', String(port)]);
    const quiet = [
      'StrictHostKeyChecking=no',
      'UserKnownHostsFile=/dev/null',
      'BatchMode=yes',
      'LogLevel=ERROR',
    ];
    const words = (to: number) => [
      ...quiet.flatMap((option) => ['-o', option]),
      ...['-F', '/dev/null', '-i', file('user'), '-p', String(to), '127.0.0.1'],
      'cat; echo on stderr >&2; exit 7',
    ];
    const input = 'line\n'.repeat(50_000);
    const straight = await run('ssh', words(port), { input });
    const tapped = await run('ssh', words(through.port), { input });
    expect(tapped).toEqual(straight);
    expect(straight).toMatchObject({ code: 7, out: input, err: 'on stderr\n' });
    await until('the end', () => through.of('ended').length > 0);
    const banners = ofProtocol(through, 'ssh').filter((one) => /OpenSSH/.test(one));
    expect(banners).toHaveLength(2);
  });
});

describe.skipIf(needs('linux', 'dig', 'dnsmasq').missing)('dig', () => {
  const words = (port: number, ...more: string[]) => [
    '@127.0.0.1',
    '-p',
    String(port),
    '+tries=1',
    '+time=3',
    ...more,
  ];
  let port: number;
  let through: Tap;

  beforeAll(async () => {
    port = await freePort();
    const texts = Array.from({ length: 20 }, (_, i) => `text-${i}-${'x'.repeat(60)}`);
    await serve(
      'dnsmasq',
      [
        '--no-daemon',
        '--conf-file=/dev/null',
        '--no-resolv',
        '--no-hosts',
        '--listen-address=127.0.0.1',
        '--bind-interfaces',
        `--port=${port}`,
        '--pid-file=',
        '--local=/test/',
        '--user=root',
        '--host-record=one.test,192.0.2.1,2001:db8::1',
        ...texts.map((text) => `--txt-record=long.test,${text}`),
      ],
      () => answers(port),
    );
    // A TCP tap will want the same port beside it.
    through = await tap([`udp://127.0.0.1:${await freePort()}`, `udp://127.0.0.1:${port}`]);
  });

  it.each([
    ['A', ['one.test', 'A', '+short'], '192.0.2.1\n'],
    ['AAAA', ['one.test', 'AAAA', '+short'], '2001:db8::1\n'],
    ['a name that nobody has', ['none.test', '+noall', '+comments'], /NXDOMAIN/],
  ])('%s over UDP', async (_, query, answer) => {
    const straight = await run('dig', words(port, ...query));
    const tapped = await run('dig', words(through.port, ...query));
    const clean = (text: string): string => text.replace(/id: \d+/, 'id');
    expect(clean(tapped.out)).toBe(clean(straight.out));
    expect(straight.out).toMatch(answer);
    await until('the question', () => ofProtocol(through, 'dns').some((one) => one.includes(query[0]!)));
  });

  it('an answer that does not fit goes over TCP', async () => {
    const tcp = await tap([String(through.port), String(port)]);
    const tapped = await run('dig', words(through.port, 'long.test', 'TXT', '+short', '+bufsize=512'));
    expect(tapped.out.trim().split('\n')).toHaveLength(20);
    await until('the question over TCP', () =>
      ofProtocol(tcp, 'dns').some((one) => one.includes('long.test')),
    );
  });
});
