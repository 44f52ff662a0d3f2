/**
 * What a program says, into its channel: one piece at a time, stdout and stderr in one queue. ssh2 keeps one "waits for the window" for
 * both and does not forget a piece that it sent late (Channel.js `_chunk`, 1.17): with two of them waiting, one is sent twice.
 */
import type { Readable } from 'node:stream';
import type { ServerChannel } from 'ssh2';

interface Piece {
  readonly bytes: Buffer;
  readonly toErrors: boolean;
  readonly done: () => void;
}

interface Remembered {
  _chunk?: unknown;
  _chunkcb?: unknown;
  _chunkErr?: unknown;
  _chunkcbErr?: unknown;
}

export class Outlet {
  readonly #channel: ServerChannel;
  readonly #queue: Piece[] = [];
  readonly #springs: Readable[] = [];
  #writing = false;
  #atEnd: (() => void) | null = null;
  #stopped = false;
  sent = 0;

  constructor(channel: ServerChannel) {
    this.#channel = channel;
  }

  /** Passes on what comes, as fast as the client takes it. */
  drink(from: Readable, toErrors: boolean): void {
    this.#springs.push(from);
    from.on('data', (bytes: Buffer) => {
      if (this.#stopped) {
        return;
      }
      from.pause();
      this.#send({ bytes, toErrors, done: () => void from.resume() });
    });
  }

  /** Calls back when everything was given to the connection. */
  flushed(run: () => void): void {
    this.#atEnd = run;
    this.#next();
  }

  /** Nobody reads any more: what still comes is forgotten, so that whoever says it can go on, or end. */
  stop(): void {
    this.#stopped = true;
    for (const spring of this.#springs) {
      spring.resume();
    }
  }

  #send(piece: Piece): void {
    this.#queue.push(piece);
    this.#next();
  }

  #next(): void {
    if (this.#writing) {
      return;
    }
    const piece = this.#queue.shift();
    if (piece === undefined) {
      this.#atEnd?.();
      this.#atEnd = null;
      return;
    }
    this.#writing = true;
    (piece.toErrors ? this.#channel.stderr : this.#channel).write(piece.bytes, () => {
      const remembered = this.#channel as unknown as Remembered;
      remembered._chunk = undefined;
      remembered._chunkcb = undefined;
      remembered._chunkErr = undefined;
      remembered._chunkcbErr = undefined;
      this.sent += piece.bytes.length;
      this.#writing = false;
      piece.done();
      this.#next();
    });
  }
}
