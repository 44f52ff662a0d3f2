import { describe, expect, it } from 'vitest';
import type { MachineLimits, ProcessDescriptors } from '../kernel/limits.ts';
import { known, parseRanges, unknown } from '../kernel/sysctls.ts';
import type { Owner, Socket, SocketState } from '../session/socket.ts';
import { printable } from '../wire/printable.ts';
import type { Limit } from './limit.ts';
import { limitsOf } from './limits.ts';

const NODE: Owner = { pid: 7, fd: 20, name: 'node' };

function machine(
  change: { counters?: [string, bigint][]; reuse?: number; cookies?: number; reserved?: string } = {},
): MachineLimits {
  return {
    openFiles: known(100),
    counters: known(new Map(change.counters ?? [])),
    sockets: { orphans: known(0), timeWait: known(5), tcpMemory: known(10) },
    sysctls: {
      openFilesMax: known(1000),
      openFilesPerProcessMax: known(1_048_576),
      ephemeral: known({ from: 40000, to: 40009 }),
      reserved: known(parseRanges(change.reserved ?? '') ?? []),
      unprivilegedFrom: known(1024),
      somaxconn: known(128),
      synBacklog: known(2048),
      synCookies: known(change.cookies ?? 1),
      timeWaitMax: known(100),
      timeWaitReuse: known(change.reuse ?? 2),
      finTimeoutSeconds: known(60),
      orphansMax: unknown('net.ipv4.tcp_max_orphans is shown in the first network namespace only'),
      tcpMemory: known([1, 2, 40]),
      netdevBacklog: known(1000),
      conntrackUsed: unknown('connection tracking is not loaded'),
      conntrackMax: unknown('connection tracking is not loaded'),
    },
  };
}

let cookies = 0;
function socket(state: SocketState, local: string, peer: string, more: Partial<Socket> = {}): Socket {
  const end = (text: string) => {
    const at = text.lastIndexOf(':');
    return { address: text.slice(0, at), port: Number(text.slice(at + 1)) };
  };
  return {
    netns: 0,
    protocol: 'tcp',
    family: local.startsWith('::') ? 6 : 4,
    state,
    local: end(local),
    peer: end(peer),
    recvQueue: 0,
    sendQueue: 0,
    uid: 0,
    inode: 1,
    cookie: String(++cookies),
    owners: [],
    ...more,
  };
}

const NONE = { machine: machine(), processes: [] as ProcessDescriptors[] };
const kind = (limits: Limit[], wanted: Limit['kind']) => limits.filter((limit) => limit.kind === wanted);
const listener = (address: string, used: number, limit: number, owners: Owner[] = []) =>
  socket('LISTEN', address, '0.0.0.0:0', { accept: { used, limit }, owners });

describe('ephemeral ports', () => {
  const connections = (count: number, to: string, state: SocketState = 'ESTABLISHED') =>
    Array.from({ length: count }, (_, i) => socket(state, `10.9.0.1:${40000 + i}`, to));

  it('are counted per destination: one can be exhausted while another is free', () => {
    const sockets = [...connections(10, '10.9.0.2:80', 'TIME-WAIT'), ...connections(2, '10.9.0.2:81')];
    const rows = kind(limitsOf({ ...NONE, sockets }).limits, 'ephemeral ports');
    expect(rows.map(({ subject, used, limit, available }) => ({ subject, used, limit, available }))).toEqual([
      { subject: '10.9.0.1 → 10.9.0.2:80', used: 10, limit: 10, available: 0 },
      { subject: '10.9.0.1 → 10.9.0.2:81', used: 2, limit: 10, available: 8 },
    ]);
    expect(rows[0]?.whenFull).toContain('EADDRNOTAVAIL');
    expect(rows[0]?.note).toBe('of 40000–40009, 10 in TIME-WAIT, free after 60 s (tcp_tw_reuse=2)');
  });

  it('in TIME-WAIT are free for reuse where tcp_tw_reuse says so', () => {
    const note = (reuse: number, from: string) => {
      const sockets = [0, 1].map((i) => socket('TIME-WAIT', `${from}:${40000 + i}`, '10.9.0.2:80'));
      return kind(limitsOf({ ...NONE, machine: machine({ reuse }), sockets }).limits, 'ephemeral ports')[0]
        ?.note;
    };
    expect(note(1, '10.9.0.1')).toContain('free for reuse after 1 s');
    expect(note(2, '127.0.0.1')).toContain('free for reuse after 1 s');
    expect(note(0, '127.0.0.1')).toContain('free after 60 s');
  });

  it('leave out reserved ports, and those that a listener holds', () => {
    const sockets = [...connections(4, '10.9.0.2:80'), listener('0.0.0.0:40009', 0, 128)];
    const [row] = kind(
      limitsOf({ ...NONE, machine: machine({ reserved: '40007-40008' }), sockets }).limits,
      'ephemeral ports',
    );
    expect(row).toMatchObject({ used: 4, limit: 7 });
  });

  it('are not used up by the clients of our own server', () => {
    const clients = Array.from({ length: 9 }, (_, i) =>
      socket('ESTABLISHED', '10.9.0.1:40003', `10.9.0.2:${50000 + i}`),
    );
    const sockets = [listener('0.0.0.0:40003', 0, 128), ...clients];
    expect(kind(limitsOf({ ...NONE, sockets }).limits, 'ephemeral ports')).toEqual([]);
  });

  it('of IPv4 and of IPv4 inside an IPv6 socket are the same', () => {
    const sockets = [
      socket('ESTABLISHED', '10.9.0.1:40000', '10.9.0.2:80'),
      socket('ESTABLISHED', '::ffff:10.9.0.1:40001', '::ffff:10.9.0.2:80'),
    ];
    expect(kind(limitsOf({ ...NONE, sockets }).limits, 'ephemeral ports')).toMatchObject([{ used: 2 }]);
  });

  it('of UDP are one pool whatever the destination', () => {
    const sockets = [1, 2, 3].map((i) =>
      socket('ESTABLISHED', `10.9.0.1:4000${i}`, `10.9.0.2:${i}`, { protocol: 'udp' }),
    );
    expect(kind(limitsOf({ ...NONE, sockets }).limits, 'ephemeral UDP ports')).toMatchObject([
      { used: 3, limit: 10 },
    ]);
  });

  it('of a port or a process are only the destinations it has', () => {
    const sockets = [
      ...connections(3, '10.9.0.2:80').map((one) => ({ ...one, owners: [NODE] })),
      ...connections(3, '10.9.0.2:81'),
    ];
    const of = (scope: { pid?: number; port?: number }) =>
      kind(limitsOf({ ...NONE, sockets }, scope).limits, 'ephemeral ports').map(({ subject }) => subject);
    expect(of({ pid: 7 })).toEqual(['10.9.0.1 → 10.9.0.2:80']);
    expect(of({ port: 81 })).toEqual(['10.9.0.1 → 10.9.0.2:81']);
    expect(of({ pid: 8 })).toEqual([]);
  });
});

describe('queues', () => {
  it('for accept() hold one more than listen() asked for', () => {
    const sockets = [listener('127.0.0.1:80', 2, 1, [NODE])];
    const counters: [string, bigint][] = [['TcpExt.ListenOverflows', 41n]];
    const [row] = kind(limitsOf({ ...NONE, machine: machine({ counters }), sockets }).limits, 'accept queue');
    expect(row).toMatchObject({
      subject: '127.0.0.1:80 node pid 7',
      used: 2,
      limit: 2,
      fraction: 1,
      available: 0,
    });
    expect(row?.happened).toContain('41 ');
    expect(row?.raise).toContain('backlog in listen() (now 1)');
  });

  it('name somaxconn when that is what cuts the backlog', () => {
    const [row] = kind(
      limitsOf({ ...NONE, sockets: [listener('127.0.0.1:80', 0, 128)] }).limits,
      'accept queue',
    );
    expect(row?.raise).toContain('net.core.somaxconn');
  });

  it('for half-open connections belong to the listener on their address', () => {
    const sockets = [
      listener('10.9.0.1:80', 0, 4),
      listener('10.9.0.3:80', 0, 4),
      ...[1, 2, 3].map((i) => socket('SYN-RECV', '10.9.0.1:80', `10.9.0.2:${i}`)),
    ];
    const rows = kind(limitsOf({ ...NONE, machine: machine({ cookies: 0 }), sockets }).limits, 'SYN queue');
    expect(rows).toMatchObject([{ subject: '10.9.0.1:80', used: 3, limit: 5 }]);
    expect(rows[0]?.whenFull).toContain('SYN-SENT');
  });

  it('of UDP sockets show when they have dropped', () => {
    const memory = {
      receiveAllocated: 0,
      receiveLimit: 4608,
      transmitAllocated: 0,
      transmitLimit: 0,
      forwardAllocated: 0,
      writeQueued: 0,
      optionMemory: 0,
      backlog: 0,
      drops: 195,
    };
    const sockets = [
      socket('CLOSED', '0.0.0.0:53', '0.0.0.0:0', { protocol: 'udp', memory, owners: [NODE] }),
      socket('CLOSED', '0.0.0.0:54', '0.0.0.0:0', { protocol: 'udp', memory: { ...memory, drops: 0 } }),
    ];
    const rows = kind(limitsOf({ ...NONE, sockets }).limits, 'UDP receive buffer');
    expect(rows).toMatchObject([
      { subject: '0.0.0.0:53 node pid 7', happened: '195 datagrams dropped by this socket' },
    ]);
  });
});

describe('the list', () => {
  it('has the fullest first, and what is not known last with its reason', () => {
    const processes: ProcessDescriptors[] = [
      { pid: 3, name: 'calm', used: known(1), limit: { soft: 1000, hard: 1000 } },
      { pid: 7, name: 'no\u001b[2Jde', used: known(1023), limit: { soft: 1024, hard: 4096 } },
      { pid: 8, name: 'free', used: known(9), limit: { soft: null, hard: null } },
      { pid: 9, name: 'other', used: unknown("another user's process"), limit: { soft: 10, hard: 10 } },
    ];
    const { limits } = limitsOf({ machine: machine(), processes, sockets: [] });
    const fractions = limits.map(({ fraction }) => fraction ?? -1);
    expect(fractions).toEqual([...fractions].sort((a, b) => b - a));
    expect(limits[0]).toMatchObject({ id: 'descriptors:7', subject: 'no\ufffd[2Jde pid 7', available: 1 });
    expect(limits[0]?.raise).toContain('prlimit --pid 7 --nofile=4096');
    expect(limits.find(({ pid }) => pid === 8)).toMatchObject({ used: 9, limit: null, fraction: null });
    expect(limits.find(({ pid }) => pid === 9)?.notVisible).toBe("another user's process");
    expect(kind(limits, 'conntrack')[0]).toMatchObject({
      fraction: null,
      notVisible: 'connection tracking is not loaded',
    });
    expect(new Set(limits.map(({ id }) => id)).size).toBe(limits.length);
  });

  it('says when a bucket has already overflowed', () => {
    const counters: [string, bigint][] = [['TcpExt.TCPTimeWaitOverflow', 7n]];
    const { limits } = limitsOf({ ...NONE, machine: machine({ counters }), sockets: [] });
    expect(kind(limits, 'TIME-WAIT')[0]?.happened).toContain('7 closed without TIME-WAIT');
  });
});

describe('leaks', () => {
  const forgotten = (count: number, owners: Owner[]) =>
    Array.from({ length: count }, (_, i) =>
      socket('CLOSE-WAIT', '10.9.0.1:80', `10.9.0.2:${i + 1}`, { owners }),
    );

  it('are processes with twenty CLOSE-WAIT or more', () => {
    const few: Owner = { pid: 8, fd: 3, name: 'tidy' };
    const { leaks } = limitsOf({ ...NONE, sockets: [...forgotten(19, [few]), ...forgotten(20, [NODE])] });
    expect(leaks).toMatchObject([{ pid: 7, name: 'node', closeWait: 20, oldestMs: null }]);
  });

  it('whose owner cannot be seen are said to be so', () => {
    expect(limitsOf({ ...NONE, sockets: forgotten(25, []) }).leaks).toMatchObject([
      { pid: null, name: 'owner not visible', closeWait: 25 },
    ]);
  });
});

describe('text of strangers', () => {
  it('cannot move the cursor', () => {
    expect(printable('a\u001b[31m\nb\u202e')).toBe('a\ufffd[31m\ufffdb\ufffd');
  });

  it('in reserved ports is a list or nothing', () => {
    expect(parseRanges('8080,9100-9120\n')).toEqual([
      { from: 8080, to: 8080 },
      { from: 9100, to: 9120 },
    ]);
    expect(parseRanges('\n')).toEqual([]);
    for (const bad of ['x', '9-8', '70000', '1-2-3']) {
      expect(parseRanges(bad)).toBeNull();
    }
  });
});
