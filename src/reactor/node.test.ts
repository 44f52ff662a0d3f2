import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { needs } from '../../test/needs.ts';
import { createNodeReactor, type NodeReactor } from './node.ts';
import type { Address, Listener, ListenerEvents, Stream } from './reactor.ts';

const LOCAL: Address = { kind: 'tcp', host: '127.0.0.1', port: 0 };
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const deaf = { readable() {}, writable() {} };

function door(streams: Stream[] = []): ListenerEvents {
  return {
    accepted(stream) {
      streams.push(stream);
      return deaf;
    },
    paused() {},
    resumed() {},
  };
}

async function connected(reactor: NodeReactor, address: Address): Promise<Stream> {
  let stream: Stream | null = null;
  const connected = (made: Stream): void => {
    stream = made;
  };
  reactor.connect(address, {}, { ...deaf, connected });
  while (stream === null) {
    await turn();
  }
  return stream;
}

describe('the reactor on node:net', () => {
  it('says -errno for what Node cannot do', async () => {
    const reactor = createNodeReactor();
    const listener = reactor.listen(LOCAL, {}, door()) as Listener;
    expect(listener.silence(true)).toBe(-95);
    expect(reactor.listen(LOCAL, { reusePort: true }, door())).toBe(-92);
    expect(reactor.listen(LOCAL, { wishes: { rcvbuf: 4096 } }, door())).toBe(-92);
    expect(reactor.listen(LOCAL, { streamWishes: { linger: 0 } }, door())).toBe(-92);
    expect(reactor.connect(listener.address, { wishes: { mark: 1 } }, deaf)).toBe(-92);
    expect(reactor.datagrams({ kind: 'unix', path: '/nowhere' }, null, { datagram() {} })).toBe(-97);
    const stream = await connected(reactor, listener.address);
    expect(reactor.bulk(stream, stream)).toBe(null);
    expect(stream.set('rcvbuf', 4096)).toBe(-92);
    expect(stream.read(new Uint8Array(4), 0, 5)).toBe(-22);
    expect(stream.write(new Uint8Array(4), 2, 5)).toBe(-22);
    await reactor.close();
  });

  it.skipIf(needs('linux').missing !== null)(
    'closed, it leaves no descriptor and does nothing more',
    async () => {
      const open = (): number => readdirSync('/proc/self/fd').length;
      const before = open();
      const reactor = createNodeReactor();
      const streams: Stream[] = [];
      const listener = reactor.listen(LOCAL, {}, door(streams)) as Listener;
      for (let n = 0; n < 20; n++) {
        await connected(reactor, listener.address);
      }
      reactor.connect(listener.address, {}, deaf);
      reactor.datagrams({ kind: 'udp', host: '127.0.0.1', port: 0 }, null, { datagram() {} });
      let ran = false;
      reactor.after(1, () => {
        ran = true;
      });
      expect(open()).toBeGreaterThan(before + 40);
      await reactor.close();
      expect(open()).toBe(before);
      expect(reactor.listen(LOCAL, {}, door())).toBe(-125);
      expect(reactor.connect(listener.address, {}, deaf)).toBe(-125);
      await new Promise((resolve) => setTimeout(resolve, 5));
      expect(ran).toBe(false);
    },
  );

  it('tells the time of the clock it is given, and its timers keep to it', async () => {
    let time = 1000;
    const reactor = createNodeReactor({ clock: { now: () => time } });
    expect(reactor.now()).toBe(1000);
    let ran = 0;
    reactor.after(2e6, () => {
      ran++;
    });
    await turn();
    time += 4e6;
    while (ran === 0) {
      await turn();
    }
    expect(ran).toBe(1);
    await reactor.close();
  });
});
