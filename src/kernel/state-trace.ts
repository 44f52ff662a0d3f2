/**
 * The kernel's own word on every change of a TCP socket's state: the tracepoint sock:inet_sock_set_state. It is the whole machine's,
 * with no sign of the network namespace. A connecting socket has no port yet in its first record, the child of a listener begins as
 * LISTEN, and a socket that leaves a TIME-WAIT remnant behind ends as CLOSED.
 */
import { ipv4Text, ipv6Text } from '../wire/net/address.ts';
import { errnoMeaning, errnoName } from './errno.ts';
import { unavailable } from './libc.ts';
import { type Layout, layoutOf } from './perf-format.ts';
import {
  closeEvent,
  describeTracepoint,
  mapRing,
  onlineCpus,
  openTracepoint,
  pageSize,
} from './perf-open.ts';
import { createRing, type RingReader, type RingVisitor } from './perf-ring.ts';
import { u16, u32 } from './sockdiag-format.ts';

export interface TracedChange {
  /** Nanoseconds since the start given. */
  readonly at: number;
  /** The kernel's address of the socket, as 16 hex digits: the same for all changes of one socket, and used again afterwards. */
  readonly sk: string;
  readonly local: { readonly address: string; readonly port: number };
  readonly peer: { readonly address: string; readonly port: number };
  /** The kernel's numbers (include/net/tcp_states.h). */
  readonly from: number;
  readonly to: number;
}

export interface StateTrace {
  /** What has happened since the last time, in order of time. */
  read(out: TracedChange[]): void;
  /** How many changes the kernel had no room for. */
  lost(): number;
  close(): void;
  /** Readable when there is something. */
  readonly fds: readonly number[];
}

const TRACEPOINT = 'sock/inet_sock_set_state';
const IPPROTO_TCP = 6;
const AF_INET6 = 10;
const EPERM = 1;
const EACCES = 13;
const RING = 256 * 1024;

/** `start`: CLOCK_MONOTONIC in nanoseconds at the session's start. */
export function openStateTrace(start: { readonly monotonic: bigint }): StateTrace | { readonly why: string } {
  if (unavailable !== null) {
    return { why: unavailable };
  }
  const described = describeTracepoint(TRACEPOINT);
  if ('errno' in described) {
    return { why: refusal('the kernel’s list of tracepoints', described.errno) };
  }
  const layout = layoutOf(described.format);
  if (layout === null) {
    return {
      why: 'this kernel describes its tracepoint inet_sock_set_state in another way than the one known here',
    };
  }
  const rings: Ring[] = [];
  for (const cpu of onlineCpus()) {
    const ring = openRing(described.id, cpu);
    if (typeof ring === 'number') {
      for (const one of rings) {
        one.close();
      }
      return { why: refusal('the kernel’s trace of state changes', -ring) };
    }
    rings.push(ring);
  }
  return traceOf(rings, layout, start.monotonic);
}

function refusal(what: string, errno: number): string {
  return errno === EPERM || errno === EACCES
    ? `needs root: only the real root user may read ${what}`
    : `the kernel refused ${what}: ${errnoName(errno)}, ${errnoMeaning(errno)}`;
}

interface Ring extends RingReader {
  readonly fd: number;
  close(): void;
}

function openRing(id: number, cpu: number): Ring | number {
  const fd = openTracepoint(id, cpu);
  if (fd < 0) {
    return fd;
  }
  const page = pageSize();
  const mapped = mapRing(fd, page, Math.max(1, RING / page));
  if (typeof mapped === 'number') {
    closeEvent(fd);
    return mapped;
  }
  return {
    fd,
    ...createRing(mapped.memory, page),
    close() {
      mapped.unmap();
      closeEvent(fd);
    },
  };
}

function traceOf(rings: readonly Ring[], layout: Layout, start: bigint): StateTrace {
  let lost = 0;
  let open = true;
  const found: TracedChange[] = [];
  const visit: RingVisitor = {
    sample(bytes, at, end) {
      const change = decodeChange(bytes, at, end, layout, start);
      if (change !== null) {
        found.push(change);
      }
    },
    lost(count) {
      lost += count;
    },
  };
  return {
    read(out) {
      if (!open) {
        return;
      }
      found.length = 0;
      for (const ring of rings) {
        ring.read(visit);
      }
      // One socket's changes may come from two CPUs.
      found.sort((a, b) => a.at - b.at);
      for (const change of found) {
        out.push(change);
      }
    },
    lost: () => lost,
    close() {
      if (open) {
        open = false;
        for (const ring of rings) {
          ring.close();
        }
      }
    },
    fds: rings.map(({ fd }) => fd),
  };
}

/** A sample's payload [at, end): time, length of the record, record. Null when it is cut off or not TCP's. */
export function decodeChange(
  b: Uint8Array,
  at: number,
  end: number,
  layout: Layout,
  start: bigint,
): TracedChange | null {
  const raw = at + 12;
  if (raw + layout.least > end || end > b.length || layout.least > u32(b, at + 8)) {
    return null;
  }
  if (b[raw + layout.protocol] !== IPPROTO_TCP) {
    return null;
  }
  const six = u16(b, raw + layout.family) === AF_INET6;
  const address = (four: number, sixteen: number): string =>
    six ? ipv6Text(b, raw + sixteen) : ipv4Text(b, raw + four);
  // A double holds the difference, not the time since boot, exactly.
  const time = BigInt(u32(b, at)) | (BigInt(u32(b, at + 4)) << 32n);
  return {
    at: Number(time - start),
    sk: hex(u32(b, raw + layout.skaddr + 4)) + hex(u32(b, raw + layout.skaddr)),
    local: { address: address(layout.saddr, layout.saddr_v6), port: u16(b, raw + layout.sport) },
    peer: { address: address(layout.daddr, layout.daddr_v6), port: u16(b, raw + layout.dport) },
    from: u32(b, raw + layout.oldstate),
    to: u32(b, raw + layout.newstate),
  };
}

const hex = (value: number): string => value.toString(16).padStart(8, '0');
