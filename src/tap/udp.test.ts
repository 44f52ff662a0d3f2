import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { createEpollReactor, type EpollReactor } from '../reactor/epoll.ts';
import { createNodeReactor, type NodeReactor } from '../reactor/node.ts';
import type { Address } from '../reactor/reactor.ts';
import { latency } from './faults/latency.ts';
import type { DatagramStage } from './stage.ts';
import { createUdpTap, type UdpFlow, type UdpHooks, type UdpOptions, type UdpTap } from './udp.ts';

const ANY: Address = { kind: 'udp', host: '127.0.0.1', port: 0 };
const sockets: Socket[] = [];
const taps: UdpTap[] = [];
const reactors: (EpollReactor | NodeReactor)[] = [];
const turns: NodeJS.Immediate[] = [];
let turning = false;

afterEach(async () => {
  turning = false;
  for (const tap of taps.splice(0)) {
    tap.close();
  }
  for (const socket of sockets.splice(0)) {
    socket.close();
  }
  for (const reactor of reactors.splice(0)) {
    await reactor.close();
  }
});

/** The epoll loop takes turns with Node's here; in the product it has a thread. */
function reactorOf(kind: 'epoll' | 'node'): EpollReactor | NodeReactor {
  const reactor = kind === 'node' ? createNodeReactor() : createEpollReactor();
  if (typeof reactor === 'number') {
    throw new Error(`no epoll: ${reactor}`);
  }
  reactors.push(reactor);
  if ('turn' in reactor) {
    turning = true;
    const turn = (): void => {
      if (turning) {
        reactor.turn(0);
        turns[0] = setImmediate(turn);
      }
    };
    turn();
  }
  return reactor;
}

async function udp(port = 0, host = '127.0.0.1'): Promise<Socket> {
  const socket = createSocket('udp4');
  sockets.push(socket);
  socket.bind(port, host);
  await once(socket, 'listening');
  return socket;
}

/** Answers with what it was sent, and says from which port it came. */
async function echo(): Promise<{ address: Address; seen: number[]; socket: Socket }> {
  const socket = await udp();
  const seen: number[] = [];
  socket.on('message', (bytes, { port, address }) => {
    seen.push(port);
    socket.send(bytes, port, address);
  });
  return {
    address: { kind: 'udp', host: '127.0.0.1', port: (socket.address() as AddressInfo).port },
    seen,
    socket,
  };
}

function start(
  reactor: EpollReactor | NodeReactor,
  options: Partial<UdpOptions> & Pick<UdpOptions, 'target'>,
  stages: UdpHooks['stages'] = () => ({ up: [], down: [] }),
) {
  const log: string[] = [];
  const waiting: { wanted: string; met: () => void }[] = [];
  const add = (line: string): void => {
    log.push(line);
    for (const one of waiting.filter(({ wanted }) => wanted === line)) {
      one.met();
    }
  };
  const hooks: UdpHooks = {
    opened: (flow) => add(`opened ${flow.number}`),
    datagram: (flow, from, bytes, length) =>
      add(`${flow.number} ${from} ${Buffer.from(bytes.subarray(0, length)).toString('latin1').slice(0, 20)}`),
    ended: (flow, how) => add(`ended ${flow.number} ${how}`),
    refused: (flow, errno) => add(`refused ${flow.number} ${errno}`),
    lost: (flow, from, errno) => add(`lost ${flow.number} ${from} ${errno}`),
    said: (flow, from, what) => add(`said ${flow.number} ${from} ${what}`),
    stages,
  };
  const tap = createUdpTap(reactor, { listen: ANY, ...options }, hooks);
  if (typeof tap === 'number') {
    throw new Error(`cannot listen: ${tap}`);
  }
  taps.push(tap);
  const { port } = tap.address as { port: number };
  const until = (wanted: string): Promise<void> =>
    log.includes(wanted) ? Promise.resolve() : new Promise((met) => waiting.push({ wanted, met }));
  return { tap, log, port, until };
}

async function ask(socket: Socket, port: number, text: string): Promise<string> {
  const answer = once(socket, 'message');
  socket.send(text, port, '127.0.0.1');
  return String((await answer)[0]);
}

describe.each(['epoll', 'node'] as const)('a tap for UDP on the %s reactor', (kind) => {
  it('replies go to the client that asked, and each client has a flow of its own', async () => {
    const server = await echo();
    const { tap, port, log } = start(reactorOf(kind), { target: [server.address] });
    const [a, b] = [await udp(), await udp()];
    const both = await Promise.all([ask(a, port, 'from a'), ask(b, port, 'from b')]);
    expect(both).toEqual(['from a', 'from b']);
    expect(await ask(a, port, 'again')).toBe('again');
    expect(tap.flowCount).toBe(2);
    expect(new Set(server.seen).size).toBe(2);
    expect(log.filter((line) => line.includes('again'))).toEqual(['1 client again', '1 server again']);
    const [older, newer] = [...tap.flows] as [UdpFlow, UdpFlow];
    expect(newer).toMatchObject({
      number: 1,
      fromClient: 11,
      datagramsFromServer: 2,
      target: server.address,
    });
    expect(older.client).toMatchObject({ port: (b.address() as AddressInfo).port });
    expect(older.source).toMatchObject({ kind: 'udp', host: '127.0.0.1' });
  });

  it('an empty datagram and one of 60000 bytes pass whole, and in order', async () => {
    const server = await echo();
    const { port } = start(reactorOf(kind), { target: [server.address] });
    const client = await udp();
    const sizes: number[] = [];
    const all = new Promise<void>((done) => {
      client.on('message', (bytes) => {
        sizes.push(bytes.length);
        if (sizes.length === 5) {
          done();
        }
      });
    });
    for (const size of [0, 1, 60_000, 2, 3]) {
      client.send(Buffer.alloc(size), port, '127.0.0.1');
    }
    await all;
    expect(sizes).toEqual([0, 1, 60_000, 2, 3]);
  });

  it('that nobody takes it is told, and the next datagram is tried again', async () => {
    const gone = await udp();
    const { port: closedPort } = gone.address() as AddressInfo;
    sockets.splice(sockets.indexOf(gone), 1);
    gone.close();
    const { port, until } = start(reactorOf(kind), {
      target: [{ kind: 'udp', host: '127.0.0.1', port: closedPort }],
    });
    const client = await udp();
    client.send('x', port, '127.0.0.1');
    await until('refused 1 -111');
    const back = await udp(closedPort);
    const arrived = once(back, 'message');
    client.send('y', port, '127.0.0.1');
    expect(String((await arrived)[0])).toBe('y');
  });

  it('a target with several addresses is tried at the next one when the first refuses', async () => {
    const server = await echo();
    const { port: there } = server.address as { port: number };
    const none: Address = { kind: 'udp', host: '::1', port: there };
    const { port, until, log } = start(reactorOf(kind), { target: [none, server.address] });
    const client = await udp();
    client.send('x', port, '127.0.0.1');
    await Promise.race([until('refused 1 -111'), until('lost 1 client -99'), until('lost 1 client -97')]);
    expect(await ask(client, port, 'y')).toBe('y');
    expect(log).toContain('1 server y');
  });

  it('a flow that is idle ends, and its client can come again', async () => {
    const server = await echo();
    const { tap, port, until } = start(reactorOf(kind), { target: [server.address], idle: 20e6 });
    const client = await udp();
    await ask(client, port, 'x');
    await until('ended 1 idle');
    expect(tap.flowCount).toBe(0);
    expect([...tap.flows]).toEqual([]);
    expect(await ask(client, port, 'y')).toBe('y');
    await until('ended 2 idle');
  });

  it('beyond the bound the flow that was silent longest goes, and that is told', async () => {
    const server = await echo();
    const { tap, port, log } = start(reactorOf(kind), { target: [server.address], most: 2 });
    const [a, b, c] = [await udp(), await udp(), await udp()];
    await ask(a, port, 'a');
    await ask(b, port, 'b');
    await ask(a, port, 'a');
    await ask(c, port, 'c');
    expect(log.filter((line) => line.startsWith('ended'))).toEqual(['ended 2 crowded']);
    expect(tap.flowCount).toBe(2);
  });

  it('stages hold, drop and answer datagrams of their direction, and go when they are taken out', async () => {
    const server = await echo();
    const rule: DatagramStage = {
      held: 0,
      datagram(bytes, _at, out) {
        const text = String(Buffer.from(bytes));
        if (text === 'ask') {
          out.answer(Buffer.from('answered here'));
          out.say('replied');
        } else if (text !== 'drop') {
          out.pass(Buffer.from(text.toUpperCase()));
        }
      },
      timer() {},
    };
    const { tap, port, log } = start(reactorOf(kind), { target: [server.address] }, () => ({
      up: [rule],
      down: [],
    }));
    const client = await udp();
    expect(await ask(client, port, 'ask')).toBe('answered here');
    client.send('drop', port, '127.0.0.1');
    expect(await ask(client, port, 'pass')).toBe('PASS');
    expect(log).toEqual([
      'opened 1',
      '1 server answered here',
      'said 1 client replied',
      '1 client PASS',
      '1 server PASS',
    ]);
    const [flow] = [...tap.flows] as [UdpFlow];
    tap.removeStage(flow, 'client', rule);
    expect(await ask(client, port, 'plain')).toBe('plain');
  });

  it('latency delays a reply by what was asked, and a stage can be added while it runs', async () => {
    const server = await echo();
    const reactor = reactorOf(kind);
    const { tap, port } = start(reactor, { target: [server.address] });
    const client = await udp();
    await ask(client, port, 'x');
    const [flow] = [...tap.flows] as [UdpFlow];
    const link = { from: 'server' as const, connection: 1, random: () => 0.5, shared: {} };
    tap.addStage(flow, 'server', latency.datagram!({ delayMs: 30, jitterMs: 0 }, link));
    const began = performance.now();
    expect(await ask(client, port, 'slow')).toBe('slow');
    expect(performance.now() - began).toBeGreaterThanOrEqual(29);
  });

  it('closing it ends every flow once, and what comes afterwards goes nowhere', async () => {
    const server = await echo();
    const { tap, port, log } = start(reactorOf(kind), { target: [server.address] });
    const client = await udp();
    await ask(client, port, 'x');
    tap.close();
    tap.close();
    expect(log.filter((line) => line.startsWith('ended'))).toEqual(['ended 1 closed']);
    const gone = createUdpTap(
      reactors[0]!,
      { listen: { ...ANY, host: '192.0.2.1' }, target: [] },
      {} as UdpHooks,
    );
    expect(gone).toBe(-99);
  });
});
