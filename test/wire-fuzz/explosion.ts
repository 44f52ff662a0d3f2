/** A bomb as packets: what each costs, and what is held when all have come and the connection is still open. */

import { LINK } from '../../src/wire/headers.ts';
import { createLane } from '../../src/wire/lane.ts';
import { packetBytes } from '../fixtures/tcp-script.ts';
import { type Bomb, stretches } from './bombs.ts';
import { broken } from './checks.ts';
import { held } from './memory.ts';
import type { Frame } from './packets.ts';
import type { Clock, Target } from './run.ts';
import { decoders } from './spoken.ts';
import { watchedLane } from './watched.ts';

/** One connection may hold that much, whatever is said on it. */
export const MOST_PER_CONNECTION_MIB = 16;

function packets(bomb: Bomb, segment: number, most: number): Frame[] {
  const next = { client: 1, server: 1 };
  const frames: Frame[] = [];
  const near = { address: [10, 0, 0, 1], port: 40_000 };
  const far = { address: [10, 0, 0, 2], port: bomb.port };
  const say = (side: 'client' | 'server', flags: number, payload: Uint8Array): void => {
    const [from, to] = side === 'client' ? [near, far] : [far, near];
    const ack = next[side === 'client' ? 'server' : 'client'];
    const bytes = packetBytes({ at: 0, from, to, tcp: { seq: next[side], ack, flags }, payload });
    frames.push({ bytes, linkType: LINK.raw, wireLength: bytes.length });
    next[side] += payload.length + (flags & 2) / 2;
  };
  say('client', 2, new Uint8Array(0));
  say('server', 18, new Uint8Array(0));
  for (const { side, bytes } of stretches(bomb)) {
    for (let at = 0; at < Math.min(bytes.length, most); at += segment) {
      say(side, 24, bytes.subarray(at, at + segment));
    }
  }
  return frames;
}

/** In segments of an interface with every message checked; as large as loopback has them; and byte by byte, in part. */
export function explosion(bomb: Bomb): Target {
  return {
    ...about(bomb),
    batch(_random, clock) {
      play(packets(bomb, 1448, Number.POSITIVE_INFINITY), watchedLane(clock, 0));
      play(packets(bomb, 65_483, Number.POSITIVE_INFINITY), bareLane(clock));
      play(packets(bomb, 1, 4000), bareLane(clock));
      return 3;
    },
  };
}

/** The beginning of it. */
export function fizzle(bomb: Bomb): Target {
  return {
    ...about(bomb),
    batch(_random, clock) {
      const lane = watchedLane(clock, 0);
      for (const frame of packets(bomb, 1448, 100_000)) {
        lane.send(frame, 1000);
      }
      lane.finish();
      return 1;
    },
  };
}

function about({ name, allowed }: Bomb): Pick<Target, 'name' | 'allowed'> {
  return allowed === undefined ? { name } : { name, allowed };
}

type Playing = Pick<ReturnType<typeof watchedLane>, 'send' | 'finish'>;

function play(frames: readonly Frame[], lane: Playing): void {
  const before = held();
  for (const frame of frames) {
    lane.send(frame, 1000);
  }
  const grown = held() - before;
  if (grown > MOST_PER_CONNECTION_MIB) {
    broken(`${grown.toFixed(1)} MiB held`);
  }
  lane.finish();
}

function bareLane(clock: Clock): Playing {
  const nothing = { packet() {}, message() {}, trouble() {}, closed() {} };
  const lane = createLane(nothing, { decoders, messages: true, checksums: false });
  let at = 0;
  return {
    send({ bytes, linkType, wireLength }, after) {
      at += after;
      clock.start();
      lane.frame(bytes, 0, bytes.length, wireLength, at, linkType);
      clock.stop();
    },
    finish: () => lane.finish(),
  };
}
