/**
 * Packets through a ring that the kernel writes and we read in place (AF_PACKET, TPACKET_V3: packet(7),
 * Documentation/networking/packet_mmap.rst). Frames are lent for the length of a call; whoever keeps one copies it.
 */
import * as libc from './libc.ts';

const AF_PACKET = 17;
const SOCK_DGRAM = 2;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_ATTACH_FILTER = 26;
const SOL_PACKET = 263;
const PACKET_ADD_MEMBERSHIP = 1;
const PACKET_RX_RING = 5;
const PACKET_STATISTICS = 6;
const PACKET_VERSION = 10;
const PACKET_IGNORE_OUTGOING = 23;
const PACKET_MR_PROMISC = 1;
const TPACKET_V3 = 2;
const ETH_P_ALL = 3;
const POLLIN = 1;
const POLLERR = 8;
const SIOCGIFHWADDR = 0x8927;

/** A block's header: status, packets and the first packet's offset (struct tpacket_block_desc). */
const BLOCK_STATUS = 8 / 4;
const BLOCK_PACKETS = 12 / 4;
const BLOCK_FIRST = 16 / 4;
const TP_STATUS_KERNEL = 0;
const TP_STATUS_USER = 1;
const TP_STATUS_VLAN_VALID = 1 << 4;
/** struct tpacket3_hdr is 48 bytes; a struct sockaddr_ll follows. */
const LINK_ADDRESS = 48;

/** include/uapi/linux/if_arp.h */
const ARPHRD_ETHER = 1;
const ARPHRD_LOOPBACK = 772;

export interface RingOptions {
  /** 0 is every interface of this network namespace. */
  readonly ifindex: number;
  /** A power of two times the page size, and how many. */
  readonly blockSize: number;
  readonly blocks: number;
  /** A block that is not full is handed over after so long. */
  readonly blockTimeoutMs: number;
  readonly promiscuous: boolean;
  /** Classic BPF, struct sock_filter[]; its result is also the snap length. */
  readonly program: Uint8Array;
  /** lo shows a packet on its way out and on its way in: only the second is wanted. */
  readonly ignoreOutgoing: boolean;
}

/** One frame, the same object every time. */
export interface Frame {
  /** The ring's memory: bytes[from, to) is the frame until the next one is asked for. */
  bytes: Uint8Array;
  from: number;
  to: number;
  wireLength: number;
  seconds: number;
  nanoseconds: number;
  ifindex: number;
  /** sll_pkttype: 0 to us, 1 broadcast, 2 multicast, 3 to another host, 4 outgoing. */
  direction: number;
  /** The ethertype, and the device's kind (ARPHRD_…): with `any` frames come without their link header. */
  protocol: number;
  device: number;
  /** Where the link-layer address of the sender lies in `bytes`, and how long it is. */
  addressAt: number;
  addressLength: number;
  /** The tag that the interface took out of the frame, or -1. */
  vlanTag: number;
  vlanProtocol: number;
}

export interface RingCounts {
  /** Since the last time they were asked for. */
  packets: number;
  drops: number;
  freezes: number;
}

export interface Ring {
  readonly fd: number;
  readonly ifindex: number;
  /** The ring itself: what `Frame.bytes` is. */
  readonly memory: Uint8Array;
  /** True when frames begin with the network header (`any`). */
  readonly cooked: boolean;
  /** Hands over all that is there; the number of frames. */
  read(each: (frame: Frame) => void): number;
  counts(): RingCounts;
  close(): void;
}

export interface Refused {
  readonly call: string;
  /** -errno */
  readonly result: number;
}

export function openRing(options: RingOptions): Ring | Refused {
  const cooked = options.ifindex === 0;
  // Protocol 0 receives nothing until bind: no packet slips in before the filter.
  const fd = libc.socket(AF_PACKET, (cooked ? SOCK_DGRAM : SOCK_RAW) | SOCK_CLOEXEC, 0);
  if (fd < 0) {
    return { call: 'socket(AF_PACKET)', result: fd };
  }
  const refused = prepare(fd, options);
  if (refused !== null) {
    libc.close(fd);
    return refused;
  }
  const size = options.blockSize * options.blocks;
  const mapped = libc.mapShared(fd, size);
  if (typeof mapped === 'number') {
    libc.close(fd);
    return { call: 'mmap', result: mapped };
  }
  // Bound only now: what arrives before the ring exists would go to the socket's own queue.
  const bound = libc.bindTo(fd, linkAddress(options.ifindex), 20);
  if (bound < 0) {
    mapped.unmap();
    libc.close(fd);
    return { call: 'bind', result: bound };
  }
  return ringOf(fd, cooked, options, mapped.memory, mapped.unmap);
}

function prepare(fd: number, options: RingOptions): Refused | null {
  const filter = attachment(options.program);
  const steps: [string, () => number][] = [
    [
      'setsockopt(SO_ATTACH_FILTER)',
      () => libc.setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, filter, filter.length),
    ],
    [
      'setsockopt(PACKET_VERSION)',
      () => libc.setsockopt(fd, SOL_PACKET, PACKET_VERSION, libc.int32(TPACKET_V3), 4),
    ],
    [
      'setsockopt(PACKET_RX_RING)',
      () => {
        const { blockSize, blocks, blockTimeoutMs } = options;
        const frameSize = 2048;
        const request = Uint32Array.of(
          blockSize,
          blocks,
          frameSize,
          (blockSize / frameSize) * blocks,
          blockTimeoutMs,
          0,
          0,
        );
        return libc.setsockopt(
          fd,
          SOL_PACKET,
          PACKET_RX_RING,
          new Uint8Array(request.buffer),
          request.byteLength,
        );
      },
    ],
  ];
  if (options.ignoreOutgoing) {
    steps.push([
      'setsockopt(PACKET_IGNORE_OUTGOING)',
      () => libc.setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, libc.int32(1), 4),
    ]);
  }
  if (options.promiscuous && options.ifindex !== 0) {
    steps.push([
      'setsockopt(PACKET_ADD_MEMBERSHIP)',
      () => {
        const membership = new Uint8Array(16);
        const view = new DataView(membership.buffer);
        view.setInt32(0, options.ifindex, true);
        view.setUint16(4, PACKET_MR_PROMISC, true);
        return libc.setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, membership, 16);
      },
    ]);
  }
  for (const [call, run] of steps) {
    const result = run();
    if (result < 0) {
      return { call, result };
    }
  }
  return null;
}

/** struct sock_fprog points at the program; both must live until the call is over. */
let attached: Uint8Array;
function attachment(program: Uint8Array): Uint8Array {
  attached = program;
  const fprog = new Uint8Array(16);
  const view = new DataView(fprog.buffer);
  view.setUint16(0, program.length / 8, true);
  view.setBigUint64(8, libc.addressOf(attached), true);
  return fprog;
}

function linkAddress(ifindex: number): Uint8Array {
  const address = new Uint8Array(20);
  const view = new DataView(address.buffer);
  view.setUint16(0, AF_PACKET, true);
  view.setUint16(2, ETH_P_ALL, false);
  view.setInt32(4, ifindex, true);
  return address;
}

function ringOf(
  fd: number,
  cooked: boolean,
  options: RingOptions,
  memory: ArrayBuffer,
  unmap: () => void,
): Ring {
  const { blockSize, blocks } = options;
  const words = new Int32Array(memory);
  const halves = new Uint16Array(memory);
  const bytes = new Uint8Array(memory);
  const frame: Frame = {
    bytes,
    from: 0,
    to: 0,
    wireLength: 0,
    seconds: 0,
    nanoseconds: 0,
    ifindex: 0,
    direction: 0,
    protocol: 0,
    device: 0,
    addressAt: 0,
    addressLength: 0,
    vlanTag: -1,
    vlanProtocol: 0,
  };
  let block = 0;
  let open = true;

  function fill(at: number): void {
    const word = at >> 2;
    const mac = halves[(at + (cooked ? 26 : 24)) >> 1]!;
    const start = at + mac;
    frame.seconds = words[word + 1]! >>> 0;
    frame.nanoseconds = words[word + 2]!;
    frame.from = start;
    frame.to = start + words[word + 3]!;
    frame.wireLength = words[word + 4]!;
    const address = at + LINK_ADDRESS;
    const protocol = halves[(address + 2) >> 1]!;
    frame.protocol = ((protocol & 0xff) << 8) | (protocol >> 8);
    frame.ifindex = words[(address + 4) >> 2]!;
    frame.device = halves[(address + 8) >> 1]!;
    frame.direction = bytes[address + 10]!;
    frame.addressLength = bytes[address + 11]!;
    frame.addressAt = address + 12;
    if ((words[word + 5]! & TP_STATUS_VLAN_VALID) !== 0) {
      frame.vlanTag = words[word + 8]!;
      frame.vlanProtocol = halves[(at + 36) >> 1]!;
    } else {
      frame.vlanTag = -1;
    }
  }

  return {
    fd,
    ifindex: options.ifindex,
    memory: bytes,
    cooked,
    read(each) {
      let total = 0;
      for (let turns = 0; turns < blocks; turns++) {
        const base = block * blockSize;
        const word = base >> 2;
        if ((Atomics.load(words, word + BLOCK_STATUS) & TP_STATUS_USER) === 0) {
          break;
        }
        const count = words[word + BLOCK_PACKETS]!;
        let at = base + words[word + BLOCK_FIRST]!;
        for (let i = 0; i < count; i++) {
          fill(at);
          each(frame);
          at += words[at >> 2]!;
        }
        total += count;
        Atomics.store(words, word + BLOCK_STATUS, TP_STATUS_KERNEL);
        block = (block + 1) % blocks;
      }
      return total;
    },
    counts() {
      const stats = new Uint8Array(12);
      const length = libc.int32(12);
      libc.getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, stats, length);
      const view = new DataView(stats.buffer);
      return {
        // tp_packets counts the dropped ones too (packet(7)).
        packets: view.getUint32(0, true) - view.getUint32(4, true),
        drops: view.getUint32(4, true),
        freezes: view.getUint32(8, true),
      };
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

/** Waits until one of the rings has packets or `wake` (an eventfd, or -1) is written. False: woken or interrupted. */
export function waitForRings(
  rings: readonly Ring[],
  wake: number,
  timeoutMs: number,
): 'packets' | 'woken' | 'time' | number {
  const waiting = new Uint8Array(8 * (rings.length + 1));
  const view = new DataView(waiting.buffer);
  rings.forEach(({ fd }, index) => {
    view.setInt32(8 * index, fd, true);
    view.setInt16(8 * index + 4, POLLIN | POLLERR, true);
  });
  const last = 8 * rings.length;
  view.setInt32(last, wake, true);
  view.setInt16(last + 4, POLLIN, true);
  const ready = libc.poll(waiting, rings.length + 1, timeoutMs);
  if (ready <= 0) {
    return ready === 0 ? 'time' : ready;
  }
  return view.getInt16(last + 6, true) !== 0 ? 'woken' : 'packets';
}

const SO_ERROR = 4;

/** Why a ring has no packets although it asks to be read: an errno, or 0. Asking clears it. */
export function ringTrouble({ fd }: Ring): number {
  const errno = new Uint8Array(4);
  libc.getsockopt(fd, SOL_SOCKET, SO_ERROR, errno, libc.int32(4));
  return new DataView(errno.buffer).getInt32(0, true);
}

/** ARPHRD_… of a device, asked through any socket; -errno when there is none of that name. */
export function deviceKind(fd: number, name: string): number {
  const request = new Uint8Array(40);
  new TextEncoder().encodeInto(name, request.subarray(0, 15));
  const result = libc.ioctl(fd, SIOCGIFHWADDR, request);
  return result < 0 ? result : new DataView(request.buffer).getUint16(16, true);
}

export function isEthernet(kind: number): boolean {
  return kind === ARPHRD_ETHER || kind === ARPHRD_LOOPBACK;
}
