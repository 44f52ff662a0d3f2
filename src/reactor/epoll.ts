/**
 * The reactor on epoll(7): Linux, a loop of its own, best in a thread of its own. `run` blocks in the kernel; whoever wants something
 * of the thread from outside writes to `wakeFd`.
 */
import { startClock } from '../kernel/clock.ts';
import { EpollBulk, PipePool } from './epoll-bulk.ts';
import { adoptWith, connectWith } from './epoll-connect.ts';
import { datagramsWith } from './epoll-datagrams.ts';
import { listenWith } from './epoll-listener.ts';
import { createLoop } from './epoll-loop.ts';
import { EpollStream } from './epoll-stream.ts';
import type { Reactor } from './reactor.ts';

export interface EpollReactor extends Reactor {
  readonly kind: 'epoll';
  /** Reads the clock again, in the middle of a turn. */
  refresh(): number;
  /** One turn after another, blocking in between, until `until` says true, `stop` or `close`. */
  run(until?: () => boolean): void;
  /** One turn that waits at most so long; -1 is as long as it takes. How many events there were, or -errno. */
  turn(timeoutMs: number): number;
  /** An eventfd: 8 bytes written from any thread end the wait and call `onWake`, once however many were written. */
  readonly wakeFd: number;
  onWake: () => void;
  /** `run` returns after this turn; before `run` it makes the next one return at once. */
  stop(): void;
  /** Every socket, pipe and timer of this reactor ends; nobody is told. */
  close(): void;
}

export interface EpollOptions {
  /** The session's clock, so that times of all its threads agree. Otherwise one that begins now. */
  readonly clock?: { now(): number };
}

/** -errno where there is no epoll (-38 outside Linux) or no descriptor. */
export function createEpollReactor(options: EpollOptions = {}): EpollReactor | number {
  const clock = options.clock ?? startClock();
  const made = createLoop(() => clock.now());
  if (typeof made === 'number') {
    return made;
  }
  const loop = made;
  const pipes = new PipePool(loop);
  let stopped = false;

  return {
    kind: 'epoll',
    wakeFd: loop.wakeFd,
    get onWake() {
      return loop.onWake;
    },
    set onWake(run) {
      loop.onWake = run;
    },
    now: () => loop.now(),
    refresh: () => loop.refresh(),
    listen: (address, listenOptions, events) => listenWith(loop, address, listenOptions, events),
    connect: (address, connectOptions, events) => connectWith(loop, address, connectOptions, events),
    adopt: (fd, events) => adoptWith(loop, fd, events),
    datagrams: (local, peer, events) => datagramsWith(loop, local, peer, events),
    bulk(source, sink) {
      if (!(source instanceof EpollStream && sink instanceof EpollStream)) {
        return null;
      }
      const pipe = pipes.take();
      return pipe === null ? null : new EpollBulk(source, sink, pipe, pipes);
    },
    after: (ns, run) => loop.after(ns, run),
    soon: (run) => loop.soon(run),
    turn: (timeoutMs) => loop.turn(timeoutMs),
    run(until) {
      while (!stopped && !loop.closed && until?.() !== true) {
        loop.turn(-1);
      }
      stopped = false;
    },
    stop() {
      stopped = true;
    },
    close() {
      pipes.close();
      loop.close();
    },
  };
}
