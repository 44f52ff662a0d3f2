/**
 * A TPACKET_V2 ring over all devices of the calling thread's namespace, read in place (packet(7), packet_mmap.rst). A ring, because a
 * plain socket's buffer overflows at a few large frames; version 2, because version 3 hands frames over in blocks and later.
 */
import * as libc from './libc.ts';

const AF_PACKET = 17;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0o2000000;
const SOCK_NONBLOCK = 0o4000;
export const SOL_SOCKET = 1;
const SO_ATTACH_FILTER = 26;
const SO_RCVBUF = 8;
const SOL_PACKET = 263;
const PACKET_RX_RING = 5;
const PACKET_STATISTICS = 6;
const PACKET_COPY_THRESH = 7;
const PACKET_VERSION = 10;
const PACKET_IGNORE_OUTGOING = 23;
const TPACKET_V2 = 1;
export const ETH_P_ALL = 3;
const MSG_DONTWAIT = 0x40;

const TP_STATUS_KERNEL = 0;
const TP_STATUS_USER = 1;
const TP_STATUS_COPY = 2;
const TP_STATUS_CHECKSUM_NOT_READY = 8;
/** struct tpacket2_hdr is 32 bytes; a struct sockaddr_ll follows. */
const LINK_ADDRESS = 32;

/** A slot holds a segment of MOST_SEGMENT bytes with every header; what is larger (a UDP datagram) waits in the socket's own queue. */
const SLOT = 16 * 1024;
const SLOTS = 1024;
const BLOCK = 4 * SLOT;
export const MOST_SEGMENT = 16_000;
/** The largest frame: an IP packet of 65 535 bytes behind its link header, and then some. */
const LARGEST = 66_000;

/** `seconds` and `nanoseconds` are the kernel's receive stamp, CLOCK_REALTIME. */
export type RingVisitor = (
  bytes: Buffer,
  from: number,
  to: number,
  ifindex: number,
  unfinished: boolean,
  seconds: number,
  nanoseconds: number,
) => void;

export interface PacketRing {
  readonly fd: number;
  readonly memory: Buffer;
  /** Where `memory` lies. */
  readonly address: number;
  /**
   * Hands over at most `most` frames, which may be changed in place and are lent for the call; how many. `unfinished`: the transport's
   * checksum is still to be computed.
   */
  read(visit: RingVisitor, most: number): number;
  /** How many frames found no room since the last time this was asked. */
  lost(): number;
  close(): void;
}

export function rawSocket(): number {
  return libc.socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

export function linkAddress(ifindex: number, protocol = ETH_P_ALL): Uint8Array {
  const address = new Uint8Array(20);
  const view = new DataView(address.buffer);
  view.setUint16(0, AF_PACKET, true);
  view.setUint16(2, protocol, false);
  view.setInt32(4, ifindex, true);
  return address;
}

/** Without what the namespace itself sends. `filter` is a struct sock_fprog. -errno when there is no ring. */
export function openPacketRing(filter: Uint8Array | null): PacketRing | number {
  const fd = rawSocket();
  if (fd < 0) {
    return fd;
  }
  const prepared = prepare(fd, filter);
  const mapped = prepared < 0 ? prepared : libc.mapShared(fd, SLOT * SLOTS);
  if (typeof mapped === 'number') {
    libc.close(fd);
    return mapped;
  }
  const bound = libc.bindTo(fd, linkAddress(0), 20);
  if (bound < 0) {
    mapped.unmap();
    libc.close(fd);
    return bound;
  }
  return ringOf(fd, mapped.memory, mapped.unmap);
}

function prepare(fd: number, filter: Uint8Array | null): number {
  const request = Uint32Array.of(BLOCK, (SLOT * SLOTS) / BLOCK, SLOT, SLOTS);
  const steps: [level: number, option: number, value: Uint8Array][] = [
    [SOL_PACKET, PACKET_VERSION, libc.int32(TPACKET_V2)],
    [SOL_PACKET, PACKET_COPY_THRESH, libc.int32(SLOT)],
    [SOL_PACKET, PACKET_IGNORE_OUTGOING, libc.int32(1)],
    [SOL_PACKET, PACKET_RX_RING, new Uint8Array(request.buffer)],
  ];
  if (filter !== null) {
    steps.unshift([SOL_SOCKET, SO_ATTACH_FILTER, filter]);
  }
  let result = 0;
  for (const [level, option, value] of steps) {
    result = result < 0 ? result : libc.setsockopt(fd, level, option, value, value.length);
  }
  // As much as the system gives; a refusal changes nothing that matters.
  libc.setsockopt(fd, SOL_SOCKET, SO_RCVBUF, libc.int32(8 << 20), 4);
  return result;
}

function ringOf(fd: number, memory: ArrayBuffer, unmap: () => void): PacketRing {
  const words = new Int32Array(memory);
  const halves = new Uint16Array(memory);
  const bytes = Buffer.from(memory);
  const large = Buffer.from(new ArrayBuffer(LARGEST));
  const statistics = new Uint8Array(8);
  let slot = 0;
  let open = true;

  function visitSlot(base: number, status: number, visit: RingVisitor): void {
    const word = base >> 2;
    const ifindex = words[(base + LINK_ADDRESS + 4) >> 2]!;
    const unfinished = (status & TP_STATUS_CHECKSUM_NOT_READY) !== 0;
    const seconds = words[word + 4]! >>> 0;
    const nanoseconds = words[word + 5]!;
    if ((status & TP_STATUS_COPY) !== 0) {
      const length = libc.recv(fd, large, LARGEST, MSG_DONTWAIT);
      if (length > 0) {
        visit(large, 0, length, ifindex, unfinished, seconds, nanoseconds);
      }
      return;
    }
    const length = words[word + 2]!;
    // Cut short: the socket's queue had no room for the whole of it. Lost, as on any wire.
    if (length === words[word + 1]!) {
      const at = base + halves[(base + 12) >> 1]!;
      visit(bytes, at, at + length, ifindex, unfinished, seconds, nanoseconds);
    }
  }

  return {
    fd,
    memory: bytes,
    address: Number(libc.addressOf(bytes)),
    read(visit, most) {
      let count = 0;
      for (; count < most; count++) {
        const base = slot * SLOT;
        const status = Atomics.load(words, base >> 2);
        if ((status & TP_STATUS_USER) === 0) {
          break;
        }
        visitSlot(base, status, visit);
        Atomics.store(words, base >> 2, TP_STATUS_KERNEL);
        slot = (slot + 1) % SLOTS;
      }
      return count;
    },
    lost() {
      // struct tpacket_stats: packets, drops; reading it sets both to 0.
      const result = libc.getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, statistics, libc.int32(8));
      return result < 0 ? 0 : new DataView(statistics.buffer).getUint32(4, true);
    },
    close() {
      if (open) {
        open = false;
        unmap();
        libc.close(fd);
      }
    },
  };
}
