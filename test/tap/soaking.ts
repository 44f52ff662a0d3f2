/** The soak with a tap in the middle: what it holds before and after, what it told, and what was wrong. */
import { expect } from 'vitest';
import { descriptors, type Event, later, rssBytes, sockets, tap, until } from './program.ts';
import { soakTarget } from './soak.ts';

const WARM_UP = 100;
/** As src/reactor/epoll-bulk.ts. */
const PIPES_KEPT = 64;

/** A young heap of 16 MB per thread would hide what is kept: it is made small. */
const SMALL_HEAP = { NODE_OPTIONS: '--max-semi-space-size=2' };
/** What a heap may grow by that has not been collected yet. 64 kB kept of each of 10 000 connections would be 640 MB. */
const GROWTH_MAX = 128e6;

export async function soak(
  connections: number,
  atOnce: number,
  words: readonly string[],
  seed: number,
): Promise<string> {
  const target = await soakTarget(seed);
  later(() => target.close());
  const told: Record<string, number> = {};
  let lost = 0;
  let reset = 0;
  const through = await tap(['0', String(target.port), ...words], {
    env: SMALL_HEAP,
    keep(event: Event) {
      told[event.type] = (told[event.type] ?? 0) + 1;
      lost += event.type === 'lost' ? Number(event.count) : 0;
      reset += event.type === 'ended' && event.how === 'reset' ? 1 : 0;
      return event.type === 'standing' || event.type === 'lost';
    },
  });
  const before = { all: descriptors(through.pid), sockets: sockets(through.pid) };
  // The target's own look at the tap (a probe) and the first growth of the heap do not count.
  const first = await target.run(through.port, WARM_UP, atOnce);
  expect(first.wrong).toEqual([]);
  await until('the first to be gone', () => told.ended === told.opened && told.opened === WARM_UP);
  const warm = rssBytes(through.pid);
  const began = performance.now();
  reset = 0;
  const ran = await target.run(through.port, connections, atOnce);
  const seconds = (performance.now() - began) / 1000;
  expect(ran.wrong).toEqual([]);
  // What went by faster than the lines could be read is counted as lost, and then there is nothing to compare.
  if (lost === 0) {
    await until(
      `all ${connections} to be told of`,
      () => told.opened === WARM_UP + connections && told.ended === told.opened,
    );
    expect(reset).toBe(ran.resets);
  }
  await until('all connections to be closed', () => sockets(through.pid) <= before.sockets);
  const after = { all: descriptors(through.pid), sockets: sockets(through.pid) };
  // The pool keeps pipes for the next connection, so many and no more.
  expect(after.all - before.all).toBeLessThanOrEqual(2 * PIPES_KEPT);
  const grown = rssBytes(through.pid) - warm;
  expect(grown).toBeLessThan(GROWTH_MAX);
  const { code } = await through.stop('SIGINT');
  expect(code).toBe(0);
  return `${connections} connections (${words.join(' ') || 'decoding'}) in ${seconds.toFixed(1)} s: ${JSON.stringify(ran.endings)}, ${(ran.bytes / 1e6).toFixed(0)} MB compared, ${ran.resets} resets, ${ran.resetsSeen} of them seen as such by Node, descriptors ${before.all} → ${after.all}, sockets ${before.sockets} → ${after.sockets}, memory +${(grown / 1e6).toFixed(1)} MB, ${lost} events lost`;
}
