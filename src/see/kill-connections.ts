/** Which sockets would be destroyed, and what each side will see of it. Pure; the consequences were measured (docs/kill.md). */
import type { Socket } from '../session/socket.ts';
import { isListener } from './kill-targets.ts';

export interface Consequence {
  /** What the program that holds the socket sees. */
  here: string;
  /** What the other side sees. */
  there: string;
}

export interface DoomedSocket {
  socket: Socket;
  /** The other end, when it is on this machine too. */
  twin: Socket | null;
  consequence: Consequence;
}

export interface ConnectionPlan {
  doomed: DoomedSocket[];
  notes: string[];
}

export interface ConnectionPlanOptions {
  listeners?: boolean;
}

/** `matching` are the sockets asked for, `all` where their other ends are looked for. */
export function planConnections(
  matching: readonly Socket[],
  all: readonly Socket[],
  options: ConnectionPlanOptions = {},
): ConnectionPlan {
  const notes: string[] = [];
  const able = matching.filter(({ protocol }) => protocol !== 'unix' && protocol !== 'raw');
  if (able.length < matching.length) {
    notes.push(
      `left alone: ${sockets(matching.length - able.length)} of UNIX or RAW kind, which the kernel does not destroy`,
    );
  }
  const picked = able.filter((s) => options.listeners || !isListener(s));
  if (picked.length < able.length) {
    notes.push(
      `left alone: ${sockets(able.length - picked.length, 'listening ')}; --listeners would take them too`,
    );
  }
  const byEnds = new Map(all.map((s) => [key(s), s]));
  const taken = new Set<Socket>();
  const doomed: DoomedSocket[] = [];
  for (const socket of picked) {
    const twin = isListener(socket) ? null : (byEnds.get(reversed(socket)) ?? null);
    // Both ends asked for: the first one's RST ends the second.
    if (twin !== null && taken.has(twin)) {
      continue;
    }
    taken.add(socket);
    doomed.push({ socket, twin, consequence: consequences(socket) });
  }
  return { doomed, notes };
}

function sockets(count: number, kind = ''): string {
  return count === 1 ? `1 ${kind}socket` : `${count} ${kind}sockets`;
}

function end({ address, port }: Socket['local']): string {
  return `${address.replace(/^::ffff:/, '')} ${port}`;
}

function key({ protocol, local, peer }: Socket): string {
  return `${protocol} ${end(local)} ${end(peer)}`;
}

function reversed({ protocol, local, peer }: Socket): string {
  return `${protocol} ${end(peer)} ${end(local)}`;
}

const RESET = 'gets RST: its next call fails with ECONNRESET, after the data it has already received';
const RESET_AFTER_END =
  'gets RST after the end of file it has seen: reads still give end of file, writes EPIPE';
const RESET_OR_AFTER_END =
  'gets RST: ECONNRESET; or, when the end of file has reached it, that and EPIPE for its writes';
const SILENT = 'nothing is sent to it';
const NOBODY = 'nobody sees it: no program holds it any more';

/** SOCK_BINDPORT_LOCK decides, and no diagnosis tells it. */
const KEPT = 'it keeps a port it asked for by number and loses one the kernel chose';

/** What the kernel does in each state (tcp_abort in net/ipv4/tcp.c, udp_abort in net/ipv4/udp.c). */
export function consequences(socket: Socket): Consequence {
  if (socket.protocol !== 'tcp') {
    const here = isListener(socket)
      ? `one call fails with ECONNABORTED; ${KEPT}, and then works on`
      : 'it forgets its peer: the next read fails with ECONNABORTED, writes with EDESTADDRREQ';
    return { here, there: SILENT };
  }
  const held = socket.inode !== 0;
  const aborted =
    'reads the data already received, then gets ECONNABORTED once; later reads give end of file, writes EPIPE';
  switch (socket.state) {
    case 'LISTEN':
      return {
        here: `accept() fails with EINVAL and poll reports an error for ever; connections are refused until it listens again; ${KEPT}`,
        there: 'connections not yet accepted get RST (ECONNRESET); accepted ones live on',
      };
    case 'TIME-WAIT':
      return { here: `${NOBODY}; its pair of ports is free at once`, there: SILENT };
    case 'SYN-SENT':
      return { here: 'connect() fails with ECONNABORTED', there: SILENT };
    case 'SYN-RECV':
    case 'NEW-SYN-RECV':
      return { here: NOBODY, there: `${SILENT}; what it sends next begins a new handshake or gets RST` };
    case 'CLOSE-WAIT':
      return {
        here: 'reads still give end of file; the next write fails with ECONNABORTED, then EPIPE',
        there: RESET,
      };
    case 'FIN-WAIT-2':
      return socket.timer?.kind === 'time-wait' // a mini socket, too small to send anything
        ? { here: NOBODY, there: `${SILENT}; what it sends next gets RST` }
        : { here: held ? aborted : NOBODY, there: RESET_AFTER_END };
    case 'FIN-WAIT-1':
      return { here: held ? aborted : NOBODY, there: RESET_OR_AFTER_END };
    case 'LAST-ACK':
    case 'CLOSING':
      return { here: held ? aborted : NOBODY, there: SILENT };
    default:
      return { here: held ? aborted : 'nobody sees it: it waits for accept()', there: RESET };
  }
}
