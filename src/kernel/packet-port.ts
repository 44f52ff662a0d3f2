/**
 * A wire's end: reads what a namespace sends and puts frames into it, both with AF_PACKET (packet(7)). Reading is a TPACKET_V2 ring
 * over all devices of the namespace, because a plain socket's buffer overflows at a few large frames. Frames go in through `lo`: the
 * only device on which the kernel accepts ::1 (ip6_input.c, RFC 4291 section 2.5.3). They carry a mark, which the namespace's rules
 * and our own filter tell apart from what it sends itself.
 */
import koffi from 'koffi';
import * as libc from './libc.ts';

const AF_PACKET = 17;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0o2000000;
const SOCK_NONBLOCK = 0o4000;
const SOL_SOCKET = 1;
const SO_MARK = 36;
const SO_ATTACH_FILTER = 26;
const SO_RCVBUF = 8;
const SOL_PACKET = 263;
const PACKET_RX_RING = 5;
const PACKET_COPY_THRESH = 7;
const PACKET_VERSION = 10;
const PACKET_IGNORE_OUTGOING = 23;
const TPACKET_V2 = 1;
const ETH_P_ALL = 3;
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

/** The fixed mark of frames that the wire puts in. Nothing else in these namespaces sets marks, except a program run as root. */
export const WIRE_MARK = 0x50cc5c;

export type FrameVisitor = (
  bytes: Buffer,
  from: number,
  to: number,
  ifindex: number,
  unfinished: boolean,
) => void;

export interface PacketPort {
  readonly fd: number;
  /**
   * Hands over at most `most` frames, which may be changed in place and are lent for the call; how many. `unfinished`: the transport's
   * checksum is still to be computed.
   */
  read(visit: FrameVisitor, most: number): number;
  /** Puts one frame into the namespace: bytes sent, or -errno. */
  write(bytes: Uint8Array, from: number, to: number): number;
}

/** Frames with an address computed here, so that sending one makes no object. */
const sendAt: (fd: number, address: number, length: number, flags: number) => number =
  process.platform === 'linux' ? koffi.load(null).func('long send(int, uintptr_t, size_t, int)') : () => -1;

/** The port of the calling thread's namespace, or -errno. */
export function openPacketPort(loopback: number): PacketPort | number {
  const inward = libc.socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (inward < 0) {
    return inward;
  }
  const outward = libc.socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  const prepared = outward < 0 ? outward : prepare(inward, outward, loopback);
  const mapped = prepared < 0 ? prepared : libc.mapShared(outward, SLOT * SLOTS);
  if (typeof mapped === 'number') {
    libc.close(inward);
    libc.close(outward);
    return mapped;
  }
  const bound = libc.bindTo(outward, linkAddress(0), 20);
  return bound < 0 ? bound : portOf(inward, outward, mapped.memory);
}

function prepare(inward: number, outward: number, loopback: number): number {
  const bound = libc.bindTo(inward, linkAddress(loopback, 0), 20);
  const request = Uint32Array.of(BLOCK, (SLOT * SLOTS) / BLOCK, SLOT, SLOTS);
  const steps: [fd: number, level: number, option: number, value: Uint8Array][] = [
    [inward, SOL_SOCKET, SO_MARK, libc.int32(WIRE_MARK)],
    [outward, SOL_SOCKET, SO_ATTACH_FILTER, unmarkedOnly()],
    [outward, SOL_PACKET, PACKET_VERSION, libc.int32(TPACKET_V2)],
    [outward, SOL_PACKET, PACKET_COPY_THRESH, libc.int32(SLOT)],
    [outward, SOL_PACKET, PACKET_IGNORE_OUTGOING, libc.int32(1)],
    [outward, SOL_PACKET, PACKET_RX_RING, new Uint8Array(request.buffer)],
  ];
  let result = bound;
  for (const [fd, level, option, value] of steps) {
    result = result < 0 ? result : libc.setsockopt(fd, level, option, value, value.length);
  }
  // As much as the system gives; a refusal changes nothing that matters.
  libc.setsockopt(outward, SOL_SOCKET, SO_RCVBUF, libc.int32(8 << 20), 4);
  return result;
}

let program: Uint8Array;
/** struct sock_fprog: frames with our mark are those that we put in. */
function unmarkedOnly(): Uint8Array {
  const SKF_AD_MARK = 0xffff_f000 + 20;
  const instructions: [code: number, yes: number, no: number, k: number][] = [
    [0x20, 0, 0, SKF_AD_MARK],
    [0x15, 0, 1, WIRE_MARK],
    [0x06, 0, 0, 0],
    [0x06, 0, 0, 0x40000],
  ];
  program = new Uint8Array(8 * instructions.length);
  const code = new DataView(program.buffer);
  instructions.forEach(([operation, yes, no, k], index) => {
    code.setUint16(8 * index, operation, true);
    code.setUint8(8 * index + 2, yes);
    code.setUint8(8 * index + 3, no);
    code.setUint32(8 * index + 4, k, true);
  });
  const fprog = new Uint8Array(16);
  const view = new DataView(fprog.buffer);
  view.setUint16(0, instructions.length, true);
  view.setBigUint64(8, libc.addressOf(program), true);
  return fprog;
}

function linkAddress(ifindex: number, protocol = ETH_P_ALL): Uint8Array {
  const address = new Uint8Array(20);
  const view = new DataView(address.buffer);
  view.setUint16(0, AF_PACKET, true);
  view.setUint16(2, protocol, false);
  view.setInt32(4, ifindex, true);
  return address;
}

function portOf(inward: number, outward: number, memory: ArrayBuffer): PacketPort {
  const words = new Int32Array(memory);
  const halves = new Uint16Array(memory);
  const bytes = Buffer.from(memory);
  const large = Buffer.from(new ArrayBuffer(LARGEST));
  const ringAt = Number(libc.addressOf(bytes));
  let slot = 0;

  function visitSlot(base: number, status: number, visit: FrameVisitor): void {
    const ifindex = words[(base + LINK_ADDRESS + 4) >> 2]!;
    const unfinished = (status & TP_STATUS_CHECKSUM_NOT_READY) !== 0;
    if ((status & TP_STATUS_COPY) !== 0) {
      const length = libc.recv(outward, large, LARGEST, MSG_DONTWAIT);
      if (length > 0) {
        visit(large, 0, length, ifindex, unfinished);
      }
      return;
    }
    const length = words[(base + 8) >> 2]!;
    // Cut short: the socket's queue had no room for the whole of it. Lost, as on any wire.
    if (length === words[(base + 4) >> 2]!) {
      const at = base + halves[(base + 12) >> 1]!;
      visit(bytes, at, at + length, ifindex, unfinished);
    }
  }

  return {
    fd: outward,
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
    write(frame, from, to) {
      // On lo the receiver's address is all zeros; any other is somebody else's frame.
      frame.fill(0, from, from + 12);
      if (frame === bytes) {
        const sent = sendAt(inward, ringAt + from, to - from, 0);
        return sent === -1 ? -koffi.errno() : sent;
      }
      return libc.send(inward, frame.subarray(from, to), to - from, 0);
    },
  };
}
