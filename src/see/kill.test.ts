import { describe, expect, it } from 'vitest';
import type { Protocol, Socket, SocketState } from '../session/socket.ts';
import { type KillPlan, type PlanOptions, planKill } from './kill.ts';
import { parseTarget } from './kill-targets.ts';
import type { ProcessFacts } from './kill-victims.ts';

let inode = 1000;

function socket(
  state: SocketState,
  local: string,
  peer: string,
  pids: number[],
  more: Partial<Socket> = {},
): Socket {
  const end = (text: string): Socket['local'] => {
    const at = text.lastIndexOf(':');
    return { address: text.slice(0, at), port: Number(text.slice(at + 1)) };
  };
  return {
    netns: 0,
    protocol: 'tcp',
    family: 4,
    state,
    local: end(local),
    peer: end(peer),
    recvQueue: 0,
    sendQueue: 0,
    uid: 1000,
    inode: pids.length === 0 ? 0 : inode++,
    cookie: '0000000000000001',
    owners: pids.map((pid) => ({ pid, fd: 3, name: world.find((p) => p.pid === pid)?.name ?? 'other' })),
    ...(pids.length === 0 && { ownerGap: 'none' as const }),
    ...more,
  };
}

function program(pid: number, name: string, parents: number[] = [], command = name): ProcessFacts {
  return {
    pid,
    name,
    files: [command.split(' ')[0]!.replace(/.*\//, '')],
    command,
    cwd: '/srv',
    user: 'dev',
    container: null,
    parents: parents.map((parent) => ({ pid: parent, name: `p${parent}` })),
  };
}

const world: ProcessFacts[] = [
  program(1, 'systemd'),
  program(10, 'server', [9, 1]),
  program(11, 'worker', [10, 9, 1]),
  program(20, 'curl', [9, 1]),
  program(30, 'MainThread', [9, 1], '/usr/bin/node app.js'),
  program(9, 'bash', [1]),
  program(50, 'sockscope', [9, 1]),
];
const self = { pid: 50, ancestors: [9, 1] };

const listener = (pids: number[], port = 8080): Socket =>
  socket('LISTEN', `0.0.0.0:${port}`, '0.0.0.0:0', pids);
const clientEnd = socket('ESTABLISHED', '127.0.0.1:40000', '127.0.0.1:8080', [20]);
const serverEnd = socket('ESTABLISHED', '127.0.0.1:8080', '127.0.0.1:40000', [10]);

function plan(targets: string[], sockets: Socket[], options: PlanOptions = {}): KillPlan {
  return planKill(
    targets.map(parseTarget),
    sockets,
    (pid) => world.find((p) => p.pid === pid) ?? null,
    self,
    options,
  );
}

const pids = ({ victims }: KillPlan): number[] => victims.map(({ process }) => process.pid);

describe('by port', () => {
  it('hits who listens and spares who merely has a connection there', () => {
    const result = plan([':8080'], [listener([10]), serverEnd, clientEnd]);
    expect(pids(result)).toEqual([10]);
    expect(result.notes).toEqual(['left alone, as they only have connections with :8080: curl (20)']);
  });

  it('with --clients hits both', () => {
    expect(pids(plan([':8080'], [listener([10]), serverEnd, clientEnd], { clients: true })).sort()).toEqual([
      10, 20,
    ]);
  });

  it('with only clients there hits nobody and names --clients', () => {
    const result = plan([':8080'], [clientEnd]);
    expect(pids(result)).toEqual([]);
    expect(result.missed).toEqual([
      'nothing listens on :8080; curl (20) only has connections with it: --clients would hit it too',
    ]);
  });

  it('a client whose own port has that number is no listener either', () => {
    expect(pids(plan([':40000'], [clientEnd, serverEnd]))).toEqual([]);
  });

  it('with nothing there says so', () => {
    expect(plan([':8081'], [listener([10])]).missed).toEqual(['nothing listens on :8081']);
  });

  it('an address picks the listener that would answer there', () => {
    const everywhere = listener([10]);
    const loopback = socket('LISTEN', '127.0.0.1:8080', '0.0.0.0:0', [11]);
    expect(pids(plan(['127.0.0.1:8080'], [everywhere, loopback]))).toEqual([11]);
    expect(pids(plan(['127.0.0.2:8080'], [everywhere, loopback]))).toEqual([10]);
    expect(plan(['[::1]:8080'], [everywhere, loopback]).missed).toEqual(['nothing listens on [::1]:8080']);
  });

  it('an IPv6 listener on every address answers IPv4 too, unless it is IPv6 only', () => {
    const both = socket('LISTEN', ':::8080', ':::0', [10], { family: 6 });
    const six = socket('LISTEN', ':::8080', ':::0', [10], { family: 6, v6only: true });
    expect(pids(plan(['127.0.0.1:8080'], [both]))).toEqual([10]);
    expect(pids(plan(['127.0.0.1:8080'], [six]))).toEqual([]);
    expect(pids(plan(['[::1]:8080'], [six]))).toEqual([10]);
  });

  it('a bound UDP socket listens; a connected one is a client', () => {
    const udp = { protocol: 'udp' as Protocol };
    const bound = socket('CLOSED', '0.0.0.0:53', '0.0.0.0:0', [10], udp);
    const asking = socket('ESTABLISHED', '10.0.0.1:5000', '10.0.0.2:53', [20], udp);
    expect(pids(plan([':53'], [bound, asking]))).toEqual([10]);
  });

  it('a UNIX socket whose inode is that number is not meant', () => {
    const unix = socket('LISTEN', '/run/x:8080', '*:0', [10], { protocol: 'unix', family: 0 });
    expect(pids(plan([':8080'], [unix]))).toEqual([]);
  });

  it('an owner that is not visible is said, never skipped', () => {
    const hidden = socket('LISTEN', '0.0.0.0:8080', '0.0.0.0:0', [], {
      inode: 77,
      ownerGap: 'not visible',
      uid: 33,
    });
    const result = plan([':8080'], [hidden]);
    expect(result.missed).toEqual([]);
    expect(result.refusals).toMatchObject([{ kind: 'not visible', target: ':8080' }]);
    expect(result.refusals[0]?.reason).toContain('user 33');
  });

  it('a listener of the kernel itself has nobody to be signalled', () => {
    expect(
      plan([':2049'], [socket('LISTEN', '0.0.0.0:2049', '0.0.0.0:0', [])]).refusals[0]?.reason,
    ).toContain('kernel itself');
  });
});

describe('by name and by pid', () => {
  it('a name hits the listening programs of that name only', () => {
    const idle = socket('ESTABLISHED', '127.0.0.1:5', '127.0.0.1:6', [20]);
    expect(pids(plan(['server'], [listener([10]), listener([11], 9), idle]))).toEqual([10]);
    expect(plan(['curl'], [idle]).missed[0]).toContain('--clients');
    expect(pids(plan(['curl'], [idle], { clients: true }))).toEqual([20]);
  });

  it('a program whose thread renamed itself is found by its file', () => {
    expect(pids(plan(['node'], [listener([30])]))).toEqual([30]);
  });

  it('part of a name is not the name', () => {
    expect(plan(['serv'], [listener([10])]).missed).toEqual(['no program called serv listens here']);
  });

  it('pid: means that process, listening or not', () => {
    expect(pids(plan(['pid:20'], []))).toEqual([20]);
    expect(plan(['pid:4000'], []).missed).toEqual(['there is no process 4000']);
  });

  it('a program that is named three times is hit once', () => {
    const result = plan([':8080', 'server', 'pid:10'], [listener([10])]);
    expect(result.victims).toHaveLength(1);
    expect(result.victims[0]?.because).toEqual([':8080', 'server', 'pid:10']);
  });
});

describe('who is never hit', () => {
  it.each([
    [1, 'pid 1'],
    [50, 'this program itself'],
    [9, 'runs inside'],
  ])('process %i: %s', (pid, why) => {
    const result = plan([`pid:${pid}`], []);
    expect(pids(result)).toEqual([]);
    expect(result.refusals).toMatchObject([{ pid, kind: 'protected' }]);
    expect(result.refusals[0]?.reason).toContain(why);
    expect(pids(plan([`pid:${pid}`], [], { force: true }))).toEqual([pid]);
  });

  it('pid 1 that holds the port with a service stays, the service goes', () => {
    const result = plan([':8080'], [listener([1, 10])]);
    expect(pids(result)).toEqual([10]);
    expect(result.refusals.map(({ pid }) => pid)).toEqual([1]);
  });
});

describe('what is told of a victim', () => {
  it('its listeners, the clients that lose, their programs, its own connections', () => {
    const outgoing = socket('ESTABLISHED', '127.0.0.1:5000', '127.0.0.1:5432', [10]);
    const queued = { ...listener([10]), accept: { used: 2, limit: 128 } };
    const [victim] = plan([':8080'], [queued, serverEnd, clientEnd, outgoing]).victims;
    expect(victim).toMatchObject({
      listens: [{ protocol: 'tcp', address: '0.0.0.0', port: 8080 }],
      clients: 3,
      clientPrograms: [{ pid: 20, name: 'curl' }],
      outgoing: 1,
      sharesWith: null,
    });
  });

  it('TIME-WAIT is no client that could lose anything', () => {
    const old = socket('TIME-WAIT', '127.0.0.1:8080', '127.0.0.1:41000', []);
    expect(plan([':8080'], [listener([10]), old]).victims[0]?.clients).toBe(0);
  });

  it('connections shared with a process that lives on are not lost', () => {
    const shared = socket('ESTABLISHED', '127.0.0.1:8080', '127.0.0.1:40000', [10, 11]);
    const both = { ...listener([10, 11]), accept: { used: 1, limit: 128 } };
    expect(plan(['pid:10'], [both, shared]).victims[0]?.clients).toBe(0);
    expect(plan([':8080'], [both, shared]).victims[0]?.clients).toBe(2);
  });

  it('a child that inherited the listener is hit with its parent, after it, and marked', () => {
    const result = plan([':8080'], [listener([11, 10])]);
    expect(pids(result)).toEqual([10, 11]);
    expect(result.victims.map(({ sharesWith }) => sharesWith?.pid ?? null)).toEqual([null, 10]);
  });

  it('clients of a UNIX socket count too', () => {
    const unix = { protocol: 'unix' as Protocol, family: 0 as const };
    const result = plan(
      ['server'],
      [
        socket('LISTEN', '/run/s:1', '*:0', [10], unix),
        socket('ESTABLISHED', '/run/s:2', '*:3', [10], unix),
        socket('ESTABLISHED', '*:3', '*:2', [20], unix),
      ],
    );
    expect(result.victims[0]).toMatchObject({ clients: 1, clientPrograms: [{ pid: 20 }], outgoing: 0 });
  });
});
