/**
 * Ephemeral ports. For TCP a range is used up per destination: a connection needs a local port that no other connection from
 * the same local address to the same address and port has. UDP sockets share one set of ports, whatever they send to.
 */
import type { MachineLimits } from '../kernel/limits.ts';
import type { PortRange } from '../kernel/sysctls.ts';
import type { Socket } from '../session/socket.ts';
import { type Limit, type Scope, share } from './limit.ts';

/** A single connection to somewhere is no news; every connection would be a row. */
const WORTH_A_ROW = 2;

interface Group {
  protocol: string;
  from: string;
  to: string;
  ports: Set<number>;
  timeWait: number;
  mine: boolean;
}

export function ephemeralPorts(
  sockets: readonly Socket[],
  machine: MachineLimits,
  scope: Scope = {},
): Limit[] {
  const range = machine.sysctls.ephemeral;
  if (range.value === null) {
    return [
      { ...tcpRow('ephemeral', 'this network namespace'), ...share(null, null), notVisible: range.why },
    ];
  }
  const usable = usablePorts(range.value, machine.sysctls.reserved.value ?? []);
  const { groups, taken } = tcpGroups(sockets, usable, scope);
  // connect() passes over ports that a bind() holds, so a listener in the range takes one from every destination.
  const limit = usable.size - taken;
  const about = `of ${range.value.from}–${range.value.to}`;
  const limits = groups
    .filter(({ ports, mine }) => mine && ports.size >= Math.min(WORTH_A_ROW, limit))
    .map((group) => ({
      ...tcpRow(`ephemeral:${group.protocol}:${group.from}>${group.to}`, `${group.from} → ${group.to}`),
      ...share(group.ports.size, limit),
      note: `${about}${reuse(group, machine)}`,
    }));
  return [...limits, ...udpPorts(sockets, usable, about, scope)];
}

function tcpRow(id: string, subject: string) {
  return {
    id,
    kind: 'ephemeral ports' as const,
    subject,
    what: 'local ports towards this destination',
    whenFull:
      'connect() fails at once with EADDRNOTAVAIL and no packet is sent; other destinations still work',
    raise:
      'sysctl net.ipv4.ip_local_port_range="1024 65535"; keep connections open and reuse them; net.ipv4.tcp_tw_reuse=1; a second local or remote address',
  };
}

/** What becomes free soon. */
function reuse({ timeWait, from }: Group, { sysctls }: MachineLimits): string {
  if (timeWait === 0) {
    return '';
  }
  const mode = sysctls.timeWaitReuse.value;
  const loopback = /^127\.|^\[::1\]$/.test(from);
  const reusable = mode === 1 || (mode === 2 && loopback);
  return `, ${timeWait} in TIME-WAIT, free ${reusable ? 'for reuse after 1 s' : 'after 60 s'} (tcp_tw_reuse=${mode ?? '?'})`;
}

function usablePorts(range: PortRange, reserved: readonly PortRange[]): Set<number> {
  const ports = new Set<number>();
  for (let port = range.from; port <= range.to; port++) {
    ports.add(port);
  }
  for (const { from, to } of reserved) {
    for (let port = from; port <= to; port++) {
      ports.delete(port);
    }
  }
  return ports;
}

function tcpGroups(sockets: readonly Socket[], usable: ReadonlySet<number>, scope: Scope) {
  const listening = new Set<number>();
  for (const { protocol, state, local } of sockets) {
    if (protocol === 'tcp' && (state === 'LISTEN' || state === 'BOUND-INACTIVE')) {
      listening.add(local.port);
    }
  }
  const groups = new Map<string, Group>();
  for (const socket of sockets) {
    const { protocol, state, local, peer } = socket;
    const client = protocol === 'tcp' && state !== 'CLOSED' && peer.port !== 0 && !listening.has(local.port);
    if (!client || !usable.has(local.port)) {
      continue;
    }
    const from = addressText(local.address);
    const to = `${addressText(peer.address)}:${peer.port}`;
    const key = `${from}>${to}`;
    let group = groups.get(key);
    if (group === undefined) {
      group = { protocol, from, to, ports: new Set(), timeWait: 0, mine: false };
      groups.set(key, group);
    }
    group.ports.add(local.port);
    group.timeWait += state === 'TIME-WAIT' ? 1 : 0;
    group.mine ||= concerns(socket, scope);
  }
  const taken = [...listening].filter((port) => usable.has(port)).length;
  return { groups: [...groups.values()], taken };
}

function concerns(socket: Socket, { pid, port }: Scope): boolean {
  return (
    (pid === undefined || socket.owners.some((owner) => owner.pid === pid)) &&
    (port === undefined || socket.peer.port === port)
  );
}

function udpPorts(
  sockets: readonly Socket[],
  usable: ReadonlySet<number>,
  note: string,
  scope: Scope,
): Limit[] {
  const bound = sockets.filter(({ protocol, local }) => protocol === 'udp' && usable.has(local.port));
  const ports = new Set(bound.map(({ local }) => local.port));
  const mine = bound.some((socket) => concerns(socket, scope));
  if (ports.size === 0 || (!mine && (scope.pid !== undefined || scope.port !== undefined))) {
    return [];
  }
  return [
    {
      id: 'ephemeral:udp',
      kind: 'ephemeral UDP ports',
      subject: 'this network namespace',
      what: 'local ports of UDP sockets',
      ...share(ports.size, usable.size),
      whenFull:
        'bind() to port 0 fails with EADDRINUSE, connect() and sendto() of an unbound socket with EAGAIN',
      raise: 'sysctl net.ipv4.ip_local_port_range="1024 65535"; close UDP sockets that are done',
      note,
    },
  ];
}

/** An IPv4 connection of an IPv6 socket competes with those of IPv4 sockets. */
function addressText(address: string): string {
  const plain = address.replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, '');
  return plain.includes(':') ? `[${plain}]` : plain;
}
