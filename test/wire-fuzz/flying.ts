/** Frames, segments, fragments and noise into a lane. */
import { type Packet, packetBytes } from '../fixtures/tcp-script.ts';
import { mutated } from './mutate.ts';
import { type Frame, framesOf, linked, packetsOf } from './packets.ts';
import type { Random } from './random.ts';
import type { Target } from './run.ts';
import type { Talk } from './talks.ts';
import { watchedLane } from './watched.ts';

const LINK_TYPES = [0, 1, 12, 101, 108, 113, 228, 229, 276];

/** Single frames, wrong at any layer, of several connections at once. */
export function frames(talks: readonly Talk[]): Target {
  return {
    name: 'frames',
    batch(random, clock) {
      const watched = watchedLane(clock, 4);
      const several = Array.from({ length: 4 }, () => framesOf(random.pick(talks), random).slice(0, 60));
      let cases = 0;
      while (several.some((one) => one.length > 0)) {
        const frame = random.pick(several.filter((one) => one.length > 0)).shift()!;
        watched.send(random.oneIn(2) ? frame : wrongFrame(frame, random, frame.bytes), 1e5);
        cases++;
      }
      watched.finish();
      return cases;
    },
  };
}

export function wrongFrame(frame: Frame, random: Random, other: Uint8Array): Frame {
  // The headers are short, and most bytes are payload: the wounds go where each is as likely.
  const head = Math.min(frame.bytes.length, 90);
  const wounded = random.oneIn(3)
    ? mutated(frame.bytes, random, other)
    : Buffer.concat([
        sameSize(mutated(frame.bytes.subarray(0, head), random, other), head, random),
        frame.bytes.subarray(head),
      ]);
  const bytes = new Uint8Array(wounded);
  const linkType = random.oneIn(10)
    ? random.pick(LINK_TYPES)
    : random.oneIn(50)
      ? random.below(65_536)
      : frame.linkType;
  const wireLength = Math.max(
    bytes.length,
    random.oneIn(4) ? bytes.length + random.small(70_000) : frame.wireLength,
  );
  return { bytes, linkType, wireLength };
}

function sameSize(bytes: Uint8Array, size: number, random: Random): Uint8Array {
  return random.oneIn(2) || bytes.length === size
    ? bytes
    : Buffer.concat([bytes, new Uint8Array(size)]).subarray(0, size);
}

/** Whole connections whose segments come twice, late, never, overlapping, from elsewhere and out of any window. */
export function segments(talks: readonly Talk[]): Target {
  return {
    name: 'segments',
    batch(random, clock) {
      const watched = watchedLane(clock, 0);
      const cases = 20;
      for (let i = 0; i < cases; i++) {
        const packets = packetsOf(random.pick(talks), random).slice(0, 200);
        const foreign = packetsOf(random.pick(talks), random);
        for (const packet of disordered(packets, foreign, random)) {
          watched.send(linked(packetBytes(packet), random), random.oneIn(50) ? 40e9 : random.below(3e6));
        }
      }
      watched.finish();
      return cases;
    },
  };
}

function disordered(packets: Packet[], foreign: Packet[], random: Random): Packet[] {
  const result = [...packets];
  for (let times = 1 + random.small(12); times > 0 && result.length > 0; times--) {
    const at = random.below(result.length);
    const packet = result[at]!;
    const { tcp } = packet;
    switch (random.below(8)) {
      case 0:
        result.splice(at, 1);
        break;
      case 1:
        result.splice(random.below(result.length), 0, packet);
        break;
      case 2:
        result.splice(at, 1);
        result.splice(random.below(result.length + 1), 0, packet);
        break;
      case 3:
        result[at] = { ...packet, payload: random.pick(foreign).payload ?? new Uint8Array(0) };
        break;
      case 4:
        result[at] = { ...packet, from: packet.to, to: packet.from };
        break;
      default:
        if (tcp !== undefined) {
          const far = random.pick([1, -1, -700, 700, 65_536, 2 ** 26, 2 ** 30, 2 ** 31]);
          const flags = random.oneIn(3) ? random.below(512) : tcp.flags;
          const moved = random.oneIn(2)
            ? { seq: tcp.seq + far }
            : { seq: tcp.seq, ack: (tcp.ack ?? 0) + far };
          const window = random.pick([0, 1, 65_535]);
          const wrong = {
            ...packet,
            tcp: {
              ...tcp,
              ...moved,
              flags,
              window,
              ...(random.oneIn(4) ? { scale: random.below(256) } : {}),
            },
          };
          result.splice(at, random.below(2), wrong);
        }
    }
  }
  return result;
}

/** Bytes that were never anything, as frames of any link. */
export const noise: Target = {
  name: 'noise',
  batch(random, clock) {
    const watched = watchedLane(clock, 2);
    const cases = 500;
    for (let i = 0; i < cases; i++) {
      const bytes = random.bytes(random.small(300));
      if (random.oneIn(2) && bytes.length > 40) {
        // What looks like IP gets further.
        const at = random.pick([0, 14, 16, 20]);
        bytes[at] = random.pick([0x45, 0x46, 0x4f, 0x60]);
        bytes.set(
          random.pick([
            [8, 0],
            [0x86, 0xdd],
            [0x81, 0],
            [8, 6],
            [0x88, 0xa8],
          ]),
          at >= 2 ? at - 2 : 0,
        );
        bytes[at + 9] = random.pick([6, 17, 1, 58]);
        bytes[at + 6] = random.pick([6, 17, 58, 44, 0, 43, 60, 51]);
      }
      const linkType = random.oneIn(8) ? random.below(65_536) : random.pick(LINK_TYPES);
      watched.send({ bytes, linkType, wireLength: bytes.length + random.small(2000) }, random.below(1e9));
    }
    watched.finish();
    return cases;
  },
};

/** Pieces of datagrams that overlap, contradict each other, never end, or are more than anyone holds. */
export const fragments: Target = {
  name: 'fragments',
  batch(random, clock) {
    const watched = watchedLane(clock, 16);
    const cases = 500;
    for (let i = 0; i < cases; i++) {
      const six = random.oneIn(2);
      const payload = random.bytes(random.pick([0, 1, 7, 8, 16, 64, 512, 1480]));
      const offset = random.oneIn(3) ? random.below(0x2000) : random.below(8);
      const place = six ? (offset << 3) | (random.oneIn(2) ? 1 : 0) : offset | (random.oneIn(2) ? 0x2000 : 0);
      const id = random.oneIn(2) ? random.below(4) : random.below(65_536);
      const packet = { at: 0, from: { address: six ? Array(16).fill(1) : [1, 2, 3, 4], port: 0 }, payload };
      const whole = packetBytes({ ...packet, to: { address: packet.from.address, port: 0 } });
      let bytes = whole;
      const view = new DataView(whole.buffer);
      if (six) {
        bytes = new Uint8Array(whole.length + 8);
        bytes.set(whole.subarray(0, 40));
        bytes.set(whole.subarray(40), 48);
        bytes[6] = 44;
        bytes[40] = random.pick([6, 17, 44, 0, 58]);
        new DataView(bytes.buffer).setUint16(4, bytes.length - 40);
        new DataView(bytes.buffer).setUint16(42, place);
        bytes[47] = id;
      } else {
        view.setUint16(4, id);
        view.setUint16(6, place);
      }
      watched.send(linked(bytes, random), random.oneIn(100) ? 31e9 : 1000);
    }
    watched.finish();
    return cases;
  },
};
