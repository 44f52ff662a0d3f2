/** On real sockets: two ends on the loopback of a namespace of our own. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { needs } from '../../../test/needs.ts';
import type { Gauge } from '../../session/events.ts';
import type { RawEvent, RawInfo, RawState } from '../stage/protocol.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const lab = needs('linux', 'namespace', 'ip');
const traced = needs('linux', 'root', 'unshare', 'ip');

const FILES = [
  'kernel/libc.ts',
  'kernel/sockdiag.ts',
  'kernel/open-proc-net.ts',
  'kernel/state-trace.ts',
  'lab/wire/sampler.ts',
  'lab/wire/sampler-merge.ts',
  'lab/stage/socket-table.ts',
];
const SOCKETS = [
  'encodeAddress',
  'openSocket',
  'bindSocket',
  'connectSocket',
  'listenOn',
  'acceptSocket',
  'transmit',
  'receive',
  'shutdownWrites',
  'resetOnClose',
];

/** What every script below can use: sockets whose calls return at once, and looks at them. */
const PRELUDE = `
  const start = process.hrtime.bigint();
  const now = () => Number(process.hrtime.bigint() - start);
  const at = (port) => k.encodeAddress({ kind: 'tcp', host: '10.9.0.1', port });
  const ok = (result) => { if (result < 0 && result !== -115) throw new Error('errno ' + -result); return result; };
  const tcp = () => ok(k.openSocket(2, 1));
  const listening = (port, backlog) => { const fd = tcp(); ok(k.bindSocket(fd, at(port))); ok(k.listenOn(fd, backlog)); return fd; };
  const connected = (port, from) => { const fd = tcp(); if (from) { ok(k.bindSocket(fd, at(from))); } ok(k.connectSocket(fd, at(port))); return fd; };
  const byte = k.fixedMemory(16);
  const send = (fd) => ok(k.transmit(fd, byte.address, 1));
  const samplers = k.createSamplers();
  const diag = k.openSockDiag();
  samplers.add({ host: 'h', diag, netstat: k.openProcNet('netstat'), snmp: k.openProcNet('snmp') });
  const seen = [];
  let look = () => samplers.sample('h', now(), seen);
  const pause = new Int32Array(new SharedArrayBuffer(4));
  const until = (holds) => {
    const end = now() + 10e9;
    for (look(); !holds(); look()) { if (now() > end) throw new Error(JSON.stringify(seen)); Atomics.wait(pause, 0, 0, 1); }
  };
  const last = (local, peer) => seen.filter((e) => e.type === 'state' && e.tuple.local.port === local && (peer === undefined || e.tuple.peer.port === peer)).at(-1)?.to;
  const is = (state, local, peer) => until(() => last(local, peer) === state);
`;

describe('states as the kernel has them', () => {
  let folder: string;
  beforeAll(async () => {
    // Inside the project, so that the bundle finds koffi.
    folder = mkdtempSync(join(root, 'node_modules/.sockscope-states-'));
    const from = (path: string): string => JSON.stringify(join(root, 'src', path));
    const entry = join(folder, 'entry.ts');
    writeFileSync(
      entry,
      [
        ...FILES.map((file) => `export * from ${from(file)};`),
        `export { ${SOCKETS.join(', ')} } from ${from('kernel/stream-sockets.ts')};`,
        `export { fixedMemory } from ${from('kernel/epoll.ts')};`,
      ].join('\n'),
    );
    const bundle = await rolldown({ input: entry, platform: 'node', external: ['koffi'] });
    await bundle.write({ file: join(folder, 'kit.mjs'), format: 'esm', codeSplitting: false });
    await bundle.close();
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  function inside<T>(flags: string, lines: string): T {
    const program = `import * as k from ${JSON.stringify(join(folder, 'kit.mjs'))};
      ${PRELUDE}
      let answer = seen;
      ${lines}
      console.log(JSON.stringify(answer));
      process.exit();`;
    const shell = `ip link set lo up && ip address add 10.9.0.1/24 dev lo && ip -6 address add fd09::1/64 dev lo nodad &&
      echo 2 > /proc/sys/net/ipv4/tcp_fin_timeout && exec "$1" --input-type=module -e "$2"`;
    const done = spawnSync('unshare', [flags, 'sh', '-c', shell, 'sh', process.execPath, program], {
      encoding: 'utf8',
      timeout: 25_000,
    });
    expect(done.stderr).toBe('');
    return JSON.parse(done.stdout) as T;
  }
  const states = (events: RawEvent[], local: number, peer?: number): RawState[] =>
    events.filter(
      (event) =>
        event.type === 'state' &&
        event.tuple.local.port === local &&
        (peer === undefined || event.tuple.peer.port === peer),
    ) as RawState[];
  const path = (changes: RawState[]): string =>
    ['CLOSED', ...changes.map(({ to }) => to)].join(' ').replace(/^CLOSED$/, '');
  const infos = (events: RawEvent[]): RawInfo[] => events.filter((event) => event.type === 'info');

  it.skipIf(lab.missing)(
    'a half close, the rest of it, and the TIME-WAIT remnant are one history per side',
    () => {
      const events = inside<RawEvent[]>(
        '-Urn',
        `const l = listening(80, 5); look();
       const c = connected(80, 4000); look();
       const s = ok(k.acceptSocket(l)); look();
       k.shutdownWrites(c); is('FIN-WAIT-2', 4000);
       send(s); look();
       k.close(s); is('TIME-WAIT', 4000);
       k.close(c); is('CLOSED', 80, 4000); k.close(l); is('CLOSED', 80, 0);`,
      );
      const client = states(events, 4000);
      expect(path(client)).toMatch(/^CLOSED (SYN-SENT )?ESTABLISHED (FIN-WAIT-1 )?FIN-WAIT-2 TIME-WAIT$/);
      expect(new Set(client.map(({ socket }) => socket)).size).toBe(1);
      expect(client[0]!.socket).toMatch(/^[0-9a-f]{16}$/);
      expect(path(states(events, 80, 4000))).toMatch(/^CLOSED ESTABLISHED CLOSE-WAIT (LAST-ACK )?CLOSED$/);
      expect(path(states(events, 80, 0))).toBe('CLOSED LISTEN CLOSED');
      expect(infos(events).some(({ timer }) => timer?.kind === 'time-wait')).toBe(true);
      expect(infos(events).some(({ tuple, recvQueue }) => tuple.local.port === 4000 && recvQueue === 1)).toBe(
        true,
      );
    },
  );

  it.skipIf(lab.missing)('an orphan in FIN-WAIT-2 keeps its identity until its time is over', () => {
    const events = inside<RawEvent[]>(
      '-Urn',
      `const l = listening(80, 5);
       const c = connected(80, 4000); const s = ok(k.acceptSocket(l)); look();
       k.close(c); is('FIN-WAIT-2', 4000); is('CLOSED', 4000);`,
    );
    const client = states(events, 4000);
    expect(path(client)).toMatch(/ESTABLISHED (FIN-WAIT-1 )?FIN-WAIT-2 CLOSED$/);
    expect(new Set(client.map(({ socket }) => socket)).size).toBe(1);
  });

  it.skipIf(lab.missing)('a request and its child are one socket', () => {
    const events = inside<RawEvent[]>(
      '-Urn',
      `const l = tcp(); ok(k.bindSocket(l, at(80)));
       ok(k.setsockopt(l, 6, 9, k.int32(5), 4)); // TCP_DEFER_ACCEPT: no child before the first byte
       ok(k.listenOn(l, 5));
       const c = connected(80, 4000); is('SYN-RECV', 80, 4000);
       send(c); is('ESTABLISHED', 80, 4000);`,
    );
    const server = states(events, 80, 4000);
    expect(path(server)).toBe('CLOSED SYN-RECV ESTABLISHED');
    expect(server[0]!.socket).toBe(server[1]!.socket);
  });

  it.skipIf(lab.missing)('an accept queue fills and empties, and a full one is counted', () => {
    const { events, counters, gauges } = inside<{
      events: RawEvent[];
      counters: Record<string, number>;
      gauges: Gauge[];
    }>(
      '-Urn',
      `const l = listening(80, 1); look();
       connected(80); look(); connected(80); look(); connected(80); look();
       until(() => samplers.counters('h')['TcpExt.ListenOverflows'] > 0);
       k.acceptSocket(l); look();
       const gauges = []; samplers.countersDue(1e9, gauges); const first = gauges.length;
       samplers.countersDue(1e9 + 1, gauges); if (gauges.length !== first) throw new Error('told too soon');
       answer = { events: seen, counters: samplers.counters('h'), gauges };`,
    );
    const queue = infos(events).filter(({ tuple }) => tuple.peer.port === 0);
    expect(queue.map(({ recvQueue, sendQueue }) => [recvQueue, sendQueue])).toEqual([
      [0, 1],
      [1, 1],
      [2, 1],
      [1, 1],
    ]);
    expect(counters['TcpExt.ListenOverflows']).toBeGreaterThanOrEqual(1);
    expect(counters['Tcp.ActiveOpens']).toBe(3);
    expect(Object.values(counters)).not.toContain(0);
    expect(gauges).toContainEqual({
      type: 'gauge',
      at: 1e9,
      subject: 'h',
      name: 'Tcp.ActiveOpens',
      value: 3,
    });
  });

  it.skipIf(lab.missing)('IPv6 comes with the same look, and a reset leaves nothing', () => {
    const events = inside<RawEvent[]>(
      '-Urn',
      `const six = (port) => k.encodeAddress({ kind: 'tcp', host: 'fd09::1', port });
       const l = ok(k.openSocket(10, 1)); ok(k.bindSocket(l, six(80))); ok(k.listenOn(l, 5));
       const c = ok(k.openSocket(10, 1)); ok(k.bindSocket(c, six(4000))); ok(k.connectSocket(c, six(80))); look();
       k.resetOnClose(c); k.close(c); is('CLOSED', 4000); is('CLOSED', 80, 4000);`,
    );
    expect(path(states(events, 4000))).toBe('CLOSED ESTABLISHED CLOSED');
    expect(states(events, 4000)[0]!.tuple).toEqual({
      protocol: 'tcp',
      local: { address: 'fd09::1', port: 4000 },
      peer: { address: 'fd09::1', port: 80 },
    });
  });

  it.skipIf(lab.missing)('descriptors show the namespace they were opened in, whoever reads them', () => {
    const { before, after, here, table } = inside<Record<'before' | 'after' | 'here' | 'table', unknown>>(
      '-Urn',
      `const l = listening(80, 5); connected(80, 4000); look();
       const before = seen.length;
       ok(k.unshare(0x40000000));
       look();
       const own = k.createSamplers(); const fd = k.openSockDiag(); const out = [];
       own.add({ host: 'x', diag: fd, netstat: k.openProcNet('netstat'), snmp: k.openProcNet('snmp') });
       own.sampleAll(0, out);
       answer = { before, after: [seen.length, samplers.counters('h')['Tcp.ActiveOpens']], here: [out.length, own.counters('x')],
         table: k.readTable(diag).map(({ protocol, state, local }) => [protocol, state, local.port]).sort() };
       own.remove('x'); if (k.close(fd) !== -9) throw new Error('still open');`,
    );
    expect(after).toEqual([before, 1]);
    expect(here).toEqual([0, {}]);
    expect(table).toEqual([
      ['tcp', 'ESTABLISHED', 4000],
      ['tcp', 'ESTABLISHED', 80],
      ['tcp', 'LISTEN', 80],
    ]);
  });

  it.skipIf(lab.missing)('a refused look changes nothing and is said once', () => {
    const events = inside<RawEvent[]>(
      '-Urn',
      `const l = listening(80, 5); look(); k.close(diag); look(); look();`,
    );
    expect(events.map(({ type }) => type)).toEqual(['state', 'info', 'lost']);
  });

  it.skipIf(lab.missing)(
    'a large table is looked at less often, which is said, unless it must be now',
    () => {
      const { looks, forced, lost } = inside<{ looks: number; forced: number; lost: RawEvent[] }>(
        '-Urn',
        `for (let port = 1000; port < 1150; port++) listening(port, 1);
       const real = process.hrtime;
       // A slow machine: a look takes 3 ms more than it does.
       let clock = 0; process.hrtime = (before) => { clock += 3e6; return before ? [0, 3e6] : real(); }; process.hrtime.bigint = real.bigint;
       let looks = 0; const out = [];
       for (let at = 0; at < 100e6; at += 1e6) { clock = 0; samplers.sample('h', at, out); looks += clock > 0 ? 1 : 0; }
       clock = 0; samplers.sampleAll(100e6, out, true);
       answer = { looks, forced: clock / 6e6, lost: out.filter(({ type }) => type === 'lost') };`,
      );
      expect(looks).toBeGreaterThan(3);
      expect(looks).toBeLessThan(10);
      expect(forced).toBe(1);
      expect(lost).toMatchObject([{ type: 'lost', source: 'states of h', count: null }]);
    },
  );

  const TRACED = `
    const trace = k.openStateTrace({ monotonic: start });
    if (trace.why) throw new Error(trace.why);
    const merge = k.createMerge((address) => address === '10.9.0.1' ? 'h' : null);
    const changes = [];
    look = () => { const moment = now(), looked = [], traced = []; const hosts = samplers.sample('h', moment, looked) ? ['h'] : []; trace.read(traced);
      changes.push(...traced); merge.take(traced, looked, hosts, moment, seen); };`;

  it.skipIf(traced.missing)('with the trace nothing is missing, and nothing is told twice', () => {
    const events = inside<RawEvent[]>(
      '-nm',
      `${TRACED}
       const l = listening(80, 5);
       const c = connected(80, 4000); const s = ok(k.acceptSocket(l)); look();
       k.shutdownWrites(c); is('FIN-WAIT-2', 4000);
       k.close(s); is('TIME-WAIT', 4000); is('CLOSED', 80, 4000);
       const d = connected(80, 4001); k.close(ok(k.acceptSocket(l))); k.close(d); is('CLOSED', 4001);
       trace.close();`,
    );
    const client = states(events, 4000);
    expect(client.map(({ from, to, source }) => `${source} ${from}→${to}`)).toEqual([
      'traced CLOSED→SYN-SENT',
      'traced SYN-SENT→ESTABLISHED',
      'traced ESTABLISHED→FIN-WAIT-1',
      'traced FIN-WAIT-1→FIN-WAIT-2',
      'sampled FIN-WAIT-2→TIME-WAIT',
    ]);
    const moments = client.map(({ at }) => at);
    expect(moments).toEqual([...moments].sort((a, b) => a - b));
    expect(path(states(events, 80, 4000))).toBe('CLOSED SYN-RECV ESTABLISHED CLOSE-WAIT LAST-ACK CLOSED');
    expect(path(states(events, 4001))).toBe('CLOSED SYN-SENT ESTABLISHED CLOSE-WAIT LAST-ACK CLOSED');
    expect(states(events, 80, 0)).toMatchObject([{ to: 'LISTEN', source: 'traced' }]);
  });

  it.skipIf(traced.missing)('a port that is chosen while connecting is told with the first change', () => {
    const events = inside<RawEvent[]>(
      '-nm',
      `${TRACED}
       listening(80, 5); look();
       connected(80); until(() => seen.some((e) => e.type === 'state' && e.to === 'ESTABLISHED' && e.tuple.local.port !== 80));
       const first = changes.find(({ to }) => to === 2); if (first.local.port !== 0) throw new Error('this kernel knows the port');
       trace.close(); trace.read([]); trace.close();`,
    );
    const client = events.find((event) => event.type === 'state' && event.to === 'SYN-SENT') as RawState;
    expect(client).toMatchObject({ source: 'traced', from: 'CLOSED' });
    expect(client.tuple.local.port).toBeGreaterThan(1023);
  });

  it.skipIf(lab.missing)('without real root there is no trace, and the reason is a sentence', () => {
    const why = inside<{ why: string }>('-Urnm', 'answer = k.openStateTrace({ monotonic: start });');
    expect(why).toEqual({ why: expect.stringMatching(/^needs root: /) });
  });
});
