/** Reads the memory of another process (process_vm_readv(2)): what is there, as much of it as is there, and never an exception. */
import koffi from 'koffi';
import { fixedMemory } from './epoll.ts';

const PAGE = 4096;
/** The longest that is read at once. */
export const MOST_READ = 16 * PAGE;
/** User space ends below this on x86-64 and arm64 with 48-bit addresses; 52-bit ones must be asked for (mmap(2)). */
const END = 2 ** 47;

const library = process.platform === 'linux' ? koffi.load(null) : null;
const readv:
  | ((pid: number, local: number, locals: number, remote: number, remotes: number, flags: number) => number)
  | null = library?.func('long process_vm_readv(int, intptr_t, ulong, intptr_t, ulong, ulong)') ?? null;

const into = fixedMemory(MOST_READ);
const local = fixedMemory(16);
const localView = new DataView(local.bytes.buffer);
const remote = fixedMemory(16 * (MOST_READ / PAGE + 1));
const remoteView = new DataView(remote.bytes.buffer);

/**
 * Up to `length` bytes from there; fewer where unmapped memory begins, none for an address that is none. The bytes are the caller's
 * until the next read.
 */
export function readMemory(pid: number, address: number, length: number): Uint8Array {
  const wanted = Math.min(length, MOST_READ);
  if (readv === null || !(wanted > 0) || !(address > 0) || address + wanted > END) {
    return into.bytes.subarray(0, 0);
  }
  localView.setBigUint64(0, BigInt(into.address), true);
  localView.setBigUint64(8, BigInt(wanted), true);
  let parts = 0;
  // A transfer ends between two parts, so a part is what lies in one page.
  for (let at = address; at < address + wanted; parts++) {
    const size = Math.min(PAGE - (at % PAGE), address + wanted - at);
    putNumber(parts * 16, at);
    putNumber(parts * 16 + 8, size);
    at += size;
  }
  const count = readv(pid, local.address, 1, remote.address, parts, 0);
  return into.bytes.subarray(0, Math.max(0, count));
}

function putNumber(at: number, value: number): void {
  remoteView.setUint32(at, value >>> 0, true);
  remoteView.setUint32(at + 4, Math.floor(value / 0x1_0000_0000), true);
}
