/** Orders and counts of rows, by the words people use for them. */
import type { Socket } from '../session/socket.ts';
import { endText, peerText, protocolWord } from './socket-rows.ts';

type Key = (socket: Socket) => number | string;

export const SORT_KEYS: Record<string, Key> = {
  protocol: protocolWord,
  state: (s) => s.state,
  local: (s) => endText(s, s.local),
  peer: peerText,
  port: (s) => s.local.port,
  'peer-port': (s) => s.peer.port,
  recv: (s) => s.accept?.used ?? s.recvQueue,
  send: (s) => s.sendQueue,
  program: (s) => s.owners[0]?.name ?? '\uffff',
  pid: (s) => s.owners[0]?.pid ?? Number.MAX_SAFE_INTEGER,
  uid: (s) => s.uid,
  rtt: (s) => s.tcp?.rttUs ?? -1,
  retransmits: (s) => s.tcp?.totalRetrans ?? -1,
};

/** Keys whose values come from tcp_info or from owners, which must then be asked for. */
export const DETAIL_KEYS: readonly string[] = ['rtt', 'retransmits'];
export const OWNER_KEYS: readonly string[] = ['program', 'pid'];

export interface SortKey {
  name: string;
  descending: boolean;
}

/** `state,-recv` → keys; the name of the unknown one otherwise. */
export function parseSort(text: string): SortKey[] | { unknown: string } {
  const keys: SortKey[] = [];
  for (const word of text.split(',')) {
    const name = word.replace(/^[-+]/, '');
    if (!Object.hasOwn(SORT_KEYS, name)) {
      return { unknown: name };
    }
    keys.push({ name, descending: word.startsWith('-') });
  }
  return keys;
}

export function sortSockets(sockets: readonly Socket[], keys: readonly SortKey[]): Socket[] {
  return [...sockets].sort((a, b) => {
    for (const { name, descending } of keys) {
      const key = SORT_KEYS[name]!;
      const x = key(a);
      const y = key(b);
      const order = x < y ? -1 : x > y ? 1 : 0;
      if (order !== 0) {
        return descending ? -order : order;
      }
    }
    return 0;
  });
}

export const COUNT_KEYS: Record<string, (socket: Socket) => string> = {
  state: (s) => s.state,
  program: (s) => s.owners[0]?.name ?? (s.ownerGap === 'none' ? '(no process)' : `(${s.ownerGap ?? 'none'})`),
  peer: (s) => (s.family === 0 ? 'unix' : s.peer.address),
  port: (s) => (s.family === 0 ? 'unix' : String(s.local.port)),
};

export function countBy(sockets: readonly Socket[], key: (socket: Socket) => string): [string, number][] {
  const counts = new Map<string, number>();
  for (const socket of sockets) {
    const name = key(socket);
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
}
