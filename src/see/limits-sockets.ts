/** Limits that belong to sockets: queues of listeners, buffers, and the ports left towards a destination. */
import type { MachineLimits } from '../kernel/limits.ts';
import type { Socket } from '../session/socket.ts';
import { printable } from '../wire/printable.ts';
import { type Limit, type Scope, share } from './limit.ts';
import { times } from './limits-machine.ts';
import { ephemeralPorts } from './limits-ports.ts';

export function perSocket(sockets: readonly Socket[], machine: MachineLimits, scope: Scope): Limit[] {
  return [
    ...ephemeralPorts(sockets, machine, scope),
    ...listenQueues(sockets, machine, scope),
    ...udpBuffers(sockets, scope),
  ];
}

function mine(socket: Socket, { pid, port }: Scope): boolean {
  return (
    (pid === undefined || socket.owners.some((owner) => owner.pid === pid)) &&
    (port === undefined || socket.local.port === port)
  );
}

function listenQueues(sockets: readonly Socket[], machine: MachineLimits, scope: Scope): Limit[] {
  const halfOpen = sockets.filter(({ state }) => state === 'SYN-RECV' || state === 'NEW-SYN-RECV');
  const overflows = times(
    machine,
    'TcpExt.ListenOverflows',
    'SYNs or handshakes dropped at full accept queues',
  );
  const limits: Limit[] = [];
  for (const socket of sockets) {
    if (socket.state !== 'LISTEN' || socket.accept === undefined || !mine(socket, scope)) {
      continue;
    }
    const backlog = socket.accept.limit;
    const local = placeText(socket);
    const base = {
      subject: `${local}${ownerText(socket)}`,
      ...(socket.owners[0] === undefined ? {} : { pid: socket.owners[0].pid }),
    };
    limits.push({
      ...base,
      id: `accept:${socket.protocol}:${local}:${socket.cookie}`,
      kind: 'accept queue',
      what: 'connections waiting for accept()',
      // The kernel compares with >, so one more than listen() asked for fits (sk_acceptq_is_full).
      ...share(socket.accept.used, backlog + (socket.family === 0 ? 0 : 1)),
      whenFull:
        socket.family === 0
          ? 'connect() blocks, or fails with EAGAIN on a non-blocking socket'
          : 'SYNs are dropped in silence: connect() of new clients hangs and retries after 1 s, 3 s, 7 s …, then ETIMEDOUT',
      raise: raiseBacklog(backlog, machine),
      ...(overflows !== null && socket.family !== 0 && socket.accept.used > backlog
        ? { happened: overflows }
        : {}),
    });
    if (socket.protocol === 'tcp') {
      const used = halfOpen.filter((half) => sameListener(socket, half)).length;
      if (used > 0) {
        limits.push({
          ...base,
          id: `syn:${local}:${socket.cookie}`,
          kind: 'SYN queue',
          what: 'half-open connections',
          ...share(used, backlog + 1),
          whenFull: synFull(machine),
          raise: raiseBacklog(backlog, machine),
        });
      }
    }
  }
  return limits;
}

function synFull({ sysctls }: MachineLimits): string {
  return sysctls.synCookies.value === 0
    ? 'SYNs are dropped in silence: new clients hang in SYN-SENT, then ETIMEDOUT'
    : 'SYN cookies take over: clients still connect, without the options that a cookie cannot hold';
}

function raiseBacklog(backlog: number, { sysctls }: MachineLimits): string {
  const most = sysctls.somaxconn.value;
  return most !== null && backlog >= most
    ? `sysctl net.core.somaxconn=N (now ${most}) and a larger listen(), then restart the program; or accept faster`
    : `a larger backlog in listen() (now ${backlog}), or accept faster`;
}

/** A half-open request belongs to the listener on its port that has its address, or any address. */
function sameListener(listener: Socket, half: Socket): boolean {
  const any = listener.local.address === '0.0.0.0' || listener.local.address === '::';
  return listener.local.port === half.local.port && (any || listener.local.address === half.local.address);
}

const NOTICEABLE = 0.01;

function udpBuffers(sockets: readonly Socket[], scope: Scope): Limit[] {
  const limits: Limit[] = [];
  for (const socket of sockets) {
    const { memory } = socket;
    if (socket.protocol !== 'udp' || memory === undefined || !mine(socket, scope)) {
      continue;
    }
    const full = share(memory.receiveAllocated, memory.receiveLimit);
    if (memory.drops === 0 && (full.fraction ?? 0) < NOTICEABLE) {
      continue;
    }
    limits.push({
      id: `udp:${socket.cookie}`,
      kind: 'UDP receive buffer',
      subject: `${placeText(socket)}${ownerText(socket)}`,
      what: 'bytes of datagrams not yet read',
      ...full,
      whenFull: 'datagrams are dropped in silence: the sender is never told',
      raise: 'setsockopt SO_RCVBUF (up to net.core.rmem_max), or read faster',
      ...(memory.drops > 0 ? { happened: `${memory.drops} datagrams dropped by this socket` } : {}),
      ...(socket.owners[0] === undefined ? {} : { pid: socket.owners[0].pid }),
    });
  }
  return limits;
}

function placeText({ local, family }: Socket): string {
  if (family === 0) {
    return printable(local.address);
  }
  return family === 6 ? `[${local.address}]:${local.port}` : `${local.address}:${local.port}`;
}

function ownerText({ owners }: Socket): string {
  const [owner] = owners;
  return owner === undefined ? '' : ` ${printable(owner.name)} pid ${owner.pid}`;
}
