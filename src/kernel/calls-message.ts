/** recvmsg(2): a datagram with what the kernel says beside it, and the error queue of a socket (ip(7), IP_RECVERR). */
import { ipv4Text, ipv6Text } from '../wire/net/address.ts';
import { addressOf, fixedMemory } from './epoll.ts';
import { errnoName } from './errno.ts';
import { decodeAddress, LONGEST_ADDRESS } from './stream-sockets.ts';

/** Behind struct msghdr, which has 56 bytes. */
const NAME = 64;
const VECTOR = NAME + LONGEST_ADDRESS;
const CONTROL = VECTOR + 16;
const CONTROL_BYTES = 512;
/** struct cmsghdr: size_t cmsg_len, int cmsg_level, int cmsg_type. */
const CMSG_HEADER = 16;
const EXTENDED_ERROR = 16;
/** sizeof(struct sockaddr_in) */
const SHORTEST_ADDRESS = 16;

const SOL_SOCKET = 1;
const IPPROTO_IP = 0;
const IPPROTO_IPV6 = 41;
const SO_RXQ_OVFL = 40;
const IP_RECVERR = 11;
const IPV6_RECVERR = 25;
const IP_PKTINFO = 8;
const IPV6_PKTINFO = 50;

const ORIGINS = ['NONE', 'LOCAL', 'ICMP', 'ICMP6', 'TXSTATUS', 'ZEROCOPY', 'TXTIME'];

export interface End {
  readonly address: string;
  readonly port: number;
}

/** struct sock_extended_err (linux/errqueue.h). */
export interface QueuedError {
  readonly errno: string;
  readonly origin: string;
  readonly type: number;
  readonly code: number;
  /** EMSGSIZE: the path's MTU. */
  readonly info: number;
  /** Who said so, where it was not this machine. */
  readonly offender: End | null;
}

export interface Control {
  readonly error: QueuedError | null;
  /** Datagrams dropped at this socket since it was made; null when SO_RXQ_OVFL is off, or none was. */
  readonly dropped: number | null;
  /** Which of our addresses the datagram was for; null from the error queue, whose packets were not for us. */
  readonly to: string | null;
}

export interface MessageMemory {
  readonly address: number;
  /** Where the payload goes. */
  readonly payload: Uint8Array;
  /** After the call. */
  flags(): number;
  from(): End | null;
  control(): Control;
}

/** For payload of any length; an explicit ArrayBuffer, because V8 keeps small typed arrays inside its moving heap. */
export function plainMemory(length: number): { bytes: Uint8Array; address: number } {
  const bytes = new Uint8Array(new ArrayBuffer(Math.max(1, length)));
  return { bytes: bytes.subarray(0, length), address: addressOf(bytes) };
}

/** A struct msghdr with room for an address, `most` bytes and control messages. Kept until the call is over. */
export function messageMemory(most: number): MessageMemory {
  const memory = fixedMemory(CONTROL + CONTROL_BYTES);
  const payload = plainMemory(most);
  const view = new DataView(memory.bytes.buffer);
  const at = (offset: number): bigint => BigInt(memory.address + offset);
  view.setBigUint64(0, at(NAME), true);
  view.setUint32(8, LONGEST_ADDRESS, true);
  view.setBigUint64(16, at(VECTOR), true);
  view.setBigUint64(24, 1n, true);
  view.setBigUint64(32, at(CONTROL), true);
  view.setBigUint64(40, BigInt(CONTROL_BYTES), true);
  view.setBigUint64(VECTOR, BigInt(payload.address), true);
  view.setBigUint64(VECTOR + 8, BigInt(most), true);
  return {
    address: memory.address,
    payload: payload.bytes,
    flags: () => view.getInt32(48, true),
    from: () => endAt(memory.bytes.subarray(NAME, VECTOR), view.getUint32(8, true)),
    control() {
      const length = Math.min(Number(view.getBigUint64(40, true)), CONTROL_BYTES);
      return readControl(memory.bytes.subarray(CONTROL, CONTROL + length));
    },
  };
}

/** Every message that is whole; walking ends at the first that is not. */
export function readControl(bytes: Uint8Array): Control {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let error: QueuedError | null = null;
  let dropped: number | null = null;
  let to: string | null = null;
  let at = 0;
  while (at + CMSG_HEADER <= bytes.length) {
    const length = Number(view.getBigUint64(at, true));
    if (length < CMSG_HEADER || length > bytes.length - at) {
      break;
    }
    const level = view.getInt32(at + 8, true);
    const type = view.getInt32(at + 12, true);
    const body = bytes.subarray(at + CMSG_HEADER, at + length);
    if (level === SOL_SOCKET && type === SO_RXQ_OVFL && body.length >= 4) {
      dropped = view.getUint32(at + CMSG_HEADER, true);
    } else if (
      (level === IPPROTO_IP && type === IP_RECVERR) ||
      (level === IPPROTO_IPV6 && type === IPV6_RECVERR)
    ) {
      error = readError(body) ?? error;
    } else if (level === IPPROTO_IP && type === IP_PKTINFO && body.length >= 12) {
      // struct in_pktinfo: the interface, the address of ours that would answer, and the packet's destination.
      to = ipv4Text(body, 8);
    } else if (level === IPPROTO_IPV6 && type === IPV6_PKTINFO && body.length >= 16) {
      to = ipv6Text(body, 0);
    }
    // CMSG_ALIGN: to the size of a long.
    at += Math.ceil(length / 8) * 8;
  }
  return { error, dropped, to: error === null ? to : null };
}

function readError(body: Uint8Array): QueuedError | null {
  if (body.length < EXTENDED_ERROR) {
    return null;
  }
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const origin = body[4]!;
  // SO_EE_OFFENDER: a sockaddr follows, of family AF_UNSPEC when there is none.
  const address = new Uint8Array(LONGEST_ADDRESS);
  address.set(body.subarray(EXTENDED_ERROR, EXTENDED_ERROR + LONGEST_ADDRESS));
  return {
    errno: errnoName(view.getUint32(0, true)),
    origin: ORIGINS[origin] ?? String(origin),
    type: body[5]!,
    code: body[6]!,
    info: view.getUint32(8, true),
    offender: endAt(address, body.length - EXTENDED_ERROR),
  };
}

/** Of a struct sockaddr; null for a family other than AF_INET and AF_INET6, and for one that is cut off. */
export function endAt(bytes: Uint8Array, length: number): End | null {
  const decoded = length < SHORTEST_ADDRESS ? null : decodeAddress(bytes, length, 'udp');
  return decoded === null || decoded.kind === 'unix' ? null : { address: decoded.host, port: decoded.port };
}
