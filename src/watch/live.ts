/** Packets as they cross the interfaces of this network namespace: one ring per interface, read by the thread that opened it. */
import { SockscopeError } from '../errors.ts';
import { errnoMeaning, errnoName } from '../kernel/errno.ts';
import * as libc from '../kernel/libc.ts';
import { deviceIndex, deviceName } from '../kernel/names.ts';
import {
  deviceKind,
  type Frame,
  isEthernet,
  openRing,
  type Refused,
  type Ring,
  ringTrouble,
  waitForRings,
} from '../kernel/ring.ts';
import { LINK } from '../wire/headers.ts';
import { loopbackOnce } from './loopback-once.ts';
import { withTag } from './vlan.ts';

export type { Frame } from '../kernel/ring.ts';

export interface LiveOptions {
  /** Names; `any` alone stands for all of them. */
  readonly interfaces: readonly string[];
  /** Memory for packets that wait to be read, per interface. */
  readonly ringBytes: number;
  readonly blockTimeoutMs: number;
  readonly promiscuous: boolean;
  /** The filter's program for this kind of link; it ends in the snap length. */
  readonly program: (linkType: number | 'network') => Uint8Array;
}

export interface Link {
  readonly name: string;
  /** What a recording calls it: `any` is written as SLL2, whose headers we make. */
  readonly linkType: number;
  readonly cooked: boolean;
}

export interface Live {
  readonly links: readonly Link[];
  /** Waits for packets, at most so long, and hands over all there are. False when `wake` was called, or no interface is left. */
  read(timeoutMs: number, each: (frame: Frame, link: number) => void): boolean;
  /** After the end: what the kernel still gathers in a block that is not full. */
  drain(each: (frame: Frame, link: number) => void): void;
  /** Since the last time: what the kernel counted. */
  counts(): { packets: number; drops: number; freezes: number };
  /** What went wrong with an interface while we watched, once each. */
  troubles(): string[];
  close(): void;
}

const ANY = 'any';
/** The kernel's timer ticks in jiffies: 4 ms where HZ is 250. */
const SLACK_MS = 10;
const EPERM = 1;
const EACCES = 13;
const ENODEV = 19;
const BLOCK = 1 << 20;
const LOOPBACK = 1;

export function openLive(options: LiveOptions, wake: number): Live {
  const names = options.interfaces.length === 0 ? [ANY] : [...new Set(options.interfaces)];
  if (names.length > 1 && names.includes(ANY)) {
    throw new SockscopeError(
      'WATCH_INTERFACE',
      "'any' is every interface already.",
      'Leave it out, or leave the others out.',
      2,
    );
  }
  const links: Link[] = [];
  const rings: Ring[] = [];
  const indexes: number[] = [];
  try {
    for (const name of names) {
      const link = linkOf(name);
      const ifindex = name === ANY ? 0 : deviceIndex(name)!;
      const program = options.program(link.cooked ? 'network' : link.linkType);
      const ring = openRing({
        ifindex,
        blockSize: BLOCK,
        blocks: Math.max(4, Math.round(options.ringBytes / BLOCK)),
        blockTimeoutMs: options.blockTimeoutMs,
        promiscuous: options.promiscuous,
        program: link.cooked ? loopbackOnce(program) : program,
        ignoreOutgoing: ifindex === LOOPBACK,
      });
      if ('call' in ring) {
        throw refusal(name, ring);
      }
      rings.push(ring);
      indexes.push(ifindex);
      links.push(link);
    }
  } catch (error) {
    for (const ring of rings) {
      ring.close();
    }
    throw error;
  }
  const troubles: string[] = [];
  const gone = new Set<Ring>();

  /** Something is the matter with a ring that asks to be read and has nothing. */
  function look(): void {
    for (const [i, ring] of rings.entries()) {
      const errno = ringTrouble(ring);
      const { name } = links[i]!;
      if (errno === 0) {
        continue;
      }
      if (name !== ANY && deviceIndex(name) !== indexes[i]) {
        gone.add(ring);
        troubles.push(`${name} is gone`);
      } else {
        troubles.push(`${name}: ${errnoMeaning(errno)} (${errnoName(errno)})`);
      }
    }
  }

  function readAll(each: (frame: Frame, link: number) => void): number {
    let total = 0;
    for (let i = 0; i < rings.length; i++) {
      total += rings[i]!.read((frame) => {
        if (frame.vlanTag >= 0 && !links[i]!.cooked) {
          Object.assign(frame, withTag(frame));
          frame.wireLength += 4;
          each(frame, i);
          frame.bytes = rings[i]!.memory;
        } else {
          each(frame, i);
        }
      });
    }
    return total;
  }

  return {
    links,
    read(timeoutMs, each) {
      const found = waitForRings(rings, wake, timeoutMs);
      if (readAll(each) === 0 && found === 'packets') {
        look();
      }
      return found !== 'woken' && gone.size < rings.length;
    },
    drain(each) {
      // A block is handed over at the latest when its time is up; what comes later is not ours any more.
      const until = performance.now() + 2 * options.blockTimeoutMs + SLACK_MS;
      for (let left = until - performance.now(); left > 0; left = until - performance.now()) {
        waitForRings(rings, -1, Math.ceil(left));
        readAll(each);
      }
    },
    counts() {
      const sum = { packets: 0, drops: 0, freezes: 0 };
      for (const ring of rings) {
        const { packets, drops, freezes } = ring.counts();
        sum.packets += packets;
        sum.drops += drops;
        sum.freezes += freezes;
      }
      return sum;
    },
    troubles: () => troubles.splice(0),
    close() {
      for (const ring of rings) {
        ring.close();
      }
    },
  };
}

function linkOf(name: string): Link {
  if (name === ANY) {
    return { name, linkType: LINK.linuxSll2, cooked: true };
  }
  if (deviceIndex(name) === null) {
    throw new SockscopeError(
      'WATCH_INTERFACE',
      `There is no interface '${name}' here.`,
      `Here are: ${['any', ...interfaceNames()].join(', ')}.`,
      2,
    );
  }
  const fd = libc.socket(2, 2 | 0o2000000, 0);
  const kind = deviceKind(fd, name);
  libc.close(fd);
  // Tunnels have no link header at all: what they carry begins with IP.
  return { name, linkType: isEthernet(kind) ? LINK.ethernet : LINK.raw, cooked: false };
}

const MOST_INDEXES = 4096;
const ENOUGH_GAPS = 64;

/** The names of this namespace's interfaces. Indexes have gaps, and /sys may show another namespace's. */
export function interfaceNames(): string[] {
  const names: string[] = [];
  for (let index = 1, gap = 0; index < MOST_INDEXES && gap < ENOUGH_GAPS; index++) {
    const name = deviceName(index);
    if (name === `if${index}`) {
      gap++;
    } else {
      names.push(name);
      gap = 0;
    }
  }
  return names;
}

function refusal(name: string, { call, result }: Refused): SockscopeError {
  if (result === -EPERM || result === -EACCES) {
    return new SockscopeError(
      'WATCH_PERMISSION',
      'Watching packets needs CAP_NET_RAW, and this process does not have it.',
      'Run it with sudo, or inside a namespace of your own: unshare -Urn sockscope watch. Recordings (sockscope open) need no rights.',
      3,
    );
  }
  if (result === -ENODEV) {
    return new SockscopeError(
      'WATCH_INTERFACE',
      `The interface '${name}' went away.`,
      'Try again with another.',
      2,
    );
  }
  return new SockscopeError(
    'WATCH_RING',
    `${call} on ${name} said ${errnoName(result)}: ${errnoMeaning(result)}.`,
    'A smaller --buffer may help when memory is short; sockscope abilities says what this machine allows.',
    3,
  );
}

/** A pipe without a reader is an error, a socket or a terminal without one has hung up. */
const NO_READER = 8 | 16;

/** Whether nobody reads what is written to a descriptor: `| head` has seen enough, and without a line to write we would not notice. */
export function readerGone(fd: number): boolean {
  const waiting = new Uint8Array(8);
  const view = new DataView(waiting.buffer);
  view.setInt32(0, fd, true);
  return libc.poll(waiting, 1, 0) === 1 && (view.getInt16(6, true) & NO_READER) !== 0;
}

export interface Waker {
  readonly fd: number;
  wake(): void;
  close(): void;
}

/** Ends another thread's wait: that thread polls `fd`. */
export function createWaker(): Waker {
  const EFD_CLOEXEC = 0o2000000;
  const fd = libc.eventfd(0, EFD_CLOEXEC);
  return {
    fd,
    wake() {
      libc.write(fd, Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0), 8);
    },
    close: () => libc.close(fd),
  };
}
