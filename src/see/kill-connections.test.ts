import { describe, expect, it } from 'vitest';
import type { Socket, SocketState } from '../session/socket.ts';
import { TCP_STATES } from '../session/socket.ts';
import { consequences, planConnections } from './kill-connections.ts';

function socket(state: SocketState, localPort: number, peerPort: number, more: Partial<Socket> = {}): Socket {
  return {
    netns: 0,
    protocol: 'tcp',
    family: 4,
    state,
    local: { address: '127.0.0.1', port: localPort },
    peer: { address: '127.0.0.1', port: peerPort },
    recvQueue: 0,
    sendQueue: 0,
    uid: 0,
    inode: 5,
    cookie: '0000000000000001',
    owners: [],
    ...more,
  };
}

const a = socket('ESTABLISHED', 40000, 80);
const b = socket('ESTABLISHED', 80, 40000);

describe('which sockets go', () => {
  it('of two ends on this machine the first one asked for, and it knows the other', () => {
    const plan = planConnections([a, b], [a, b]);
    expect(plan.doomed).toMatchObject([{ socket: a, twin: b }]);
  });

  it('the twin is found when one end is an IPv6 socket that talks IPv4', () => {
    const mapped = socket('ESTABLISHED', 80, 40000, {
      family: 6,
      local: { address: '::ffff:127.0.0.1', port: 80 },
      peer: { address: '::ffff:127.0.0.1', port: 40000 },
    });
    expect(planConnections([a], [a, mapped]).doomed[0]?.twin).toBe(mapped);
  });

  it('listeners stay unless asked for, and that is said', () => {
    const listener = socket('LISTEN', 80, 0);
    const plan = planConnections([listener, a], [listener, a]);
    expect(plan.doomed.map((one) => one.socket)).toEqual([a]);
    expect(plan.notes).toEqual(['left alone: 1 listening socket; --listeners would take them too']);
    expect(planConnections([listener], [], { listeners: true }).doomed).toHaveLength(1);
  });

  it('UNIX sockets are left alone, and that is said', () => {
    const plan = planConnections([socket('ESTABLISHED', 1, 2, { protocol: 'unix', family: 0 })], []);
    expect(plan.doomed).toEqual([]);
    expect(plan.notes[0]).toContain('UNIX');
  });

  it('a socket connected to itself is one socket', () => {
    const loop = socket('ESTABLISHED', 5555, 5555);
    expect(planConnections([loop], [loop]).doomed).toHaveLength(1);
  });
});

describe('what each side will see', () => {
  it.each(TCP_STATES)('%s has an answer for both sides', (state) => {
    const { here, there } = consequences(socket(state, 1, 2));
    expect(here.length).toBeGreaterThan(10);
    expect(there.length).toBeGreaterThan(10);
  });

  it('TIME-WAIT vanishes without a packet', () => {
    const { here, there } = consequences(socket('TIME-WAIT', 1, 2, { inode: 0 }));
    expect(here).toContain('free at once');
    expect(there).toBe('nothing is sent to it');
  });

  it('FIN-WAIT-2 goes with RST, and silently once it is a mini socket', () => {
    const timer = { kind: 'time-wait' as const, expiresMs: 1000, retransmits: 0 };
    expect(consequences(socket('FIN-WAIT-2', 1, 2)).there).toContain('gets RST after');
    expect(consequences(socket('FIN-WAIT-2', 1, 2, { inode: 0 })).here).toContain('nobody');
    expect(consequences(socket('FIN-WAIT-2', 1, 2, { inode: 0, timer })).there).toContain('nothing is sent');
  });
});
