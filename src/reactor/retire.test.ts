import { connect, type Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { type Need, needs } from '../../test/needs.ts';
import { createEpollReactor, type EpollReactor } from './epoll.ts';
import { createNodeReactor, type NodeReactor } from './node.ts';
import type { Reactor, Stream } from './reactor.ts';

const { missing }: Need = needs('linux');

async function until(reactor: EpollReactor | null, done: () => boolean): Promise<void> {
  while (!done()) {
    reactor?.turn(0);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

interface Client {
  readonly socket: Socket;
  connected: boolean;
  got: string;
  over: string;
}

function client(port: number): Client {
  const one: Client = { socket: connect(port, '127.0.0.1'), connected: false, got: '', over: '' };
  one.socket.on('connect', () => {
    one.connected = true;
    one.socket.write('hello');
  });
  one.socket.on('data', (data) => {
    one.got += data.toString();
  });
  one.socket.on('end', () => {
    one.over ||= 'FIN';
  });
  one.socket.on('error', (error: NodeJS.ErrnoException) => {
    one.over ||= error.code ?? 'error';
  });
  return one;
}

/** Says what it hears and ends. */
function answerer(stream: Stream) {
  const bytes = new Uint8Array(64);
  return {
    readable() {
      const count = stream.read(bytes, 0, 64);
      if (count > 0) {
        stream.write(bytes, 0, count);
        stream.close();
      }
    },
    writable() {},
  };
}

const CLIENTS = 150;

describe.skipIf(missing)('a listener that retires', () => {
  const kinds: [string, () => Reactor][] = [
    ['epoll', () => createEpollReactor() as EpollReactor],
    ['node', () => createNodeReactor()],
  ];
  test.each(kinds)(
    'on %s answers everybody who waits in its queue, and refuses nobody it let in',
    async (kind, make) => {
      const reactor = make();
      const turning = kind === 'epoll' ? (reactor as EpollReactor) : null;
      const listener = reactor.listen(
        { kind: 'tcp', host: '127.0.0.1', port: 0 },
        { backlog: 512 },
        {
          accepted: answerer,
          paused() {},
          resumed() {},
        },
      );
      if (typeof listener === 'number' || listener.address.kind === 'unix') {
        throw new Error(`cannot listen: ${JSON.stringify(listener)}`);
      }
      listener.hold(true);
      const clients = Array.from({ length: CLIENTS }, () =>
        client((listener.address as { port: number }).port),
      );
      await until(turning, () => clients.every((one) => one.connected));
      let retired = false;
      listener.retire(() => {
        retired = true;
      });
      await until(turning, () => retired && clients.every((one) => one.over !== ''));
      expect(clients.map((one) => `${one.got} ${one.over}`)).toEqual(clients.map(() => 'hello FIN'));
      const late = client((listener.address as { port: number }).port);
      await until(turning, () => late.over !== '');
      expect(late.over).toBe('ECONNREFUSED');
      await (reactor as EpollReactor | NodeReactor).close();
    },
  );

  test('a client that comes while it retires is not let in, and is refused once it has gone', async () => {
    const reactor = createEpollReactor() as EpollReactor;
    const listener = reactor.listen(
      { kind: 'tcp', host: '127.0.0.1', port: 0 },
      {},
      {
        accepted: answerer,
        paused() {},
        resumed() {},
      },
    );
    if (typeof listener === 'number') {
      throw new Error('cannot listen');
    }
    let retired = false;
    listener.retire(() => {
      retired = true;
    });
    const late = client((listener.address as { port: number }).port);
    await until(reactor, () => retired);
    expect(late.connected).toBe(false);
    await until(reactor, () => late.over !== '');
    expect(late.over).toBe('ECONNREFUSED');
    reactor.close();
  });
});
