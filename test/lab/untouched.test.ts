/** The laboratory has namespaces of its own; the machine around it stays as it was. */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { chmodSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { needs } from '../needs.ts';
import { eventually, MARK, machine, marked } from './host.ts';

const { missing } = needs('namespace', 'ip');
const asRoot = process.getuid?.() === 0;
const NOBODY = ['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups', '--'];

/** Settings, a lost connection, a job in a program, UDP; short ones. The library's test turns the rest. */
const TOLD = ['linger-zero', 'port-bomb-pooled', 'udp-overflow'];

const LIBRARY = `
import { stage } from '${pathToFileURL(resolve('dist/lab.mjs')).href}';
const one = await stage({ sysctl: { tcp_retries2: 3 }, hosts: { client: {}, server: { more: 5, neighbours: 'arp' } } });
const [client, server] = [one.host('client'), one.host('server')];
await server.setSysctl('ip_local_port_range', '40000 40009');
await client.route('10.7.0.0/24', 'blackhole');
const listener = await server.listening('*:80');
const socket = await client.connected('server:80');
await server.accepted(listener);
await client.send(socket, 'hello');
await one.wire.cut('server');
await server.powerOff();
await server.boot();
await one.close();
`;

interface Ended {
  readonly code: number | null;
  readonly output: string;
}

/** In an empty folder that is the temporary one as well; what is in it afterwards, and which processes are left. */
async function traceless(words: readonly string[], before: readonly string[] = []): Promise<Ended> {
  const mark = randomUUID();
  const folder = mkdtempSync(join(tmpdir(), 'sockscope-untouched-'));
  chmodSync(folder, 0o777);
  try {
    const [command, ...args] = [...before, process.execPath, ...words] as [string, ...string[]];
    const child = spawn(command, args, {
      cwd: folder,
      env: { ...process.env, TMPDIR: folder, HOME: folder, [MARK]: mark },
    });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text) => (output += text));
    child.stderr.setEncoding('utf8').on('data', (text) => (output += text));
    const code = await new Promise<number | null>((done) => child.on('close', done));
    expect(
      await eventually(
        () => marked(mark),
        (left) => left.length === 0,
      ),
    ).toEqual([]);
    expect(readdirSync(folder)).toEqual([]);
    return { code, output };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

describe.skipIf(missing !== null)('the machine is as it was', () => {
  const users = [
    { name: asRoot ? 'root' : 'this user', before: [] },
    ...(asRoot ? [{ name: 'a user without privileges', before: NOBODY }] : []),
  ];
  for (const { name, before } of users) {
    it.concurrent(`after experiments of ${name}: settings, interfaces, routes, mounts, sockets, processes and files`, async ({
      expect,
    }) => {
      const was = machine();
      const words = [resolve('dist/cli.js'), 'lab', ...TOLD, '--no-ask', '--speed', '0'];
      const { code, output } = await traceless(words, before);
      expect(code, output).toBe(0);
      expect(machine()).toEqual(was);
    }, 60_000);

    it.concurrent(`after a stage of the library by ${name}`, async () => {
      const folder = mkdtempSync(join(tmpdir(), 'sockscope-library-'));
      try {
        chmodSync(folder, 0o755);
        writeFileSync(join(folder, 'test.mjs'), LIBRARY);
        const was = machine();
        const { code, output } = await traceless([join(folder, 'test.mjs')], before);
        expect({ code, output }).toEqual({ code: 0, output: '' });
        expect(machine()).toEqual(was);
      } finally {
        rmSync(folder, { recursive: true });
      }
    });
  }

  it('would be seen to have changed: the comparison sees a setting, an address and a route of another namespace', () => {
    const { settings = '', interfaces, routes, mounts } = machine();
    expect(settings.split('\n').length).toBeGreaterThan(100);
    expect(settings).toMatch(/tcp_retries2 \d+/);
    expect(interfaces).toContain('lo:');
    expect(routes).toContain('local');
    expect(mounts).toContain('/proc');
  });
});
