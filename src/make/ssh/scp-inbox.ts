/** A stream's bytes, asked for one piece at a time. The stream's own iterator would copy what has come together. */
import type { Duplex } from 'node:stream';

/** More than this waiting stops the stream. */
const FULL = 1024 * 1024;

export class Inbox {
  readonly #stream: Duplex;
  readonly #pieces: Uint8Array[] = [];
  #waiting = 0;
  #ended = false;
  #wake: (() => void) | null = null;
  readonly #onData = (bytes: Uint8Array): void => {
    this.#pieces.push(bytes);
    this.#waiting += bytes.length;
    if (this.#waiting > FULL) {
      this.#stream.pause();
    }
    this.#wake?.();
  };
  readonly #onEnd = (): void => {
    this.#ended = true;
    this.#wake?.();
  };

  constructor(stream: Duplex) {
    this.#stream = stream;
    stream.on('data', this.#onData).on('end', this.#onEnd).on('close', this.#onEnd).on('error', this.#onEnd);
  }

  /** Null at the end, also when the stream broke. */
  async next(): Promise<Uint8Array | null> {
    while (this.#pieces.length === 0) {
      if (this.#ended) {
        return null;
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = null;
    }
    const piece = this.#pieces.shift()!;
    this.#waiting -= piece.length;
    if (this.#waiting <= FULL && this.#stream.isPaused()) {
      this.#stream.resume();
    }
    return piece;
  }

  /** What still comes is nobody's; an error that comes late has nobody to tell either. */
  close(): void {
    this.#stream.off('data', this.#onData).off('end', this.#onEnd).off('close', this.#onEnd);
  }
}

/** Waits when the stream has enough. One that is gone takes everything: whoever reads its answers finds out. */
export async function writeAll(stream: Duplex, bytes: Uint8Array): Promise<void> {
  if (stream.destroyed || !stream.writable || stream.write(bytes)) {
    return;
  }
  await new Promise<void>((resolve) => {
    const done = (): void => {
      stream.off('drain', done).off('close', done).off('error', done).off('end', done);
      resolve();
    };
    stream.on('drain', done).on('close', done).on('error', done).on('end', done);
  });
}
