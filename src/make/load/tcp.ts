/** Bytes that an echo server sends back, and they have to be the same. */
import { type LoadKind, NOT_THIS_PROTOCOL, type Recogniser } from './kind.ts';

export const kind: LoadKind = {
  name: 'tcp',
  about: 'bytes to an echo server and back (--size)',
  manner: 'talk',
  counts: 'requests',
  canReconnect: true,
  request: ({ size }) => pattern(size),
  recogniser: ({ size }) => echoed(pattern(size)),
  badStatus: () => null,
};

/** Readable in a capture, and no two neighbours alike, so that a byte too many shows. */
export function pattern(size: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, at) => 0x61 + (at % 26));
}

function echoed(expected: Uint8Array): Recogniser {
  let came = 0;
  const made = {
    done: false,
    status: 0,
    last: false,
    take(bytes: Uint8Array, from: number, to: number): number {
      const length = Math.min(to - from, expected.length - came);
      if (Buffer.prototype.compare.call(bytes, expected, came, came + length, from, from + length) !== 0) {
        return NOT_THIS_PROTOCOL;
      }
      came += length;
      made.done = came === expected.length;
      if (made.done) {
        came = 0;
      }
      return from + length;
    },
    ended: () => false,
    reset() {
      came = 0;
      made.done = false;
    },
  };
  return made;
}
