/** On real sockets: a process near its descriptor limit, and an exhausted port range in a network namespace of its own. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { needs } from '../../test/needs.ts';
import { SockscopeError } from '../errors.ts';
import type { Limit, LimitsReport } from './limit.ts';
import { limits } from './limits-read.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const linux = needs('linux', 'prlimit');
const lab = needs('namespace', 'ip');

const kind = (report: LimitsReport, wanted: Limit['kind']) =>
  report.limits.filter((limit) => limit.kind === wanted);

/** Listens, then opens files until the kernel says no. */
const GREEDY = `
const net = require('node:net'), fs = require('node:fs');
const server = net.createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
  const open = [];
  let code = '';
  while (code === '') {
    try { open.push(fs.openSync('/dev/null', 'r')); } catch (error) { code = error.code; }
  }
  console.log(JSON.stringify({ code, port: server.address().port }));
});
process.stdin.resume().on('end', () => process.exit());
`;

describe.skipIf(linux.missing)('a process at its descriptor limit', () => {
  let child: ChildProcess;
  let said: { code: string; port: number };
  beforeAll(async () => {
    child = spawn('prlimit', ['--nofile=128:128', process.execPath, '-e', GREEDY], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const [line] = await once(child.stdout!, 'data');
    said = JSON.parse(String(line));
  });
  afterAll(async () => {
    const ended = once(child, 'exit');
    child.stdin?.end();
    await ended;
  });

  it('is the fullest of all, with the errno that it really got', () => {
    const [first] = limits().limits;
    expect(said.code).toBe('EMFILE');
    expect(first).toMatchObject({
      pid: child.pid,
      kind: 'descriptors',
      limit: 128,
      available: 0,
      fraction: 1,
    });
    // A descriptor inherited from above the limit stays open, and counts.
    expect(first?.used).toBeGreaterThanOrEqual(128);
    expect(first?.whenFull).toContain(said.code);
    expect(first?.raise).toContain(`soft and hard limit are both 128: as root prlimit --pid ${child.pid}`);
  });

  it('is found by its pid and by its port, with its descriptors by kind', () => {
    for (const scope of [{ pid: child.pid! }, { port: said.port }]) {
      const report = limits(scope);
      const [row, ...others] = kind(report, 'descriptors');
      expect(others).toEqual([]);
      expect(row?.pid).toBe(child.pid);
      expect(row?.note).toMatch(/^\d+ device, /);
      expect(kind(report, 'accept queue').map(({ subject }) => subject)).toEqual([
        `127.0.0.1:${said.port} node pid ${child.pid}`,
      ]);
    }
  });
});

describe('what is not there', () => {
  it('is one sentence and one piece of advice', () => {
    const thrown = (act: () => unknown): SockscopeError | null => {
      try {
        act();
      } catch (error) {
        return error instanceof SockscopeError ? error : null;
      }
      return null;
    };
    expect(thrown(() => limits({ pid: 4_194_303 }))?.message).toBe('There is no process 4194303.');
    expect(thrown(() => limits({ port: 1 }))).toMatchObject({ code: 'NOTHING_THERE', exit: 1 });
  });
});

describe.skipIf(lab.missing)('in a network namespace', () => {
  let folder: string;
  beforeAll(async () => {
    const bundle = await rolldown({
      input: join(root, 'src/see/limits-read.ts'),
      platform: 'node',
      external: ['koffi'],
    });
    // Inside the project, so that the bundle finds koffi.
    folder = mkdtempSync(join(root, 'node_modules/.sockscope-limits-'));
    await bundle.write({ file: join(folder, 'limits.mjs'), format: 'esm', codeSplitting: false });
    await bundle.close();
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  function inside<T>(settings: string, lines: string): T {
    const program = `
      import net from 'node:net';
      import { once } from 'node:events';
      import { limits } from ${JSON.stringify(join(folder, 'limits.mjs'))};
      const serve = async (port, backlog) => { const s = net.createServer().listen({ port, host: '127.0.0.1', backlog }); await once(s, 'listening'); return s; };
      const connect = (port) => new Promise((resolve) => { const c = net.connect(port, '127.0.0.1'); c.on('connect', () => resolve(c)).on('error', resolve); });
      const until = async (look) => { for (;;) { const found = look(); if (found) return found; await new Promise((resolve) => setImmediate(resolve)); } };
      let seen;
      ${lines}
      console.log(JSON.stringify(seen));
      process.exit();`;
    const shell = `ip link set lo up && ${settings} && exec "$1" --input-type=module -e "$2"`;
    const done = spawnSync('unshare', ['-Urn', 'sh', '-c', shell, 'sh', process.execPath, program], {
      encoding: 'utf8',
      timeout: 20_000,
    });
    expect(done.stderr).toBe('');
    return JSON.parse(done.stdout);
  }
  const set = (name: string, value: string) => `echo "${value}" > /proc/sys/net/ipv4/${name}`;

  it('a range of ten ports is exhausted towards one destination, TIME-WAIT included, and free towards another', () => {
    const { codes, report } = inside<{ codes: string[]; report: LimitsReport }>(
      `${set('ip_local_port_range', '40000 40009')} && ${set('tcp_tw_reuse', '0')}`,
      `const a = await serve(80), b = await serve(81);
       a.on('connection', (c) => c.resume().on('end', () => c.end()));
       const codes = [];
       for (let i = 0; i < 11; i++) {
         const c = await connect(80);
         codes.push(c.code ?? 'connected');
         if (!c.code) { c.resume().end(); await once(c, 'close'); }
       }
       codes.push((await connect(81)).code ?? 'connected');
       codes.push((await connect(81)).code ?? 'connected');
       seen = { codes, report: limits() };`,
    );
    expect(codes).toEqual([...Array(10).fill('connected'), 'EADDRNOTAVAIL', 'connected', 'connected']);
    expect(kind(report, 'ephemeral ports')).toMatchObject([
      { subject: '127.0.0.1 → 127.0.0.1:80', used: 10, limit: 10, available: 0, fraction: 1 },
      { subject: '127.0.0.1 → 127.0.0.1:81', used: 2, limit: 10, available: 8 },
    ]);
    expect(kind(report, 'ephemeral ports')[0]?.note).toBe(
      'of 40000–40009, 10 in TIME-WAIT, free after 60 s (tcp_tw_reuse=0)',
    );
    expect(kind(report, 'ephemeral ports')[0]?.whenFull).toContain('EADDRNOTAVAIL');
    expect(kind(report, 'TIME-WAIT')[0]).toMatchObject({ used: 10 });
  });

  it('a full accept queue shows its backlog plus one, and that SYNs were dropped', () => {
    const report = inside<LimitsReport>(
      'true',
      `const s = await serve(80, 1);
       const { spawnSync } = await import('node:child_process');
       // Node accepts whenever its loop runs, so another process connects while this one is stuck in a call.
       spawnSync('timeout', ['10', process.execPath, '-e', \`
         const net = require('node:net'), fs = require('node:fs');
         for (let i = 0; i < 4; i++) net.connect(80, '127.0.0.1').on('error', () => {});
         const overflows = () => { const [names, values] = fs.readFileSync('/proc/net/netstat', 'utf8').split('\\\\n').map((l) => l.split(' ')); return Number(values[names.indexOf('ListenOverflows')]); };
         const wait = () => overflows() > 0 ? process.exit() : setImmediate(wait);
         wait();
       \`]);
       seen = limits();`,
    );
    const [row] = kind(report, 'accept queue');
    expect(row).toMatchObject({ used: 2, limit: 2, fraction: 1 });
    expect(row?.happened).toMatch(/^\d+ SYNs .* \(ListenOverflows\)$/);
  });

  it('forty connections that were never closed are a leak with an age', () => {
    const report = inside<LimitsReport>(
      'true',
      `const kept = [];
       const s = net.createServer({ allowHalfOpen: true }, (c) => { kept.push(c); c.resume(); }).listen(80, '127.0.0.1');
       await once(s, 'listening');
       for (let i = 0; i < 40; i++) { const c = await connect(80); c.end(); }
       seen = await until(() => { const r = limits(); return r.leaks[0]?.closeWait === 40 ? r : null; });`,
    );
    expect(report.leaks).toMatchObject([{ name: 'node', closeWait: 40 }]);
    expect(report.leaks[0]?.oldestMs).toBeGreaterThanOrEqual(0);
  });

  it('what only the first namespace shows is named, not left blank', () => {
    const report = inside<LimitsReport>('true', 'seen = limits();');
    for (const wanted of ['orphans', 'TCP memory'] as const) {
      expect(kind(report, wanted)[0]).toMatchObject({ limit: null, fraction: null });
      expect(kind(report, wanted)[0]?.notVisible).toMatch(/in the first network namespace only$/);
    }
  });
});
