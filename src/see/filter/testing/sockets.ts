/** For tests: real sockets on loopback, in many states, and the kernel's view of exactly these. */

import * as libc from '../../../kernel/libc.ts';
import { cgroupPath, deviceName } from '../../../kernel/names.ts';
import { AF_INET, AF_INET6, inetRequest, walkMessages } from '../../../kernel/sockdiag-format.ts';
import type { Socket } from '../../../session/socket.ts';
import { parseIpv4, parseIpv6 } from '../../../wire/net/address.ts';
import { inetSocket } from '../../row.ts';
import type { KernelFilter } from '../kernel.ts';

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const NETLINK_SOCK_DIAG = 4;
const [STREAM, DATAGRAM] = [1, 2] as const;
const SOL_SOCKET = 1;
const SO_BINDTODEVICE = 25;
const SO_MARK = 36;
const IPPROTO = { tcp: 6, udp: 17 } as const;

function address(text: string, port: number): Uint8Array {
  const six = text.includes(':');
  const bytes = new Uint8Array(six ? 28 : 16);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, six ? AF_INET6 : AF_INET, true);
  view.setUint16(2, port);
  bytes.set((six ? parseIpv6(text) : parseIpv4(text))!, six ? 8 : 4);
  return bytes;
}

function must(result: number, what: string): number {
  if (result < 0) {
    throw new Error(`${what}: errno ${-result}`);
  }
  return result;
}

function localPort(fd: number): number {
  const into = new Uint8Array(28);
  must(libc.getsockname(fd, into, libc.int32(into.length)), 'getsockname');
  return new DataView(into.buffer).getUint16(2);
}

export interface Zoo {
  ports: Set<number>;
  fds: number[];
  /** SO_MARK worked: CAP_NET_ADMIN is here. */
  marked: boolean;
}

export function openZoo(): Zoo {
  const zoo: Zoo = { ports: new Set(), fds: [], marked: false };
  const make = (type: number, bindTo: string, prepare: (fd: number) => void = () => {}): number => {
    const fd = must(libc.socket(bindTo.includes(':') ? AF_INET6 : AF_INET, type, 0), 'socket');
    zoo.fds.push(fd);
    prepare(fd);
    const name = address(bindTo, 0);
    must(libc.bindTo(fd, name, name.length), `bind ${bindTo}`);
    zoo.ports.add(localPort(fd));
    return fd;
  };
  const join = (fd: number, to: string, port: number): number => {
    const name = address(to, port);
    must(libc.connect(fd, name, name.length), `connect ${to}`);
    zoo.ports.add(localPort(fd));
    return fd;
  };
  const listener = (at: string, prepare?: (fd: number) => void): number => {
    const fd = make(STREAM, at, prepare);
    must(libc.listen(fd, 16), 'listen');
    return fd;
  };
  const pair = (server: number, from: string, to: string): [number, number] => {
    const client = join(make(STREAM, from), to, localPort(server));
    const accepted = must(libc.accept4(server, null, null, 0), 'accept');
    zoo.fds.push(accepted);
    return [client, accepted];
  };

  const four = listener('127.0.0.1');
  const six = listener('::1');
  const both = listener('::');
  listener('0.0.0.0');
  listener('127.0.0.1', (fd) => {
    const name = new TextEncoder().encode('lo\0');
    must(libc.setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, name.length), 'SO_BINDTODEVICE');
  });
  listener('127.0.0.1', (fd) => {
    zoo.marked = libc.setsockopt(fd, SOL_SOCKET, SO_MARK, libc.int32(7), 4) === 0;
  });
  pair(four, '127.0.0.1', '127.0.0.1');
  pair(six, '::1', '::1');
  pair(both, '127.0.0.1', '127.0.0.1');
  pair(both, '::1', '::1');
  const [halfClosed] = pair(four, '127.0.0.2', '127.0.0.1');
  must(libc.shutdown(halfClosed, 1), 'shutdown');
  const [first, second] = pair(six, '::1', '::1');
  must(libc.shutdown(first, 1), 'shutdown');
  must(libc.shutdown(second, 1), 'shutdown');
  const [third, fourth] = pair(both, '127.0.0.3', '127.0.0.1');
  must(libc.shutdown(third, 1), 'shutdown');
  must(libc.shutdown(fourth, 1), 'shutdown');
  const receiver = make(DATAGRAM, '127.0.0.1');
  join(make(DATAGRAM, '127.0.0.1'), '127.0.0.1', localPort(receiver));
  make(DATAGRAM, '::');
  return zoo;
}

export function closeZoo(zoo: Zoo): void {
  for (const fd of zoo.fds) {
    libc.close(fd);
  }
}

/** What the kernel selects, restricted to the zoo: others use this machine's loopback at the same time. */
export function selected(zoo: Zoo, ask: Pick<KernelFilter, 'bytecode' | 'states' | 'families'>): Socket[] {
  const fd = must(libc.socket(AF_NETLINK, SOCK_RAW, NETLINK_SOCK_DIAG), 'netlink');
  try {
    return (['tcp', 'udp'] as const)
      .flatMap((protocol) => [
        ...(ask.families.includes(4) ? rows(fd, AF_INET, protocol, ask) : []),
        ...(ask.families.includes(6) ? rows(fd, AF_INET6, protocol, ask) : []),
      ])
      .filter(({ local, peer }) => zoo.ports.has(local.port) || zoo.ports.has(peer.port));
  } finally {
    libc.close(fd);
  }
}

function rows(
  fd: number,
  family: typeof AF_INET | typeof AF_INET6,
  protocol: 'tcp' | 'udp',
  { states, bytecode }: Pick<KernelFilter, 'bytecode' | 'states'>,
): Socket[] {
  const request = inetRequest({ family, protocol: IPPROTO[protocol], states, extensions: 0, bytecode });
  must(libc.send(fd, request, request.length, 0), 'send');
  const answer = new Uint8Array(64 * 1024);
  const found: Socket[] = [];
  for (;;) {
    const length = must(libc.recv(fd, answer, answer.length, 0), 'recv');
    const walk = walkMessages(answer, 0, length, (start, end) =>
      found.push(inetSocket(answer, start, end, protocol, 0, { device: deviceName, cgroup: cgroupPath })),
    );
    if (walk.kind === 'done') {
      return found;
    }
    if (walk.kind !== 'more') {
      throw new Error(`the kernel's answer: ${JSON.stringify(walk)}`);
    }
  }
}
