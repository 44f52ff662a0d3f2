/** Packets without number: what is held after them, whoever they pretend to come from. */

import { MAX_FLOWS } from '../../src/wire/flows.ts';
import { LINK } from '../../src/wire/headers.ts';
import { packetBytes } from '../fixtures/tcp-script.ts';
import { broken } from './checks.ts';
import { held } from './memory.ts';
import { mutated } from './mutate.ts';
import { type Frame, framesOf } from './packets.ts';
import type { Random } from './random.ts';
import type { Target } from './run.ts';
import type { Talk } from './talks.ts';
import { type Watched, watchedLane } from './watched.ts';

/** MAX_FLOWS connections with both their directions, and the statistics of as many hosts; twice that with conversations. */
const MOST_FOR_FLOWS_MIB = 256;
/** What lies behind holes: Limits.keptInTotal, and what it costs to keep it. */
const MOST_FOR_HOLES_MIB = 160;
/** A few connections. */
const MOST_FOR_FEW_MIB = 64;

type Make = (number: number, random: Random) => Frame;

function flood(name: string, count: number, most: number, make: Make): Target {
  return {
    name,
    batch(random, clock) {
      return poured(watchedLane(clock, 0), count, most, (number) => make(number, random));
    },
  };
}

function poured(watched: Watched, count: number, most: number, make: (number: number) => Frame): number {
  const before = held();
  for (let i = 0; i < count; i++) {
    watched.send(make(i), 1000);
  }
  const grown = held() - before;
  console.log(`${count} packets: ${grown.toFixed(1)} MiB held, ${watched.lane.streams.open} flows open`);
  if (grown > most || watched.lane.streams.open > MAX_FLOWS) {
    broken(`${grown.toFixed(1)} MiB held by ${watched.lane.streams.open} flows`);
  }
  watched.finish();
  return count;
}

function tcp(source: number, flags: number, seq: number, payload: Uint8Array): Frame {
  const address = [10, (source >>> 16) & 255, (source >>> 8) & 255, source & 255];
  const from = { address, port: 1024 + (source % 60_000) };
  const bytes = packetBytes({
    at: 0,
    from,
    to: { address: [10, 0, 0, 2], port: 80 },
    tcp: { seq, ack: 1, flags },
    payload,
  });
  return { bytes, linkType: LINK.raw, wireLength: bytes.length };
}

const NOTHING = new Uint8Array(0);

export function floods(count: number, talks: readonly Talk[]): Target[] {
  const part = new TextEncoder().encode('POST / HTTP/1.1\r\nx: '.padEnd(200, 'a'));
  let frames: Frame[] = [];
  return [
    flood('SYN of new connections', count, MOST_FOR_FLOWS_MIB, (i) => tcp(i, 2, i, NOTHING)),
    flood('UDP of new conversations', count, MOST_FOR_FLOWS_MIB, (i) => {
      const bytes = packetBytes({
        at: 0,
        from: { address: [11, (i >>> 16) & 255, (i >>> 8) & 255, i & 255], port: 5000 },
        to: { address: [10, 0, 0, 2], port: 53 },
        payload: Uint8Array.of(i, i >> 8, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 97, 0, 0, 1, 0, 1),
      });
      return { bytes, linkType: LINK.raw, wireLength: bytes.length };
    }),
    flood('segments behind holes', Math.min(count, 200_000), MOST_FOR_HOLES_MIB, (i, random) => {
      const stream = i % 500;
      return tcp(
        stream,
        i < 500 ? 2 : 16,
        i < 500 ? 0 : 1000 + random.below(500_000),
        i < 500 ? NOTHING : new Uint8Array(1000),
      );
    }),
    flood('segments out of any window', Math.min(count, 200_000), MOST_FOR_FEW_MIB, (i, random) =>
      tcp(i % 10, i < 10 ? 2 : 24, i < 10 ? 0 : random.next(), i < 10 ? NOTHING : part),
    ),
    flood('halves of requests', Math.min(count, 200_000), 2 * MOST_FOR_FLOWS_MIB, (i) => tcp(i, 24, 1, part)),
    flood('anything', Math.min(count, 200_000), 2 * MOST_FOR_FLOWS_MIB, (_i, random) => {
      if (frames.length === 0) {
        frames = framesOf(random.pick(talks), random).slice(0, 300);
      }
      const frame = frames.shift()!;
      return random.oneIn(2)
        ? frame
        : { ...frame, bytes: mutated(frame.bytes, random, frame.bytes), wireLength: 70_000 };
    }),
  ];
}
