/** The plain table's cells from full rows: for lists that were filtered, sorted or detailed here. */
import type { RowSource } from '../session/cells.ts';
import { type Endpoint, type Owner, type OwnerGap, type Socket, TCP_STATES } from '../session/socket.ts';
import { printable } from '../wire/printable.ts';

export function socketRows(sockets: readonly Socket[]): RowSource {
  const encoder = new TextEncoder();
  let next = 0;
  let socket: Socket | undefined;
  return {
    rewind() {
      next = 0;
    },
    next(cells) {
      socket = sockets[next];
      if (socket === undefined) {
        return false;
      }
      next++;
      cells.protocol = protocolWord(socket);
      cells.state = TCP_STATES.indexOf(socket.state);
      cells.listening = socket.accept !== undefined;
      cells.receive = socket.accept?.used ?? socket.recvQueue;
      cells.send = socket.accept?.limit ?? socket.sendQueue;
      cells.inode = socket.inode;
      return true;
    },
    writeLocal: (out, at) =>
      at +
      encoder.encodeInto(socket === undefined ? '' : endText(socket, socket.local), out.subarray(at)).written,
    writePeer: (out, at) =>
      at + encoder.encodeInto(socket === undefined ? '' : peerText(socket), out.subarray(at)).written,
  };
}

export function protocolWord(socket: Socket): string {
  return socket.kind === undefined ? socket.protocol : `unix ${socket.kind}`;
}

export function endText(socket: Socket, end: Endpoint): string {
  if (socket.family === 0) {
    return `${printable(end.address)} ${end.port}`;
  }
  const port = end.port === 0 ? '*' : end.port;
  return socket.family === 6 ? `[${end.address}]:${port}` : `${end.address}:${port}`;
}

export function peerText(socket: Socket): string {
  return socket.family === 0 && socket.peer.port === 0 ? '*' : endText(socket, socket.peer);
}

const GAPS: Record<OwnerGap, string> = {
  none: '(no process)',
  'not looked up': '(not looked up: -p)',
  'not visible': '(not visible)',
};

/** `node 812 fd 23`; one process with several descriptors is named once. */
export function ownersText(owners: readonly Owner[], gap: OwnerGap): string {
  if (owners.length === 0) {
    return GAPS[gap];
  }
  let text = '';
  let last = -1;
  for (const { name, pid, fd } of owners) {
    text += pid === last ? `,${fd}` : `${text === '' ? '' : ', '}${name} ${pid} fd ${fd}`;
    last = pid;
  }
  return text;
}
