import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { rolldown } from 'rolldown';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { needs } from '../../test/needs.ts';
import { type AddrReport, notFound, parseNameAndPort } from './addr.ts';

const lab = needs('namespace', 'mount', 'ip');
const root = new URL('../..', import.meta.url).pathname;

interface Seen {
  pid: number;
  port: number;
  report: AddrReport;
}

/** A Node in a network and mount namespace of its own: its own hosts file, its own loopback, nobody else's sockets. */
describe('addr in a private network whose hosts file names ::1 first', () => {
  let folder: string;
  beforeAll(async () => {
    if (lab.missing !== null) {
      return;
    }
    // Below node_modules, so that the bundle finds koffi.
    mkdirSync(join(root, 'node_modules/.cache'), { recursive: true });
    folder = mkdtempSync(join(root, 'node_modules/.cache/addr-test-'));
    const bundle = await rolldown({
      input: join(root, 'src/see/addr.ts'),
      platform: 'node',
      external: ['koffi'],
    });
    await bundle.write({ file: join(folder, 'addr.mjs'), format: 'esm', codeSplitting: false });
    await bundle.close();
    writeFileSync(join(folder, 'hosts'), '# ours\n::1 localhost\n127.0.0.1 localhost\n');
    writeFileSync(join(folder, 'nsswitch.conf'), 'hosts: files\n');
  });
  afterAll(() => {
    if (folder !== undefined) {
      rmSync(folder, { recursive: true });
    }
  });

  /** Runs `lines` with the helper `serve(host, port, more)`; what it leaves in `seen` comes back. */
  function inside<T>(lines: string): T {
    const program = `
      import { once } from 'node:events';
      import { writeFileSync } from 'node:fs';
      import { createServer } from 'node:net';
      import { addr } from ${JSON.stringify(join(folder, 'addr.mjs'))};
      const serve = async (host, port = 0, more = {}) => {
        const server = createServer().listen({ host, port, ...more });
        await once(server, 'listening');
        return server.address().port;
      };
      let seen;
      ${lines}
      console.log(JSON.stringify(seen));
      process.exit();`;
    const shell = `mount --bind "$1/hosts" /etc/hosts && mount --bind "$1/nsswitch.conf" /etc/nsswitch.conf &&
      ip link set lo up && exec "$2" --input-type=module -e "$3"`;
    const done = spawnSync('unshare', ['-Urnm', 'sh', '-c', shell, 'sh', folder, process.execPath, program], {
      encoding: 'utf8',
    });
    expect(done.stderr).toBe('');
    return JSON.parse(done.stdout);
  }
  const look = `seen = { pid: process.pid, port, report: await addr({ name: 'localhost', port }) };`;
  const codes = (report: AddrReport): string[] => report.conclusions.map(({ code }) => code);

  it.skipIf(lab.missing)('a server on 127.0.0.1 only is called what it is: refused for who takes ::1', () => {
    const { pid, port, report } = inside<Seen>(`const port = await serve('127.0.0.1'); ${look}`);
    expect(report.answers.map(({ address }) => address)).toEqual(['::1', '127.0.0.1']);
    expect(report.answers.map(({ listeners }) => listeners.length)).toEqual([0, 1]);
    expect(report.hosts.map(({ line, address }) => [line, address])).toEqual([
      [2, '::1'],
      [3, '127.0.0.1'],
    ]);
    expect(report.resolver.modules).toEqual([{ name: 'files', actions: [] }]);
    expect(report.conclusions).toEqual([
      {
        kind: 'finding',
        code: 'FIRST_REFUSED',
        text: `localhost is ::1 first, and node (pid ${pid}) listens only on 127.0.0.1:${port}: programs that do not fall back will get ECONNREFUSED.`,
      },
    ]);
  });

  it.skipIf(lab.missing)(
    'that is what really happens: a connection to the first address is refused, to the second not',
    () => {
      const results = inside<string[]>(`
      const { connect } = await import('node:net');
      const port = await serve('127.0.0.1');
      const { answers } = await addr({ name: 'localhost', port });
      seen = [];
      for (const { address: host } of answers) {
        const socket = connect({ host, port });
        seen.push(await Promise.race([once(socket, 'connect').then(() => 'connected'), once(socket, 'error').then(([e]) => e.code)]).catch((e) => e.code));
        socket.destroy();
      }`);
      expect(results).toEqual(['ECONNREFUSED', 'connected']);
    },
  );

  it.skipIf(lab.missing)('a server on :: serves both families, unless it is IPv6 only', () => {
    const both = inside<Seen>(`const port = await serve('::'); ${look}`).report;
    expect(both.conclusions).toEqual([]);
    expect(both.answers.map(({ listeners }) => listeners.length)).toEqual([1, 1]);
    const only = inside<Seen>(`const port = await serve('::', 0, { ipv6Only: true }); ${look}`).report;
    expect(codes(only)).toEqual(['LATER_REFUSED']);
    const four = inside<Seen>(`const port = await serve('0.0.0.0'); ${look}`).report;
    expect(codes(four)).toEqual(['FIRST_REFUSED']);
  });

  it.skipIf(lab.missing)('a server on another loopback address is not localhost, and is found', () => {
    const { report, port } = inside<Seen>(`const port = await serve('127.0.0.2'); ${look}`);
    expect(codes(report)).toEqual(['ELSEWHERE']);
    expect(report.conclusions[0]!.text).toContain(`127.0.0.2:${port}`);
  });

  it.skipIf(lab.missing)('a port nobody listens on is said to be one, and UDP there is not TCP', () => {
    const { report } = inside<Seen>(`
      const { createSocket } = await import('node:dgram');
      const udp = createSocket('udp4').bind(0, '127.0.0.1');
      await once(udp, 'listening');
      const port = udp.address().port; ${look}`);
    expect(codes(report)).toEqual(['NOBODY']);
    expect(report.conclusions[0]!.text).toMatch(/Only UDP is there: node \(pid \d+\)/);
  });

  it.skipIf(lab.missing)(
    'with IPv6 switched off the answer ::1 is not on this machine, and comes last',
    () => {
      const { report } = inside<Seen>(`
      writeFileSync('/proc/sys/net/ipv6/conf/lo/disable_ipv6', '1');
      const port = await serve('127.0.0.1'); ${look}`);
      expect(report.answers.map(({ address, here }) => [address, here])).toEqual([
        ['127.0.0.1', true],
        ['::1', false],
      ]);
      expect(report.conclusions).toMatchObject([{ kind: 'note', code: 'NOT_HERE' }]);
      expect(report.conclusions[0]!.text).toContain('IPv6 is switched off');
    },
  );

  it.skipIf(lab.missing)('a name nobody knows is a sentence with who was asked', () => {
    const { report } = inside<{ report: AddrReport }>(
      `seen = { report: await addr({ name: 'a.invalid', port: null }) };`,
    );
    expect(report.answers).toEqual([]);
    expect(report.conclusions).toEqual([
      {
        kind: 'finding',
        code: 'NOT_FOUND',
        text: 'a.invalid does not resolve (ENOTFOUND): asked were, in this order, /etc/hosts.',
      },
    ]);
  });
});

describe('what is typed', () => {
  it.each([
    ['localhost', 'localhost', null],
    ['localhost:3000', 'localhost', 3000],
    [':3000', 'localhost', 3000],
    ['::1', '::1', null],
    ['[::1]:3000', '::1', 3000],
    ['[::1]', '::1', null],
    ['fe80::1%eth0', 'fe80::1%eth0', null],
    ['db.internal:5432', 'db.internal', 5432],
  ])('%s', (text, name, port) => {
    expect(parseNameAndPort(text)).toEqual({ name, port });
  });
  it.each(['', 'a:0', 'a:65536', 'a:b', '1:2:3', 'a b', '[::1'])('%j is refused with examples', (text) => {
    expect(() => parseNameAndPort(text)).toThrow(expect.objectContaining({ code: 'BAD_ADDRESS', exit: 2 }));
  });
  it('any text is a name and a port, or that error', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        try {
          const { name, port } = parseNameAndPort(text);
          expect(name).not.toBe('');
          expect(port ?? 1).toBeGreaterThan(0);
        } catch (error) {
          expect(error).toMatchObject({ code: 'BAD_ADDRESS' });
        }
      }),
    );
  });
  it('who was asked is named: files, nameservers, modules', () => {
    const resolver = {
      modules: ['files', 'mdns4_minimal', 'dns'].map((name) => ({ name, actions: [] })),
      modulesConfigured: true,
      resolvConf: { nameservers: ['10.0.0.1', '10.0.0.2'], search: [], ndots: 1, options: [] },
      gai: [],
    };
    expect(notFound('x.test', 'EAI_AGAIN', resolver)).toBe(
      'x.test could not be looked up just now (EAI_AGAIN): asked were, in this order, /etc/hosts, then nss module mdns4_minimal, then DNS at 10.0.0.1, 10.0.0.2.',
    );
  });
});
