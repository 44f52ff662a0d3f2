/** Bytes of a file on their way to a client: read while the piece before is written, and never more than two of them in memory. */
import { fstatSync, read } from 'node:fs';
import type { Writable } from 'node:stream';
import { Cut } from '../web/cut.ts';
import type { Slice } from './ranges.ts';
import type { Opened } from './store.ts';

const PIECE = 256 * 1024;

export interface Sink {
  /** True: written, and the bytes may be overwritten. False: nobody wants more. */
  write(bytes: Buffer): Promise<boolean>;
}

export function sinkOf(stream: Writable, signal: AbortSignal): Sink {
  return {
    write: (bytes) =>
      new Promise((resolve) => {
        const gone = () => resolve(false);
        if (signal.aborted) {
          gone();
          return;
        }
        signal.addEventListener('abort', gone, { once: true });
        stream.write(bytes, (error) => {
          signal.removeEventListener('abort', gone);
          resolve(error === null || error === undefined);
        });
      }),
  };
}

/** False: the client went away. `buffers` may be used again for the next slice of the same answer. */
export async function sendSlice(
  opened: Opened,
  { from, to }: Slice,
  sink: Sink,
  buffers: Buffer[],
): Promise<boolean> {
  if (opened.bytes !== null) {
    return sink.write(opened.bytes.subarray(from, to));
  }
  let writing = Promise.resolve(true);
  for (let at = from, turn = 0; at < to; turn ^= 1) {
    const buffer = buffers[turn] ?? Buffer.allocUnsafeSlow(Math.min(PIECE, opened.size));
    buffers[turn] = buffer;
    const count = await readSome(opened.fd, buffer, Math.min(buffer.length, to - at), at);
    if (count === 0) {
      throw new Cut('the file became shorter while it was sent');
    }
    at += count;
    if (at === to) {
      stillTheSame(opened);
    }
    if (!(await writing)) {
      return false;
    }
    writing = sink.write(buffer.subarray(0, count));
  }
  return writing;
}

/** A file that grows is fine: what was announced is there. One that was written over is not. */
function stillTheSame({ fd, size, writtenNs }: Opened): void {
  const now = fstatSync(fd, { bigint: true });
  if (Number(now.size) === size && now.mtimeNs !== writtenNs) {
    throw new Cut('the file was written over while it was sent');
  }
}

/** All of it, for what is packed as a whole. */
export async function readWhole(opened: Opened): Promise<Buffer> {
  if (opened.bytes !== null) {
    return opened.bytes;
  }
  const bytes = Buffer.allocUnsafeSlow(opened.size);
  for (let at = 0; at < bytes.length; ) {
    const count = await readSome(opened.fd, bytes.subarray(at), bytes.length - at, at);
    if (count === 0) {
      throw new Cut('the file became shorter while it was read');
    }
    at += count;
  }
  stillTheSame(opened);
  return bytes;
}

function readSome(fd: number, into: Buffer, length: number, at: number): Promise<number> {
  return new Promise((resolve, reject) => {
    read(fd, into, 0, length, at, (error, count) => {
      if (error === null) {
        resolve(count);
      } else {
        reject(new Cut(`${error.code} while the file was read`));
      }
    });
  });
}
