import { createHash, randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { bytes, Deaf, Ear, LOOPBACK, ok, openDescriptors, pair, say, until } from '../../test/epoll-peers.ts';
import { needs } from '../../test/needs.ts';
import { createEpollReactor, type EpollReactor } from './epoll.ts';
import { type Address, AGAIN, type Bulk } from './reactor.ts';

const isOurs = needs('linux').missing === null;

let reactor: EpollReactor;
let descriptors: number;

beforeEach(() => {
  descriptors = openDescriptors();
  reactor = ok(createEpollReactor());
});

afterEach(() => {
  reactor.close();
  expect(openDescriptors()).toBe(descriptors);
});

/** Fills and drains as a relay does; what ended it is 0 for FIN or -errno. */
function pump(bulk: Bulk): number {
  for (;;) {
    const got = bulk.fill(1 << 20);
    const gave = bulk.drain();
    if (gave < 0 && gave !== AGAIN) {
      return gave;
    }
    if (got === 0 || (got < 0 && got !== AGAIN)) {
      return got;
    }
    if (bulk.held > 0 || got === AGAIN) {
      return AGAIN;
    }
  }
}

function relayed(address: Address): void {
  const left = pair(reactor, address, {}, new Deaf(), new Ear());
  const right = pair(reactor, { ...LOOPBACK }, {}, new Deaf(), new Deaf());
  const bulk = reactor.bulk(left.server, right.client)!;
  let over = AGAIN;
  const move = () => {
    if (over === AGAIN) {
      over = pump(bulk);
    }
  };
  left.serverEar.readable = move;
  right.clientEar.writable = move;
  const sent = randomBytes(8 << 20);
  const got = createHash('sha256');
  const into = new Uint8Array(100_000);
  let at = 0;
  let received = 0;
  let stalled = 0;
  until(reactor, () => {
    if (at < sent.length) {
      at += Math.max(0, left.client.write(sent, at, Math.min(sent.length, at + 300_000)));
      if (at === sent.length) {
        left.client.shutdown();
      }
    }
    stalled = Math.max(stalled, bulk.held);
    // A slow reader: nothing until it holds something up, then one small read per turn until all has been sent.
    const reads = at === sent.length ? 50 : stalled > 0 ? 1 : 0;
    for (let count = 0; count < reads; count++) {
      const length = right.server.read(into, 0, into.length);
      if (length > 0) {
        got.update(into.subarray(0, length));
        received += length;
      }
    }
    return received === sent.length;
  });
  until(reactor, () => over === 0);
  expect(bulk.held).toBe(0);
  expect(stalled).toBeGreaterThan(0);
  expect(got.digest('hex')).toBe(createHash('sha256').update(sent).digest('hex'));
  bulk.close();
}

describe.skipIf(!isOurs)('bulk', () => {
  it('every byte arrives unchanged through a pipe although the reader is slow, and FIN is 0', () => {
    relayed(LOOPBACK);
  });

  it('the same from a UNIX socket', () => {
    relayed({ kind: 'unix', path: `@sockscope-bulk-${process.pid}` });
  });

  it('AGAIN while nothing is held means that the source has nothing', () => {
    const left = pair(reactor, LOOPBACK, {}, new Deaf());
    const right = pair(reactor);
    const bulk = reactor.bulk(left.server, right.client)!;
    expect(bulk.fill(4096)).toBe(AGAIN);
    expect(bulk.held).toBe(0);
    say(left.client, 'over the pipe');
    until(reactor, () => left.serverEar.told > 0);
    expect(bulk.fill(4)).toBe(4);
    expect(bulk.held).toBe(4);
    expect(bulk.fill(4096)).toBe(9);
    expect(bulk.fill(4096)).toBe(AGAIN);
    expect(bulk.drain()).toBe(13);
    expect(bulk.drain()).toBe(0);
    until(reactor, () => right.serverEar.heard.join('') === 'over the pipe');
    bulk.close();
    bulk.close();
    expect(bulk.fill(1)).toBe(-22);
  });

  it('a drain that comes up short is told when there is room again', () => {
    const left = pair(reactor, LOOPBACK, {}, new Deaf());
    const right = pair(reactor, LOOPBACK, {}, new Deaf());
    const bulk = reactor.bulk(left.server, right.client)!;
    const chunk = new Uint8Array(1 << 20);
    until(reactor, () => {
      left.client.write(chunk, 0, chunk.length);
      bulk.fill(1 << 20);
      return bulk.held > 0 && bulk.drain() === AGAIN;
    });
    reactor.turn(0);
    expect(right.clientEar.room).toBe(0);
    until(reactor, () => {
      right.server.read(chunk, 0, chunk.length);
      return right.clientEar.room === 1;
    });
    bulk.close();
  });

  it('RST at the source and at the sink are told', () => {
    const left = pair(reactor, LOOPBACK, {}, new Deaf());
    const right = pair(reactor, LOOPBACK, {}, new Deaf(), new Deaf());
    const bulk = reactor.bulk(left.server, right.client)!;
    say(left.client, 'x');
    until(reactor, () => left.serverEar.told > 0);
    expect(bulk.fill(10)).toBe(1);
    right.server.reset();
    until(reactor, () => right.clientEar.told > 0);
    expect(bulk.drain()).toBe(-104);
    left.client.reset();
    until(reactor, () => left.server.hungUp);
    expect(bulk.fill(10)).toBe(-104);
    bulk.close();
  });

  it('an empty pipe is used again, one that holds something is not', () => {
    const left = pair(reactor, LOOPBACK, {}, new Deaf());
    const right = pair(reactor, LOOPBACK, {}, new Ear());
    const first = reactor.bulk(left.server, right.client)!;
    const open = openDescriptors();
    first.close();
    const second = reactor.bulk(left.server, right.client)!;
    expect(openDescriptors()).toBe(open);
    left.client.write(bytes('stays'), 0, 5);
    until(reactor, () => left.serverEar.told > 0);
    expect(second.fill(5)).toBe(5);
    second.close();
    expect(openDescriptors()).toBe(open - 2);
    const third = reactor.bulk(left.server, right.client)!;
    expect(third.drain()).toBe(0);
    expect(right.serverEar.heard).toEqual([]);
  });

  it('there is an end to pipes', () => {
    const { client, server } = pair(reactor);
    const bulks: Bulk[] = [];
    for (let bulk = reactor.bulk(client, server); bulk !== null; bulk = reactor.bulk(client, server)) {
      bulks.push(bulk);
    }
    expect(bulks.length).toBeGreaterThan(16);
    expect(bulks.length).toBeLessThanOrEqual(1024);
    bulks.pop()!.close();
    expect(reactor.bulk(client, server)).not.toBe(null);
  });
});
