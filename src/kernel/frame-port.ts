/** All devices of the calling thread's namespace as one: frames that arrive, with the moment they did, and a way to send some on any of them. */
import koffi from 'koffi';
import { linkAddress, openPacketRing, type RingVisitor } from './packet-ring.ts';

export type { RingVisitor } from './packet-ring.ts';

export interface FramePort {
  readonly fd: number;
  /** Hands over at most `most` frames, lent for the call; how many. */
  read(visit: RingVisitor, most: number): number;
  /** Sends bytes[from, to) on a device: how many, or -errno. */
  write(ifindex: number, bytes: Uint8Array, from: number, to: number): number;
  /** How many frames found no room in the ring since the last time this was asked. */
  lost(): number;
  close(): void;
}

const sendto: (
  fd: number,
  bytes: Uint8Array,
  length: number,
  flags: number,
  address: Uint8Array,
  addressLength: number,
) => number =
  process.platform === 'linux'
    ? koffi.load(null).func('long sendto(int, void*, size_t, int, void*, uint)')
    : () => -1;

/** -errno when there is none. */
export function openFramePort(): FramePort | number {
  const ring = openPacketRing(null);
  if (typeof ring === 'number') {
    return ring;
  }
  const address = linkAddress(0);
  const view = new DataView(address.buffer);
  return {
    fd: ring.fd,
    read: ring.read,
    lost: ring.lost,
    close: ring.close,
    write(ifindex, bytes, from, to) {
      view.setInt32(4, ifindex, true);
      const frame = from === 0 && to === bytes.length ? bytes : bytes.subarray(from, to);
      const sent = sendto(ring.fd, frame, to - from, 0, address, address.length);
      return sent === -1 ? -koffi.errno() : sent;
    },
  };
}
