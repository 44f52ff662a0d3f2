/**
 * A wire's end: reads what a namespace sends and puts frames into it, both with AF_PACKET (packet(7)). Frames go in through `lo`: the
 * only device on which the kernel accepts ::1 (ip6_input.c, RFC 4291 section 2.5.3). They carry a mark, which the namespace's rules
 * and our own filter tell apart from what it sends itself.
 */
import koffi from 'koffi';
import * as libc from './libc.ts';
import { linkAddress, openPacketRing, type PacketRing, rawSocket, SOL_SOCKET } from './packet-ring.ts';

export { MOST_SEGMENT } from './packet-ring.ts';

const SO_MARK = 36;

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
  const inward = rawSocket();
  if (inward < 0) {
    return inward;
  }
  const bound = libc.bindTo(inward, linkAddress(loopback, 0), 20);
  const mark = libc.int32(WIRE_MARK);
  const marked = bound < 0 ? bound : libc.setsockopt(inward, SOL_SOCKET, SO_MARK, mark, mark.length);
  const ring = marked < 0 ? marked : openPacketRing(unmarkedOnly());
  if (typeof ring === 'number') {
    libc.close(inward);
    return ring;
  }
  return portOf(inward, ring);
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

function portOf(inward: number, ring: PacketRing): PacketPort {
  return {
    fd: ring.fd,
    read: ring.read,
    write(frame, from, to) {
      // On lo the receiver's address is all zeros; any other is somebody else's frame.
      frame.fill(0, from, from + 12);
      if (frame === ring.memory) {
        const sent = sendAt(inward, ring.address + from, to - from, 0);
        return sent === -1 ? -koffi.errno() : sent;
      }
      return libc.send(inward, frame.subarray(from, to), to - from, 0);
    },
  };
}
