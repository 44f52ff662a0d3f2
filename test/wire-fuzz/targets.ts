/** What is played: each target makes its cases from talks, of which every one may be wrong in many ways. */

import type { Turn } from '../../src/wire/app/decoder.contract.ts';
import type { Decoder, Side } from '../../src/wire/app/decoder.ts';
import { vocabulary } from '../../src/wire/app/decoders.ts';
import { displayFilter } from '../../src/wire/display/filter.ts';
import { packetFields, protocolTests } from '../../src/wire/display/packet-fields.ts';
import { type Heard, heard } from '../../src/wire/heard.ts';
import { createReader } from '../../src/wire/pcapng.ts';
import { Maker } from '../../src/wire/pcapng-fixture.ts';
import { MAX_RECORD } from '../../src/wire/pcapng-reading.ts';
import { type Packet, packetBytes } from '../fixtures/tcp-script.ts';
import { broken } from './checks.ts';
import { mutated } from './mutate.ts';
import { type Frame, framesOf, linked, packetsOf } from './packets.ts';
import type { Random } from './random.ts';
import type { Clock, Target } from './run.ts';
import { decoders } from './spoken.ts';
import type { Talk } from './talks.ts';
import { watchedConversation, watchedLane } from './watched.ts';

const LONGEST_TURN = 6000;
const MOST_TURNS = 12;
const LINK_TYPES = [0, 1, 12, 101, 108, 113, 228, 229, 276];

/** One decoder hears talks of its own, and sometimes those of others. */
export function conversations(decoder: Decoder, talks: readonly Talk[]): Target {
  const own = talks.filter(({ protocol }) => protocol === decoder.name);
  return {
    name: decoder.name,
    batch(random, clock) {
      const cases = 100;
      for (let i = 0; i < cases; i++) {
        const talk = own.length === 0 || random.oneIn(8) ? random.pick(talks) : random.pick(own);
        const turns = wronged(talk, random.pick(talks), random);
        try {
          converse(decoder, talk, turns, random, clock);
        } catch (error) {
          const said = turns.map(
            ({ side, bytes }) => `${side} ${Buffer.from(bytes.subarray(0, 400)).toString('hex')}`,
          );
          throw new Error(`case ${i} (${talk.protocol}): ${(error as Error).stack}\n${said.join('\n')}`);
        }
      }
      return cases;
    },
  };
}

function wronged(talk: Talk, other: Talk, random: Random): Turn[] {
  const first = random.oneIn(4) ? random.below(talk.turns.length) : 0;
  const turns = talk.turns.slice(first, first + MOST_TURNS).map(({ side, bytes }) => ({
    side,
    bytes: bytes.length > LONGEST_TURN ? bytes.subarray(0, LONGEST_TURN) : bytes,
  }));
  for (let times = random.small(3); times > 0; times--) {
    const at = random.below(turns.length);
    switch (random.below(5)) {
      case 0:
        turns.splice(at, 1, turns[at]!, turns[at]!);
        break;
      case 1:
        turns.splice(at, 1);
        break;
      case 2:
        turns.splice(at, 0, random.pick(turns));
        break;
      case 3:
        turns[at] = { ...turns[at]!, side: random.pick<Side>(['client', 'server']) };
        break;
      default:
        turns.splice(at, 0, { ...random.pick(other.turns) });
    }
    if (turns.length === 0) {
      return turns;
    }
  }
  for (let times = 1 + random.small(2); times > 0; times--) {
    const at = random.below(turns.length);
    const { side, bytes } = turns[at]!;
    turns[at] = {
      side,
      bytes: mutated(bytes, random, random.pick(other.turns).bytes).subarray(0, 2 * LONGEST_TURN),
    };
  }
  return turns;
}

function converse(decoder: Decoder, talk: Talk, turns: readonly Turn[], random: Random, clock: Clock): void {
  const transport = decoder.transports.includes(talk.transport) ? talk.transport : decoder.transports[0]!;
  const beginner = decoders.find(({ name }) => name === talk.begins) ?? decoder;
  const start = {
    transport,
    clientPort: 40_000,
    serverPort: random.oneIn(4) ? random.below(65_536) : talk.port,
    midStream: random.oneIn(5),
  };
  const conversation = watchedConversation(start, random.oneIn(2) ? beginner : undefined, (text) =>
    occurrences(turns, text),
  );
  const how = random.below(3);
  let at = 0;
  for (const { side, bytes } of turns) {
    if (transport === 'udp') {
      clock.start();
      conversation.datagram(side, bytes, 0, bytes.length, ++at);
      clock.stop();
      continue;
    }
    for (let from = 0; from < bytes.length; ) {
      const to = Math.min(
        bytes.length,
        from + (how === 0 ? bytes.length : how === 1 ? 1 + random.small(200) : 1448),
      );
      // Lent: nobody may look at it later.
      const lent = bytes.slice(from, to);
      clock.start();
      conversation.feed(side, lent, 0, lent.length, ++at);
      clock.stop();
      lent.fill(0xa5);
      from = to;
      if (random.oneIn(60)) {
        conversation.gap(side, random.pick([1, 100, 2 ** 31]), at);
      }
    }
  }
  conversation.end(random.oneIn(2) ? 'client' : 'server', ++at);
  conversation.end('client', ++at);
  conversation.end('server', ++at);
}

const latin = new TextDecoder('latin1');

/** Also where it stands in two pieces' meeting: then it counts as often. */
function occurrences(turns: readonly Turn[], text: string): number {
  const bytes = Buffer.from(text, 'utf8').toString('latin1');
  const all = ['client', 'server'].map((side) =>
    turns
      .filter((turn) => turn.side === side)
      .map((turn) => latin.decode(turn.bytes))
      .join(''),
  );
  return all.reduce((sum, one) => sum + one.split(bytes).length - 1, 0);
}

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

function wrongFrame(frame: Frame, random: Random, other: Uint8Array): Frame {
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

/** Capture files of both formats and byte orders, wrong anywhere, in pieces of any size. */
export function captures(talks: readonly Talk[]): Target {
  return {
    name: 'captures',
    batch(random, clock) {
      const cases = 50;
      for (let i = 0; i < cases; i++) {
        const file = captureOf(framesOf(random.pick(talks), random).slice(0, 6), random);
        readThrough(mutated(file, random, file), random, clock);
      }
      return cases;
    },
  };
}

function captureOf(list: readonly Frame[], random: Random): Uint8Array {
  const maker = new Maker(random.oneIn(2));
  if (random.oneIn(3)) {
    maker
      .u32(random.pick([0xa1b2c3d4, 0xa1b23c4d, 0xa1b2cd34]))
      .u16(2)
      .u16(4)
      .u32(0)
      .u32(0)
      .u32(65_535)
      .u32(1);
    for (const { bytes } of list) {
      maker.u32(1).u32(2).u32(bytes.length).u32(bytes.length).raw(bytes);
    }
    return maker.done();
  }
  maker.section(random.oneIn(3) ? 0n : -1n);
  maker.interface(1, 0, (options) => {
    options
      .option(2, (value) => value.text('eth0'))
      .option(9, (value) => value.u8(random.pick([6, 9, 0x80 | 20, 255])));
    options.option(14, (value) => value.u64(BigInt(random.next())));
  });
  for (const { bytes } of list) {
    maker.packet(0, BigInt(random.next()) << 20n, bytes, (options) => {
      options
        .option(1, (value) => value.text('a comment'))
        .option(4, (value) => value.u64(3n))
        .option(2, (value) => value.u32(1));
    });
  }
  maker.block(4, (body) => body.u16(1).u16(9).raw([10, 0, 0, 1]).text('name\0').pad().u32(0));
  maker.block(5, (body) =>
    body
      .u32(0)
      .u32(1)
      .u32(2)
      .option(4, (value) => value.u64(9n)),
  );
  maker.block(10, (body) => body.u32(0x544c534b).u32(6).text('secret'));
  maker.block(9, (body) => body.text('__REALTIME_TIMESTAMP=1\nMESSAGE=x\n'));
  return maker.done();
}

function readThrough(file: Uint8Array, random: Random, clock: Clock): void {
  let packets = 0;
  const reader = createReader({
    packet(bytes, from, to, wireLength, seconds, nanoseconds) {
      packets++;
      if (from < 0 || to < from || to > bytes.length || wireLength < to - from) {
        broken(`packet [${from}, ${to}) of ${bytes.length}, ${wireLength} on the wire`);
      }
      if (!Number.isFinite(seconds) || !(nanoseconds >= 0 && nanoseconds < 1e9)) {
        broken(`packet at ${seconds} s and ${nanoseconds} ns`);
      }
    },
    comment() {},
    dropped() {},
    section() {},
    interface() {},
    name() {},
    statistics() {},
    secret() {},
    journal() {},
    trouble(offset, sentence) {
      if (!(offset >= 0) || sentence === '') {
        broken(`trouble at ${offset}: ${sentence}`);
      }
    },
  });
  let kept = 0;
  for (let to = 0; to < file.length && reader.wants > 0; ) {
    to = Math.min(file.length, to + 1 + random.small(4096));
    clock.start();
    const consumed = reader.push(file, kept, to);
    clock.stop();
    kept += consumed;
    if (kept > to || reader.wants > MAX_RECORD) {
      broken(`${kept} of ${to} bytes consumed, ${reader.wants} wanted`);
    }
  }
  reader.end(file.length - kept);
  if (packets > file.length / 12) {
    broken(`${packets} packets of ${file.length} bytes`);
  }
}

const FILTER_WORDS = [
  ...[
    '==',
    '!=',
    '<',
    '>=',
    'contains',
    '~',
    'and',
    'or',
    'not',
    '!',
    '(',
    ')',
    '"a',
    '"b"',
    '/x/',
    '&&',
    '||',
    ':',
  ],
  ...[
    '10.0.0.0/8',
    '::1',
    '[::1]:80',
    '0x1f',
    '-1',
    '1e999',
    '20ms',
    '5kB',
    'true',
    'tcp',
    'redis',
    'http.status',
  ],
  ...['\\', "'", '~ "(a+)+"', '\0', '\u{1f600}', '{', '*', '['],
];

/** Whatever is typed as a filter, it is read or pointed at, and judges any packet. */
export function filters(talks: readonly Talk[]): Target {
  const words = vocabulary(decoders);
  const names = [
    ...packetFields.keys(),
    ...protocolTests.keys(),
    ...[...words].flatMap(([name, fields]) => [name, `${name}.${fields[0]}`]),
  ];
  return {
    name: 'filters',
    batch(random, clock) {
      const cases = 200;
      const messages: Heard[] = [];
      const every = Array.from({ length: cases }, () =>
        Array.from({ length: 1 + random.small(8) }, () =>
          random.pick(random.oneIn(2) ? names : FILTER_WORDS),
        ).join(random.oneIn(6) ? '' : ' '),
      );
      const made = every.map((text) => {
        clock.start();
        const filter = displayFilter(text, words);
        clock.stop();
        if (!('matches' in filter) && !(filter.at >= 0 && filter.at <= text.length && filter.length > 0)) {
          broken(`${JSON.stringify(text)} is pointed at from ${filter.at} for ${filter.length}`);
        }
        return filter;
      });
      let turn = 0;
      const watched = watchedLane(clock, 0, {
        message: (spoken) => messages.push(heard(spoken, true)),
        packet(lane) {
          for (let i = 0; i < 4; i++) {
            const filter = made[turn++ % made.length]!;
            if ('matches' in filter) {
              filter.matches({
                lane,
                flow: lane.flow,
                messages,
                message: null,
                owners: () => [{ pid: 1, program: 'a' }],
              });
            }
          }
          messages.length = 0;
        },
      });
      for (const frame of framesOf(random.pick(talks), random).slice(0, 60)) {
        watched.send(random.oneIn(4) ? wrongFrame(frame, random, frame.bytes) : frame, 1000);
      }
      watched.finish();
      return cases;
    },
  };
}
