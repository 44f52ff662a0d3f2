/** Where a socket is: its two ends as the kernel says them, asked without anybody noticing. */
import { getpeernameCall, getsocknameCall, getsockoptCall } from './calls.ts';
import { type End, endAt } from './calls-message.ts';
import { fixedMemory } from './epoll.ts';
import { LONGEST_ADDRESS } from './stream-sockets.ts';

const memory = fixedMemory(LONGEST_ADDRESS);
const length = fixedMemory(4);
const SOL_SOCKET = 1;
const SO_TYPE = 3;
const SO_DOMAIN = 39;

export interface Named {
  /** 0 or -errno. */
  readonly result: number;
  readonly end: End | null;
}

export function localEnd(fd: number): Named {
  return named(getsocknameCall.now, fd);
}

export function peerEnd(fd: number): Named {
  return named(getpeernameCall.now, fd);
}

function named(ask: typeof getsocknameCall.now, fd: number): Named {
  length.words[0] = LONGEST_ADDRESS;
  const result = ask(fd, memory.address, length.address);
  return { result, end: result < 0 ? null : endAt(memory.bytes, length.words[0]!) };
}

/** AF_ and SOCK_ numbers; null for what is no socket. */
export function socketKind(fd: number): { family: number; type: number } | null {
  const family = ask(fd, SO_DOMAIN);
  const type = ask(fd, SO_TYPE);
  return family < 0 || type < 0 ? null : { family, type };
}

function ask(fd: number, option: number): number {
  length.words[0] = 4;
  const result = getsockoptCall.now(fd, SOL_SOCKET, option, memory.address, length.address);
  return result < 0 ? result : memory.words[0]!;
}
