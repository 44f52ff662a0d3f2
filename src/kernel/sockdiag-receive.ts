/** Receives netlink answers in batches: one recvmmsg(2) fetches many of them, each into its own slot of one buffer. */
import * as libc from './libc.ts';
import { walkMessages } from './sockdiag-format.ts';

const EINTR = 4;
/** The kernel fills at most 32 KiB per answer, whatever the reader offers (af_netlink.c, netlink_dump). */
const SLOT = 32 * 1024;
const SLOTS = 16;
const MMSGHDR = 64;
const IOVEC = 16;
/** Offset of mmsghdr.msg_len on 64-bit Linux: behind the 56 bytes of struct msghdr. */
const RECEIVED = 56;
const MSG_WAITFORONE = 0x10000;
/** The smallest answer is a UNIX socket: 32 bytes. */
const MOST_ROWS = (SLOT * SLOTS) / 32;

/** One batch of answers: whole netlink messages in `bytes`, each row from `starts[i]` to `ends[i]`. */
export interface Chunk {
  bytes: Uint8Array;
  starts: Uint32Array;
  ends: Uint32Array;
  rows: number;
}

export interface Ending {
  interrupted: boolean;
  errno: number;
  malformed: string | null;
}

export interface Batch {
  bytes: Uint8Array;
  vector: Uint8Array;
  iovecs: Uint8Array;
}

/** The kernel writes through the addresses in `vector`, so all three parts must stay reachable while it does. */
export function freshBatch(): Batch {
  const bytes = new Uint8Array(SLOT * SLOTS);
  const vector = new Uint8Array(MMSGHDR * SLOTS);
  const iovecs = new Uint8Array(IOVEC * SLOTS);
  const vectorView = new DataView(vector.buffer);
  const iovecView = new DataView(iovecs.buffer);
  const base = libc.addressOf(bytes);
  const iovecBase = libc.addressOf(iovecs);
  for (let i = 0; i < SLOTS; i++) {
    iovecView.setBigUint64(i * IOVEC, base + BigInt(i * SLOT), true);
    iovecView.setBigUint64(i * IOVEC + 8, BigInt(SLOT), true);
    vectorView.setBigUint64(i * MMSGHDR + 16, iovecBase + BigInt(i * IOVEC), true);
    vectorView.setBigUint64(i * MMSGHDR + 24, 1n, true);
  }
  return { bytes, vector, iovecs };
}

export function receive(fd: number, batch: Batch): number {
  for (;;) {
    const answers = libc.recvmmsg(fd, batch.vector, SLOTS, MSG_WAITFORONE);
    if (answers !== -EINTR) {
      return answers;
    }
  }
}

export async function receiveAside(fd: number, batch: Batch): Promise<number> {
  for (;;) {
    const answers = await libc.recvmmsgAside(fd, batch.vector, SLOTS, MSG_WAITFORONE);
    if (answers !== -EINTR) {
      return answers;
    }
  }
}

/** The rows of a batch; `ending` is null while more is to come. */
export function readBatch(
  { bytes, vector }: Batch,
  answers: number,
): { chunk: Chunk; ending: Ending | null } {
  const chunk: Chunk = {
    bytes,
    starts: new Uint32Array(MOST_ROWS),
    ends: new Uint32Array(MOST_ROWS),
    rows: 0,
  };
  if (answers <= 0) {
    return { chunk, ending: { interrupted: false, errno: -answers, malformed: null } };
  }
  const lengths = new DataView(vector.buffer);
  const keep = (start: number, end: number): void => {
    chunk.starts[chunk.rows] = start;
    chunk.ends[chunk.rows++] = end;
  };
  for (let i = 0; i < answers; i++) {
    const from = i * SLOT;
    const walk = walkMessages(bytes, from, from + lengths.getUint32(i * MMSGHDR + RECEIVED, true), keep);
    if (walk.kind !== 'more') {
      return {
        chunk,
        ending: {
          interrupted: walk.kind === 'done' && walk.interrupted,
          errno: walk.kind === 'refused' ? walk.errno : 0,
          malformed: walk.kind === 'malformed' ? `${walk.why} at byte ${walk.at - from}` : null,
        },
      };
    }
  }
  return { chunk, ending: null };
}
