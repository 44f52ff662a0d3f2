/** For tests: a chain on a clock that only the test moves, and a record of what came out. */

import { createRandom } from '../session/random.ts';
import { createChain } from './chain.ts';
import { createDatagramChain } from './datagram-chain.ts';
import type { Attributes, Fault } from './fault.ts';
import type { DatagramStage, Link, Stage } from './stage.ts';

export const MS = 1e6;

export function linkFor(seed = 1, shared: Record<string, unknown> = {}, from: Link['from'] = 'client'): Link {
  return { from, connection: 1, random: createRandom(seed), shared };
}

export function stageOf(fault: Fault, attributes: Attributes = {}, link = linkFor()): Stage {
  return fault.stream!(attributes, link);
}

export function datagramStageOf(fault: Fault, attributes: Attributes = {}, link = linkFor()): DatagramStage {
  return fault.datagram!(attributes, link);
}

/** `count` bytes that are 0, 1, 2, … so that a lost or moved one shows. */
export function counting(count: number, from = 0): Uint8Array {
  return Uint8Array.from({ length: count }, (_, i) => from + i);
}

/** A clock of milliseconds that never runs by itself. */
export function createClock() {
  const clock = {
    ns: 1000 * MS,
    now: () => clock.ns,
  };
  return clock;
}

/** Runs the clock forward, and calls `timer` at each moment that was asked for. */
function runner(clock: { ns: number }, state: { wakeAt: number }, timer: () => void) {
  return (ms: number): void => {
    const until = clock.ns + ms * MS;
    while (state.wakeAt <= until) {
      clock.ns = Math.max(clock.ns, state.wakeAt);
      state.wakeAt = Number.POSITIVE_INFINITY;
      timer();
    }
    clock.ns = until;
  };
}

export function trial(stages: readonly Stage[], clock = createClock()) {
  const began = clock.ns;
  const state = { wakeAt: Number.POSITIVE_INFINITY };
  const passed: number[] = [];
  /** What happened, with the millisecond: `3 bytes @20`, `end @100`. */
  const log: string[] = [];
  const note = (what: string): void => {
    log.push(`${what} @${(clock.ns - began) / MS}`);
  };
  const said: string[] = [];
  const chain = createChain(
    stages,
    {
      bytes(bytes) {
        passed.push(...bytes);
        note(`${bytes.length} bytes`);
      },
      end: () => note('end'),
      wake(at) {
        state.wakeAt = at;
      },
      answer: (bytes) => note(`answer ${bytes.length}`),
      reset: () => note('reset'),
      close: () => note('close'),
      say: (what) => said.push(what),
    },
    clock.now,
  );
  return {
    chain,
    log,
    said,
    passed,
    state,
    clock,
    data: (bytes: Uint8Array, readAt = clock.ns) => chain.data(bytes, readAt),
    run: runner(clock, state, () => chain.timer()),
  };
}

export function datagramTrial(stages: readonly DatagramStage[], clock = createClock()) {
  const began = clock.ns;
  const state = { wakeAt: Number.POSITIVE_INFINITY };
  /** The first byte of each datagram, and when it came out. */
  const passed: number[] = [];
  const log: string[] = [];
  const said: string[] = [];
  const chain = createDatagramChain(
    stages,
    {
      datagram(bytes) {
        passed.push(bytes[0] ?? -1);
        log.push(`${bytes[0] ?? 'empty'} @${(clock.ns - began) / MS}`);
      },
      wake(at) {
        state.wakeAt = at;
      },
      answer() {},
      say: (what) => said.push(what),
    },
    clock.now,
  );
  return {
    chain,
    log,
    said,
    passed,
    send: (...bytes: number[]) => chain.datagram(Uint8Array.from(bytes), clock.ns),
    run: runner(clock, state, () => chain.timer()),
  };
}
