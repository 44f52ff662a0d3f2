import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { describe, expect, test } from 'vitest';
import { needs } from '../../test/needs.ts';
import { startClock } from './clock.ts';
import { type Frame, openRing, type Ring, type RingOptions, waitForRings } from './ring.ts';

const LOOPBACK = 1;
const IP = 0x0800;

/** `ret #k`: every packet, its first k bytes. */
function keep(k: number): Uint8Array {
  const program = new Uint8Array(8);
  const view = new DataView(program.buffer);
  view.setUint16(0, 6, true);
  view.setUint32(4, k, true);
  return program;
}

function ringOn(options: Partial<RingOptions> = {}): Ring {
  const ring = openRing({
    ifindex: LOOPBACK,
    blockSize: 1 << 16,
    blocks: 8,
    blockTimeoutMs: 5,
    promiscuous: false,
    program: keep(65_535),
    ignoreOutgoing: true,
    ...options,
  });
  if ('call' in ring) {
    throw new Error(`${ring.call}: ${ring.result}`);
  }
  return ring;
}

interface Seen extends Frame {
  payload: string;
}

async function bound(): Promise<{ socket: Socket; port: number }> {
  const socket = createSocket('udp4').bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return { socket, port: socket.address().port };
}

/** Sends to a port of our own and returns every frame that was going there, until the last one is in. */
async function frames(ring: Ring, texts: readonly string[], link: number): Promise<Seen[]> {
  const { socket, port } = await bound();
  for (const text of [...texts, 'last']) {
    await new Promise((sent) => socket.send(text, port, '127.0.0.1', sent));
  }
  const seen: Seen[] = [];
  const deadline = Date.now() + 10_000;
  while (!seen.some(({ payload }) => payload.startsWith('last')) && Date.now() < deadline) {
    waitForRings([ring], -1, 200);
    ring.read((frame) => {
      const at = frame.from + link;
      const toPort = (frame.bytes[at + 22]! << 8) | frame.bytes[at + 23]!;
      if (frame.protocol === IP && frame.bytes[at + 9] === 17 && toPort === port) {
        seen.push({ ...frame, payload: Buffer.from(frame.bytes.slice(at + 28, frame.to)).toString() });
      }
    });
  }
  socket.close();
  return seen;
}

describe.skipIf(needs('root').missing !== null)('a ring on the loopback', () => {
  test('shows each packet once, in order, with its bytes', async () => {
    const ring = ringOn();
    try {
      const seen = await frames(ring, ['one', 'two'], 14);
      expect(seen.map(({ payload }) => payload)).toEqual(['one', 'two', 'last']);
    } finally {
      ring.close();
    }
  });

  test('stamps with the wall clock to the nanosecond, close to now', async () => {
    const clock = startClock();
    const ring = ringOn();
    try {
      const [first] = await frames(ring, ['one'], 14);
      const at = clock.fromTimespec(first!.seconds, first!.nanoseconds);
      expect(at).toBeGreaterThan(0);
      expect(at).toBeLessThan(clock.now());
    } finally {
      ring.close();
    }
  });

  test('keeps as many bytes as the program returns and says how many there were', async () => {
    const ring = ringOn({ program: keep(14 + 28 + 4) });
    try {
      const [long] = await frames(ring, ['0123456789'], 14);
      expect(long).toMatchObject({ payload: '0123', wireLength: 14 + 28 + 10 });
      expect(long!.to - long!.from).toBe(14 + 28 + 4);
    } finally {
      ring.close();
    }
  });

  test('on every interface begins with the network header and names the interface', async () => {
    const ring = ringOn({ ifindex: 0, ignoreOutgoing: true });
    try {
      const [first] = await frames(ring, ['one'], 0);
      expect(ring.cooked).toBe(true);
      expect(first).toMatchObject({ payload: 'one', ifindex: LOOPBACK, protocol: IP });
    } finally {
      ring.close();
    }
  });

  test('counts what it handed over, and what it had no room for', async () => {
    const ring = ringOn({ blockSize: 1 << 12, blocks: 2 });
    const { socket, port } = await bound();
    try {
      for (let i = 0; i < 100; i++) {
        await new Promise((sent) => socket.send('x'.repeat(1000), port, '127.0.0.1', sent));
      }
      let handed = 0;
      waitForRings([ring], -1, 1000);
      handed += ring.read(() => {});
      const { packets, drops } = ring.counts();
      expect(drops).toBeGreaterThan(0);
      expect(packets).toBeGreaterThanOrEqual(handed);
      expect(packets + drops).toBeGreaterThanOrEqual(100);
      expect(ring.counts().drops).toBe(0);
    } finally {
      socket.close();
      ring.close();
    }
  });

  test('an interface that is not there is refused with the call and its errno', () => {
    const refused = openRing({
      ifindex: 999_999,
      blockSize: 1 << 12,
      blocks: 2,
      blockTimeoutMs: 5,
      promiscuous: false,
      program: keep(96),
      ignoreOutgoing: false,
    });
    expect(refused).toEqual({ call: 'bind', result: -19 });
  });

  test('a program that the kernel does not take is refused before anything is captured', () => {
    const jumpsAway = Uint8Array.of(0x05, 0, 0, 0, 9, 0, 0, 0);
    const refused = openRing({
      ifindex: LOOPBACK,
      blockSize: 1 << 12,
      blocks: 2,
      blockTimeoutMs: 5,
      promiscuous: false,
      program: jumpsAway,
      ignoreOutgoing: false,
    });
    expect(refused).toEqual({ call: 'setsockopt(SO_ATTACH_FILTER)', result: -22 });
  });
});
