/** Waiting for several descriptors: the structures of poll(2) and epoll_wait(2), which live as long as the call. */
import { epollCtlCall } from './calls.ts';
import { fixedMemory } from './epoll.ts';

/** struct epoll_event is packed on x86-64 only (include/uapi/linux/eventpoll.h); the data word comes last. */
const EVENT_WORDS = process.arch === 'x64' ? 3 : 4;
const DATA_WORD = process.arch === 'x64' ? 1 : 2;

export interface Ready {
  readonly fd: number;
  readonly bits: number;
}

export interface PollMemory {
  readonly address: number;
  readonly count: number;
  /** Those whom something has happened to, after the call. */
  ready(): Ready[];
}

export function pollMemory(wishes: readonly Ready[]): PollMemory {
  const memory = fixedMemory(Math.max(1, wishes.length) * 8);
  const view = new DataView(memory.bytes.buffer);
  for (const [i, { fd, bits }] of wishes.entries()) {
    view.setInt32(i * 8, fd, true);
    view.setInt16(i * 8 + 4, bits, true);
  }
  return {
    address: memory.address,
    count: wishes.length,
    ready: () =>
      wishes
        .map(({ fd }, i) => ({ fd, bits: view.getUint16(i * 8 + 6, true) }))
        .filter(({ bits }) => bits !== 0),
  };
}

export interface EpollMemory {
  readonly address: number;
  ready(count: number): Ready[];
}

export function epollMemory(most: number): EpollMemory {
  const memory = fixedMemory(Math.max(1, most) * EVENT_WORDS * 4);
  return {
    address: memory.address,
    ready: (count) =>
      Array.from({ length: Math.max(0, Math.min(count, most)) }, (_, i) => ({
        bits: memory.words[i * EVENT_WORDS]!,
        fd: memory.words[i * EVENT_WORDS + DATA_WORD]!,
      })),
  };
}

const event = fixedMemory(16);

export const EPOLL_OPERATIONS = { add: 1, del: 2, mod: 3 } as const;

/** The descriptor itself is what comes back with its events. */
export function controlEpoll(epoll: number, operation: number, fd: number, bits: number): number {
  event.words[0] = bits;
  event.words[DATA_WORD] = fd;
  return epollCtlCall.now(epoll, operation, fd, event.address);
}
