/** Tracepoints through perf_event_open(2): nothing of it outlives the descriptors. Results are what the call returned or -errno. */
import fs from 'node:fs';
import koffi from 'koffi';
import { close, mapShared } from './libc.ts';
import { parseCpus } from './perf-format.ts';

const library = process.platform === 'linux' ? koffi.load(null) : null;

function bind<A extends unknown[]>(declaration: string): (...args: A) => number {
  const call = library?.func(declaration);
  return (...args: A) => {
    const result: number = call?.(...args) ?? -38;
    return result === -1 ? -koffi.errno() : result;
  };
}

const mount = bind<[source: string, target: string, type: string, flags: number, data: null]>(
  'int mount(const char*, const char*, const char*, ulong, void*)',
);
const umount2 = bind<[target: string, flags: number]>('int umount2(const char*, int)');
const perfEventOpen = bind<
  [call: number, attributes: Uint8Array, pid: number, cpu: number, group: number, flags: number]
>('long syscall(long, void*, int, int, int, ulong)');

export const pageSize = bind<[]>('int getpagesize()');

const PERF_EVENT_OPEN = process.arch === 'arm64' ? 241 : 298;
const TRACING = '/sys/kernel/tracing';
const MNT_DETACH = 2;
const EINTR = 4;

/** The id and the format of a tracepoint. Where tracefs is not mounted, it is for a moment, which other mount namespaces may see. */
export function describeTracepoint(name: string): { id: number; format: string } | { errno: number } {
  const folder = `${TRACING}/events/${name}`;
  const there = readTracepoint(folder);
  if (there !== null) {
    return there;
  }
  const mounted = mount('sockscope', TRACING, 'tracefs', 0, null);
  if (mounted < 0) {
    return { errno: -mounted };
  }
  try {
    return readTracepoint(folder) ?? { errno: 2 };
  } finally {
    umount2(TRACING, MNT_DETACH);
  }
}

function readTracepoint(folder: string): { id: number; format: string } | null {
  try {
    const id = Number(fs.readFileSync(`${folder}/id`, 'latin1'));
    return { id, format: fs.readFileSync(`${folder}/format`, 'latin1') };
  } catch {
    return null;
  }
}

export function onlineCpus(): number[] {
  try {
    return parseCpus(fs.readFileSync('/sys/devices/system/cpu/online', 'latin1'));
  } catch {
    return [];
  }
}

const PERF_TYPE_TRACEPOINT = 2;
const SAMPLE_TIME = 1 << 2;
const SAMPLE_RAW = 1 << 10;
const USE_CLOCKID = 1 << 25;
const CLOCK_MONOTONIC = 1;
const FLAG_FD_CLOEXEC = 8;
/** PERF_ATTR_SIZE_VER5: the struct as Linux 4.1 knew it, which has all that is set here. */
const ATTRIBUTES = 112;

/** Every hit of the tracepoint on this CPU, of every process: a sample is its time (u64, CLOCK_MONOTONIC), a length (u32), the record. */
export function openTracepoint(id: number, cpu: number): number {
  const attributes = new Uint8Array(ATTRIBUTES);
  const view = new DataView(attributes.buffer);
  view.setUint32(0, PERF_TYPE_TRACEPOINT, true);
  view.setUint32(4, ATTRIBUTES, true);
  view.setBigUint64(8, BigInt(id), true);
  view.setBigUint64(16, 1n, true);
  view.setBigUint64(24, BigInt(SAMPLE_TIME | SAMPLE_RAW), true);
  view.setBigUint64(40, BigInt(USE_CLOCKID), true);
  // Readable from the first record on, for whoever polls.
  view.setUint32(48, 1, true);
  view.setInt32(92, CLOCK_MONOTONIC, true);
  for (;;) {
    const fd = perfEventOpen(PERF_EVENT_OPEN, attributes, -1, cpu, -1, FLAG_FD_CLOEXEC);
    if (fd !== -EINTR) {
      return fd;
    }
  }
}

/** The ring's memory: a control page and 2^n pages of data; or -errno. */
export function mapRing(
  fd: number,
  page: number,
  pages: number,
): { memory: ArrayBuffer; unmap(): void } | number {
  return mapShared(fd, page * (1 + pages));
}

export function closeEvent(fd: number): void {
  close(fd);
}
