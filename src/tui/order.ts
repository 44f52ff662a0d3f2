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

/** One number per row, small when the row comes early. Whole and not negative. */
type Ranks = (sockets: readonly Socket[]) => Float64Array<ArrayBuffer>;

/** Plain loops here and below: `from` with a function walks an iterator, which costs more than the sorting. */
function fill(length: number, value: (index: number) => number): Float64Array<ArrayBuffer> {
  const values = new Float64Array(length);
  for (let index = 0; index < length; index += 1) {
    values[index] = value(index);
  }
  return values;
}

function each(rank: (socket: Socket) => number): Ranks {
  return (sockets) => fill(sockets.length, (index) => rank(sockets[index]!));
}

const IPV4 = /^(\d+)\.(\d+)\.(\d+)\.(\d+)$/;

/** IPv4 addresses by their number, before everything else by its letters. */
function beforeText(a: string, b: string): number {
  const first = IPV4.exec(a);
  const second = IPV4.exec(b);
  if (first === null || second === null) {
    return first === second ? (a < b ? -1 : a > b ? 1 : 0) : first === null ? 1 : -1;
  }
  for (let part = 1; part <= 4; part += 1) {
    const difference = Number(first[part]) - Number(second[part]);
    if (difference !== 0) {
      return difference;
    }
  }
  return 0;
}

/** Words are compared once per different word, not once per pair of rows. Rows without a word come last. */
function byWord(word: (socket: Socket) => string | undefined): Ranks {
  return (sockets) => {
    const different = new Map<string, number>();
    for (const socket of sockets) {
      const text = word(socket);
      if (text !== undefined) {
        different.set(text, 0);
      }
    }
    [...different.keys()].sort(beforeText).forEach((text, rank) => {
      different.set(text, rank);
    });
    return each((socket) => different.get(word(socket) ?? '') ?? different.size)(sockets);
  };
}

const localPort = each(({ local }) => local.port);
const localAddress = byWord(({ local }) => local.address);
const peerPort = each(({ peer }) => peer.port);
const peerAddress = byWord(({ peer }) => peer.address);
const protocol = byWord((socket) => socket.protocol);
const LARGEST_QUEUE = 0xffff_ffff;

function waiting({ accept, recvQueue, sendQueue }: Socket): number {
  return Math.min(LARGEST_QUEUE, accept?.used ?? recvQueue + sendQueue);
}

/** What each column sorts by, the weightiest first. Queues: the fullest first, since nobody sorts by them to see empty ones. */
const COLUMN: Record<SortKey, readonly Ranks[]> = {
  proto: [protocol],
  state: [each(({ state }) => AGE.get(state) ?? LIFE.length)],
  local: [localPort, localAddress],
  peer: [peerAddress, peerPort],
  queues: [each((socket) => LARGEST_QUEUE - waiting(socket))],
  program: [byWord(({ owners }) => owners[0]?.name)],
  pid: [each(({ owners }) => owners[0]?.pid ?? LARGEST_QUEUE)],
};

/** Ties fall to the addresses and at last to the kernel's cookie, so that rows never swap places between two readings. */
const TIES: readonly Ranks[] = [
  protocol,
  localPort,
  localAddress,
  peerAddress,
  peerPort,
  each(({ inode }) => inode),
];

/** One pass of a radix sort: a stable order by `ranks` on top of the order so far. */
function sortPass(order: Uint32Array, ranks: Float64Array): Uint32Array {
  const rows = order.length;
  // The rank, then the place so far, packed into one double: numbers sort many times faster without a comparator.
  const packed = fill(rows, (place) => (ranks[order[place]!] ?? 0) * rows + place).sort();
  const next = new Uint32Array(rows);
  for (let place = 0; place < rows; place += 1) {
    next[place] = order[packed[place]! % rows]!;
  }
  return next;
}

function largest(values: Float64Array): number {
  let most = 0;
  for (let index = 0; index < values.length; index += 1) {
    most = Math.max(most, values[index]!);
  }
  return most;
}

/** Neighbouring ranks share a pass as long as both fit into one whole number beside the place. */
function merged(ranks: readonly Float64Array<ArrayBuffer>[], rows: number): Float64Array[] {
  const room = Number.MAX_SAFE_INTEGER / Math.max(1, rows);
  const passes: { values: Float64Array<ArrayBuffer>; size: number }[] = [];
  for (const values of ranks) {
    const size = largest(values) + 1;
    const last = passes.at(-1);
    if (last !== undefined && last.size * size <= room) {
      const before = last.values;
      last.values = fill(rows, (index) => before[index]! * size + values[index]!);
      last.size *= size;
    } else {
      passes.push({ values, size });
    }
  }
  return passes.map(({ values }) => values);
}

export function sortedPositions(sockets: readonly Socket[], { key, reverse }: Sort): Uint32Array {
  const rank = (ranks: Ranks): Float64Array<ArrayBuffer> => ranks(sockets);
  const turn = (values: Float64Array): Float64Array<ArrayBuffer> => {
    const top = largest(values);
    return fill(values.length, (index) => top - values[index]!);
  };
  const column = COLUMN[key].map(rank);
  const passes = merged([...(reverse ? column.map(turn) : column), ...TIES.map(rank)], sockets.length);
  let order: Uint32Array = Uint32Array.from(sockets.keys());
  for (const values of passes.reverse()) {
    order = sortPass(order, values);
  }
  return order;
}
