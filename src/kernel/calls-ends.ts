/** Where a socket is: its two ends as the kernel says them, asked without anybody noticing. */
import {
  closeCall,
  connectCall,
  getpeernameCall,
  getsocknameCall,
  getsockoptCall,
  setsockoptCall,
  socketCall,
} from './calls.ts';
import { AF_INET, CLOEXEC, SOCK_DGRAM } from './calls-flags.ts';
import { type End, endAt } from './calls-message.ts';
import { fixedMemory } from './epoll.ts';
import { encodeAddress, LONGEST_ADDRESS } from './stream-sockets.ts';

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

/** The address that a datagram to there leaves with: connecting a UDP socket asks the routes and sends nothing (udp(7)). */
export function addressToward(family: number, to: End): string | null {
  const raw = encodeAddress({ kind: 'udp', host: to.address, port: to.port });
  const fd = typeof raw === 'number' ? raw : socketCall.now(family, SOCK_DGRAM | CLOEXEC, 0);
  if (typeof raw === 'number' || fd < 0) {
    return null;
  }
  const end = connectCall.now(fd, raw.address, raw.length) < 0 ? null : localEnd(fd).end;
  closeCall.now(fd);
  return end?.address ?? null;
}

const IPPROTO_IP = 0;
const IPPROTO_IPV6 = 41;
const IP_PKTINFO = 8;
const IPV6_RECVPKTINFO = 49;

/** From now on recvmsg is told which of our addresses a datagram was for; nothing else changes. */
export function tellAddresses(fd: number, family: number): void {
  const four = family === AF_INET;
  memory.words[0] = 1;
  const [level, number] = four ? [IPPROTO_IP, IP_PKTINFO] : [IPPROTO_IPV6, IPV6_RECVPKTINFO];
  setsockoptCall.now(fd, level, number, memory.address, 4);
}
