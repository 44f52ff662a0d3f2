/** Bulk transfer: splice(2) from socket to pipe to socket. The pages of the one become pages of the other; nothing is copied here. */

import { createPipe, type Pipe, splice } from '../kernel/epoll.ts';
import { recv } from '../kernel/libc.ts';
import type { Loop } from './epoll-loop.ts';
import type { EpollStream } from './epoll-stream.ts';
import { AGAIN, type Bulk } from './reactor.ts';

/** What an unprivileged process may ask for (fs.pipe-max-size). */
const PIPE_SIZE = 1 << 20;
/** Pipes in use at once: two descriptors and up to 1 MiB of kernel memory each. */
const MOST_PIPES = 1024;
/** Empty pipes kept for the next transfer. */
const SPARE_PIPES = 64;

export class PipePool {
  readonly #loop: Loop;
  readonly #spare: Pipe[] = [];
  readonly #lent = new Set<Pipe>();

  constructor(loop: Loop) {
    this.#loop = loop;
  }

  /** null: the bound is reached, or no descriptor is left. */
  take(): Pipe | null {
    if (this.#lent.size >= MOST_PIPES) {
      return null;
    }
    const pipe = this.#spare.pop() ?? createPipe(PIPE_SIZE);
    if (typeof pipe === 'number') {
      return null;
    }
    this.#lent.add(pipe);
    return pipe;
  }

  give(pipe: Pipe, empty: boolean): void {
    if (!this.#lent.delete(pipe)) {
      return;
    }
    if (empty && this.#spare.length < SPARE_PIPES) {
      this.#spare.push(pipe);
    } else {
      this.#drop(pipe);
    }
  }

  close(): void {
    for (const pipe of [...this.#spare.splice(0), ...this.#lent]) {
      this.#drop(pipe);
    }
    this.#lent.clear();
  }

  #drop(pipe: Pipe): void {
    this.#loop.release(pipe.reads);
    this.#loop.release(pipe.writes);
  }
}

const MSG_PEEK = 2;
const MSG_DONTWAIT = 0x40;
const peeked = new Uint8Array(1);

/**
 * AGAIN from `fill` while nothing is held means that the source has nothing, or that an urgent mark is in the way: `read` knows. While something is held the pipe may be full (of pieces,
 * not only of bytes: a slot holds one piece of a packet), so drain and fill again before waiting for the source.
 */
export class EpollBulk implements Bulk {
  held = 0;
  readonly #source: EpollStream;
  readonly #sink: EpollStream;
  readonly #pool: PipePool;
  #pipe: Pipe | null;

  constructor(source: EpollStream, sink: EpollStream, pipe: Pipe, pool: PipePool) {
    this.#source = source;
    this.#sink = sink;
    this.#pipe = pipe;
    this.#pool = pool;
  }

  fill(max: number): number {
    const pipe = this.#pipe;
    if (pipe === null || max <= 0) {
      return -22;
    }
    const moved = splice(this.#source.fd, pipe.writes, max);
    if (moved > 0) {
      this.held += moved;
      return moved;
    }
    // splice(2) stops at an urgent mark as it stops at FIN, with 0 or EAGAIN, although there are bytes behind it (tcp_read_sock).
    const next = moved === 0 ? recv(this.#source.fd, peeked, 1, MSG_PEEK | MSG_DONTWAIT) : moved;
    return next > 0 ? AGAIN : this.#source.nothingRead(next);
  }

  /** Until the pipe is empty or the sink is full: only the latter makes the kernel tell when there is room again. */
  drain(): number {
    const pipe = this.#pipe;
    if (pipe === null) {
      return -22;
    }
    let total = 0;
    while (this.held > 0) {
      const moved = splice(pipe.reads, this.#sink.fd, this.held);
      if (moved <= 0) {
        this.#sink.cameUpShort(moved);
        return total > 0 ? total : moved === 0 ? AGAIN : moved;
      }
      this.held -= moved;
      total += moved;
    }
    return total;
  }

  close(): void {
    const pipe = this.#pipe;
    if (pipe !== null) {
      this.#pipe = null;
      this.#pool.give(pipe, this.held === 0);
    }
  }
}
