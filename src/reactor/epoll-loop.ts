/**
 * The turn of the epoll reactor: wait, tell whoever something happened to, run timers, run what was put off. Everything that has a
 * descriptor is registered once, edge-triggered, and found again through a table by descriptor.
 */
import {
  closeFd,
  createEpoll,
  createEventFd,
  EPOLLERR,
  EPOLLET,
  EPOLLHUP,
  EPOLLIN,
  EPOLLOUT,
  EPOLLPRI,
  EPOLLRDHUP,
  WaitBuffer,
  watchFd,
} from '../kernel/epoll.ts';
import type { Timer } from './reactor.ts';
import { createTimerWheel, type TimerWheel } from './timer-wheel.ts';

/** What a stream can read, in the widest sense: bytes, FIN, RST, an error. */
export const ARRIVED = EPOLLIN | EPOLLRDHUP | EPOLLERR | EPOLLHUP;
export const FAILED = EPOLLERR | EPOLLHUP;
const EVERYTHING = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET;
const EVENTS_PER_TURN = 512;
const MILLISECOND = 1e6;
/** epoll_wait takes an int; a timer later than this is looked at again. */
const LONGEST_WAIT_MS = 0x7fff_ffff;
const EINTR = -4;
const NO_GENERATION = 0;

/** Something with a descriptor in the loop. `fd` is -1 once it is closed. */
export interface Source {
  fd: number;
  happened(bits: number): void;
  /** The loop ends: the descriptor goes, nobody is told. */
  close(): void;
}

export interface Starved {
  tryAgain(): void;
}

export class Loop {
  readonly wakeFd: number;
  onWake: () => void = nothing;
  closed = false;
  readonly #epoll: number;
  readonly #clock: () => number;
  readonly #waiting = new WaitBuffer(EVENTS_PER_TURN);
  readonly #sources: (Source | null)[] = [];
  /** Of the registration in `sources`: a descriptor that was closed and opened again within a batch is another one. */
  readonly #generations: number[] = [];
  readonly #timers: TimerWheel = createTimerWheel();
  #generation = NO_GENERATION;
  #queue: (() => void)[] = [];
  #running: (() => void)[] = [];
  #at = 0;
  #atIsFresh = false;
  /** Those who found no descriptor left. */
  readonly #starved = new Set<Starved>();
  #feeding = false;

  constructor(epoll: number, wakeFd: number, clock: () => number) {
    this.#epoll = epoll;
    this.wakeFd = wakeFd;
    this.#clock = clock;
  }

  now(): number {
    return this.#atIsFresh ? this.#at : this.refresh();
  }

  refresh(): number {
    this.#at = this.#clock();
    return this.#at;
  }

  /** 0, or -errno; then the caller closes the descriptor itself. */
  add(source: Source): number {
    const fd = source.fd;
    const generation = (this.#generation + 1) | 0 || 1;
    this.#generation = generation;
    const result = watchFd(this.#epoll, fd, EVERYTHING, generation);
    if (result === 0) {
      this.keep(source);
      this.#generations[fd] = generation;
    }
    return result;
  }

  /** Nothing happens to it yet, but it ends with the loop. */
  keep(source: Source): void {
    while (this.#sources.length <= source.fd) {
      this.#sources.push(null);
      this.#generations.push(NO_GENERATION);
    }
    this.#sources[source.fd] = source;
    this.#generations[source.fd] = NO_GENERATION;
  }

  /** Closes a descriptor, registered or not. close(2) takes it out of the epoll set by itself. */
  release(fd: number): void {
    if (fd < this.#sources.length) {
      this.#sources[fd] = null;
    }
    closeFd(fd);
    if (this.#starved.size > 0 && !this.#feeding) {
      this.#feeding = true;
      this.soon(() => this.#feed());
    }
  }

  /** To be told when a descriptor was closed. */
  starve(who: Starved): void {
    this.#starved.add(who);
  }

  satisfy(who: Starved): void {
    this.#starved.delete(who);
  }

  soon(run: () => void): void {
    this.#queue.push(run);
  }

  after(ns: number, run: () => void): Timer {
    return this.#timers.after(this.now(), ns, run);
  }

  /** Waits at most so long (-1: as long as it takes), then does what there is to do. How many events there were, or -errno. */
  turn(timeoutMs: number): number {
    if (this.closed) {
      return 0;
    }
    const count = this.#waiting.wait(this.#epoll, this.#patience(timeoutMs));
    this.refresh();
    this.#atIsFresh = true;
    for (let index = 0; index < count; index++) {
      const fd = this.#waiting.fd(index);
      const source = this.#sources[fd];
      if (source != null && this.#generations[fd] === this.#waiting.generation(index)) {
        source.happened(this.#waiting.bits(index));
      }
    }
    this.#timers.advance(this.#at);
    if (this.#queue.length > 0) {
      // What is done soon is done later: the events of this turn may have taken a while.
      this.refresh();
      this.#runQueue();
    }
    this.#atIsFresh = false;
    return count === EINTR ? 0 : count;
  }

  close(): void {
    if (this.closed) {
      return;
    }
    for (const source of this.#sources) {
      source?.close();
    }
    this.closed = true;
    this.#queue.length = 0;
    closeFd(this.#epoll);
  }

  #patience(timeoutMs: number): number {
    if (this.#queue.length > 0) {
      return 0;
    }
    if (this.#timers.size === 0) {
      return timeoutMs;
    }
    const ms = Math.min(Math.ceil(this.#timers.next(this.refresh()) / MILLISECOND), LONGEST_WAIT_MS);
    return timeoutMs < 0 || ms < timeoutMs ? ms : timeoutMs;
  }

  #runQueue(): void {
    const run = this.#queue;
    this.#queue = this.#running;
    this.#running = run;
    for (let index = 0; index < run.length && !this.closed; index++) {
      run[index]!();
    }
    run.length = 0;
  }

  #feed(): void {
    this.#feeding = false;
    for (const who of [...this.#starved]) {
      who.tryAgain();
    }
  }
}

/** What `wakeFd` is registered as. Edge-triggered: every write is an event, and the counter need not be read (eventfd(2)). */
class Wake implements Source {
  fd: number;
  readonly #loop: Loop;

  constructor(loop: Loop) {
    this.fd = loop.wakeFd;
    this.#loop = loop;
  }

  happened(): void {
    this.#loop.onWake();
  }

  close(): void {
    closeFd(this.fd);
    this.fd = -1;
  }
}

function nothing(): void {}

export function createLoop(clock: () => number): Loop | number {
  const epoll = createEpoll();
  if (epoll < 0) {
    return epoll;
  }
  const wakeFd = createEventFd();
  if (wakeFd < 0) {
    closeFd(epoll);
    return wakeFd;
  }
  const loop = new Loop(epoll, wakeFd, clock);
  const result = loop.add(new Wake(loop));
  if (result < 0) {
    closeFd(wakeFd);
    closeFd(epoll);
    return result;
  }
  return loop;
}
