/** What `K` and `x` ask before they do anything; or why they do not apply to this row. Pure. */
import type { Socket } from '../session/socket.ts';
import { several } from '../view/units.ts';
import { distinctOwners, gapText, localText, peerText, stateText } from './cells.ts';
import { printable } from './spans.ts';

export interface Ask {
  what: 'kill' | 'destroy';
  socket: Socket;
  pids: readonly number[];
  question: string;
  consequence: string;
}

export type Answer = { ask: Ask } | { refused: string };

/** Connections of this table that belong to the listener: same port, and its address unless it listens on all. */
function clientsOf(listener: Socket, sockets: readonly Socket[]): number {
  const any = listener.local.address === '0.0.0.0' || listener.local.address === '::';
  return sockets.filter(
    ({ state, protocol, local }) =>
      state === 'ESTABLISHED' &&
      protocol === listener.protocol &&
      local.port === listener.local.port &&
      (any || local.address === listener.local.address),
  ).length;
}

export function askKill(socket: Socket, sockets: readonly Socket[]): Answer {
  if (socket.accept === undefined) {
    return {
      refused: `K ends the process of a listener; this row is ${stateText(socket)}. x destroys a connection.`,
    };
  }
  const owners = distinctOwners(socket.owners);
  if (owners.length === 0) {
    const unasked = socket.ownerGap === 'not looked up';
    const why = unasked ? 'not looked up; `sockscope ls -p --watch` reads all owners' : gapText(socket);
    return { refused: `The process that holds ${localText(socket)} is unknown: ${why}.` };
  }
  const names = owners.map(({ name, pid }) => `${printable(name)} (pid ${pid})`).join(', ');
  const clients = socket.protocol === 'unix' ? 0 : clientsOf(socket, sockets);
  return {
    ask: {
      what: 'kill',
      socket,
      pids: owners.map(({ pid }) => pid),
      question: `End ${names}, listening on ${localText(socket)}?`,
      consequence:
        clients === 0
          ? 'No connection to it is in this table.'
          : `${several(clients, 'connection')} to it in this table would be lost.`,
    },
  };
}

export function askDestroy(socket: Socket): Answer {
  if (socket.protocol === 'unix') {
    return { refused: 'The kernel cannot destroy UNIX sockets from outside.' };
  }
  if (socket.accept !== undefined) {
    return { refused: 'x destroys a connection; this row listens. K ends its process.' };
  }
  if (peerText(socket) === '*') {
    return { refused: 'x destroys a connection; this socket has no peer.' };
  }
  return {
    ask: {
      what: 'destroy',
      socket,
      pids: [],
      question: `Destroy ${localText(socket)} → ${peerText(socket)}?`,
      consequence:
        socket.protocol === 'tcp'
          ? 'The program here sees ECONNABORTED; the peer gets a reset.'
          : 'The program here sees ECONNABORTED; the peer is not told.',
    },
  };
}
