/** Sorting without moving rows: a list of positions into the reading. */
import type { Socket, SocketState } from '../session/socket.ts';

export const SORT_KEYS = ['proto', 'state', 'local', 'peer', 'queues', 'program', 'pid'] as const;
export type SortKey = (typeof SORT_KEYS)[number];

export interface Sort {
  key: SortKey;
  reverse: boolean;
}

/** The words of `--sort`, and the column each belongs to. */
const COLUMN_OF: Record<string, SortKey> = {
  protocol: 'proto',
  state: 'state',
  local: 'local',
  port: 'local',
  peer: 'peer',
  'peer-port': 'peer',
  recv: 'queues',
  send: 'queues',
  program: 'program',
  pid: 'pid',
};

export function startingSort(wishes: readonly { name: string; descending: boolean }[] = []): Sort {
  for (const { name, descending } of wishes) {
    const key = COLUMN_OF[name];
    if (key !== undefined) {
      // The screen's own order of queues is the fullest first.
      return { key, reverse: key === 'queues' ? !descending : descending };
    }
  }
  return { key: 'state', reverse: false };
}

/** Listeners first, then a connection's life from birth to death. */
const LIFE: readonly SocketState[] = [
  'LISTEN',
  'SYN-SENT',
  'SYN-RECV',
  'NEW-SYN-RECV',
  'ESTABLISHED',
  'FIN-WAIT-1',
  'FIN-WAIT-2',
  'CLOSING',
  'CLOSE-WAIT',
  'LAST-ACK',
  'TIME-WAIT',
  'CLOSED',
  'BOUND-INACTIVE',
  'UNKNOWN',
];
const AGE = new Map<SocketState, number>(LIFE.map((state, index) => [state, index]));

function words(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

type Compare = (a: Socket, b: Socket) => number;

const byLocal: Compare = (a, b) => a.local.port - b.local.port || words(a.local.address, b.local.address);
const byPeer: Compare = (a, b) => words(a.peer.address, b.peer.address) || a.peer.port - b.peer.port;
const byProtocol: Compare = (a, b) => words(a.protocol, b.protocol);
const byState: Compare = (a, b) => (AGE.get(a.state) ?? LIFE.length) - (AGE.get(b.state) ?? LIFE.length);
const byProgram: Compare = (a, b) => {
  const first = a.owners[0]?.name;
  const second = b.owners[0]?.name;
  if (first === undefined || second === undefined) {
    return (first === undefined ? 1 : 0) - (second === undefined ? 1 : 0);
  }
  return words(first, second);
};
const NO_PID = Number.MAX_SAFE_INTEGER;
const byPid: Compare = (a, b) => (a.owners[0]?.pid ?? NO_PID) - (b.owners[0]?.pid ?? NO_PID);

function waiting(socket: Socket): number {
  return socket.accept?.used ?? socket.recvQueue + socket.sendQueue;
}
/** The fullest first: nobody sorts by queue to look at empty ones. */
const byQueues: Compare = (a, b) => waiting(b) - waiting(a);

const COMPARE: Record<SortKey, Compare> = {
  proto: byProtocol,
  state: byState,
  local: byLocal,
  peer: byPeer,
  queues: byQueues,
  program: byProgram,
  pid: byPid,
};

/** Ties fall to the addresses and at last to the kernel's cookie, so that rows never swap places between two readings. */
const TIES: readonly Compare[] = [byProtocol, byLocal, byPeer, (a, b) => words(a.cookie, b.cookie)];

export function sortedPositions(sockets: readonly Socket[], { key, reverse }: Sort): Uint32Array {
  const positions = Uint32Array.from(sockets.keys());
  const compare = COMPARE[key];
  const direction = reverse ? -1 : 1;
  return positions.sort((i, j) => {
    const a = sockets[i]!;
    const b = sockets[j]!;
    const first = compare(a, b);
    if (first !== 0) {
      return first * direction;
    }
    for (const tie of TIES) {
      const next = tie(a, b);
      if (next !== 0) {
        return next;
      }
    }
    return i - j;
  });
}
