/**
 * Walking /proc/PID/fd without a string per descriptor: this is where the time of "who owns this socket" goes.
 * Since Linux 6.2 the size of that directory is the number of open descriptors, so counting up from 0 with readlinkat
 * finds them all without reading the directory; older kernels and sparse tables are read with getdents64.
 */
import fs from 'node:fs';
import * as libc from './libc.ts';

const O_DIRECTORY = process.arch === 'arm64' || process.arch === 'arm' ? 0o40000 : 0o200000;
const O_CLOEXEC = 0o2000000;
const ENOENT = 2;
const GETDENTS64: Partial<Record<NodeJS.Architecture, number>> = {
  x64: 217,
  arm64: 61,
  riscv64: 61,
  loong64: 61,
  ppc64: 202,
  s390x: 220,
};
/** How many numbers in a row of attempts may be free before counting up gives way to reading the directory. */
const SPARE_MISSES = 64;

const ZERO = 48;
const path = new Uint8Array(24);
const link = new Uint8Array(256);
const entries = new Uint8Array(32 * 1024);

/** `bytes` is reused: read what you need before returning. Return false to stop the walk. */
export type Visit = (fd: number, bytes: Uint8Array, length: number) => boolean;
export type Walk = 'done' | 'stopped' | 'gone' | 'denied';

/** Calls `visit` with the link text of every open descriptor of the process, in ascending order. */
export function walkDescriptors(pid: number, visit: Visit): Walk {
  const directory = libc.openFile(`/proc/${pid}/fd`, O_DIRECTORY | O_CLOEXEC);
  if (directory < 0) {
    return reason(-directory);
  }
  try {
    const size = fs.fstatSync(directory).size;
    return size === 0 ? readFrom(directory, 0, visit) : countUp(directory, size, visit);
  } finally {
    libc.close(directory);
  }
}

function countUp(directory: number, size: number, visit: Visit): Walk {
  let found = 0;
  let misses = 0;
  let digits = writeNumber(0);
  for (let fd = 0; found < size; fd++) {
    const length = libc.readlinkat(directory, path, link, link.length);
    if (length >= 0) {
      found++;
      if (!visit(fd, link, length)) {
        return 'stopped';
      }
    } else if (length !== -ENOENT) {
      return reason(-length);
    } else if (++misses > SPARE_MISSES + found / 2) {
      return readFrom(directory, fd + 1, visit);
    }
    digits = increment(digits);
  }
  return 'done';
}

function readFrom(directory: number, first: number, visit: Visit): Walk {
  const call = GETDENTS64[process.arch];
  const numbers = call === undefined ? null : listWith(call, directory);
  for (const fd of numbers ?? listSlowly(directory)) {
    if (fd < first) {
      continue;
    }
    writeNumber(fd);
    const length = libc.readlinkat(directory, path, link, link.length);
    if (length === -ENOENT) {
      continue;
    }
    if (length < 0) {
      return reason(-length);
    }
    if (!visit(fd, link, length)) {
      return 'stopped';
    }
  }
  return 'done';
}

function* listWith(call: number, directory: number): Generator<number> {
  for (;;) {
    const length = libc.getdents64(call, directory, entries, entries.length);
    if (length <= 0) {
      return;
    }
    yield* descriptorNumbers(entries.slice(0, length));
  }
}

function listSlowly(directory: number): number[] {
  try {
    return fs
      .readdirSync(`/proc/self/fd/${directory}`)
      .map(Number)
      .sort((a, b) => a - b);
  } catch {
    return []; // the process went away between open and read: it has no descriptors
  }
}

/** The numeric names in a buffer of struct linux_dirent64 (u64 inode, s64 offset, u16 length, u8 type, name). */
export function descriptorNumbers(bytes: Uint8Array): number[] {
  const numbers: number[] = [];
  for (let at = 0; at + 19 < bytes.length; ) {
    const length = bytes[at + 16]! | (bytes[at + 17]! << 8);
    if (length < 20) {
      return numbers;
    }
    const end = Math.min(at + length, bytes.length);
    const number = decimal(bytes, at + 19, end);
    if (number >= 0) {
      numbers.push(number);
    }
    at += length;
  }
  return numbers;
}

/** Digits up to a zero byte, `]`, or the end; -1 when there are none or something else stands there. */
export function decimal(bytes: Uint8Array, from: number, to: number): number {
  let value = 0;
  let at = from;
  for (; at < to; at++) {
    const digit = bytes[at]! - ZERO;
    if (digit < 0 || digit > 9) {
      break;
    }
    value = value * 10 + digit;
  }
  const stop = at < to ? bytes[at]! : 0;
  return at > from && Number.isSafeInteger(value) && (stop === 0 || stop === 0x5d) ? value : -1;
}

/** The inode in `socket:[N]`, or -1 for anything else. */
export function socketInode(bytes: Uint8Array, length: number): number {
  // 's', ':' and '[' are enough: a file's link text starts with '/', and no other anonymous kind fits.
  if (length < 10 || bytes[0] !== 115 || bytes[6] !== 58 || bytes[7] !== 91 || bytes[length - 1] !== 93) {
    return -1;
  }
  return decimal(bytes, 8, length);
}

/** How many descriptors the process has open, or null: gone, or the kernel is older than 6.2. No permission is needed. */
export function countDescriptors(pid: number): number | null {
  try {
    const size = fs.statSync(`/proc/${pid}/fd`).size;
    return size > 0 || sizeIsCount() ? size : null;
  } catch {
    return null;
  }
}

let counted: boolean | null = null;
function sizeIsCount(): boolean {
  counted ??= fs.statSync('/proc/self/fd').size > 0;
  return counted;
}

function reason(errno: number): Walk {
  const gone = errno === ENOENT || errno === 3; // ESRCH
  return gone ? 'gone' : 'denied';
}

function writeNumber(value: number): number {
  const text = String(value);
  for (let i = 0; i < text.length; i++) {
    path[i] = text.charCodeAt(i);
  }
  path[text.length] = 0;
  return text.length;
}

/** Adds one to the decimal number in `path`, in place; returns how many digits it has now. */
function increment(digits: number): number {
  for (let i = digits - 1; i >= 0; i--) {
    if (path[i]! < ZERO + 9) {
      path[i]!++;
      return digits;
    }
    path[i] = ZERO;
  }
  path[0] = ZERO + 1;
  path[digits] = ZERO;
  path[digits + 1] = 0;
  return digits + 1;
}
