/** A capture file in pieces: what the reader did not take stays in front of what comes next. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { SockscopeError } from '../errors.ts';
import type { Reader } from '../wire/pcapng.ts';

const CHUNK = 1024 * 1024;

/** A descriptor; `-` is standard input. */
export function openCapture(path: string): number {
  if (path === '-') {
    if (process.stdin.isTTY) {
      throw new SockscopeError(
        'OPEN_STDIN',
        'Standard input is this terminal, not a capture.',
        'Pipe one into it: tcpdump -w - | sockscope open -',
        2,
      );
    }
    return 0;
  }
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch (error) {
    throw refused(path, error);
  }
  if (fstatSync(fd).isDirectory()) {
    closeSync(fd);
    throw new SockscopeError('OPEN_FILE', `${path} is a directory.`, 'Give a pcap or pcapng file in it.', 2);
  }
  return fd;
}

function refused(path: string, error: unknown): SockscopeError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const why: Record<string, [string, string]> = {
    ENOENT: [
      `There is no file ${path}.`,
      'sockscope watch -w FILE.pcapng records one; tcpdump -w and Wireshark do too.',
    ],
    EACCES: [`${path} may not be read by you.`, 'Ask its owner, or run as root.'],
  };
  const [message, hint] = why[code] ?? [
    `${path} cannot be opened: ${code}.`,
    'Give the path of a capture file.',
  ];
  return new SockscopeError('OPEN_FILE', message, hint, 2, { cause: error });
}

const pause = new Int32Array(new SharedArrayBuffer(4));

/** Pushes the file through the reader; yields after each piece. */
export function* pieces(fd: number, reader: Reader): Generator<void> {
  let buffer = new Uint8Array(CHUNK);
  let filled = 0;
  for (;;) {
    if (reader.wants > buffer.length) {
      const larger = new Uint8Array(2 * reader.wants);
      larger.set(buffer.subarray(0, filled));
      buffer = larger;
    }
    const read = readSome(fd, buffer, filled);
    if (read === 0) {
      reader.end(filled);
      return;
    }
    filled += read;
    const consumed = reader.push(buffer, 0, filled);
    buffer.copyWithin(0, consumed, filled);
    filled -= consumed;
    yield;
  }
}

function readSome(fd: number, buffer: Uint8Array, filled: number): number {
  for (;;) {
    try {
      return readSync(fd, buffer, filled, buffer.length - filled, null);
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : '';
      if (code === 'EOF') {
        return 0;
      }
      if (code !== 'EAGAIN') {
        throw error;
      }
      // A pipe that is non-blocking and empty: its writer will go on.
      Atomics.wait(pause, 0, 0, 5);
    }
  }
}
