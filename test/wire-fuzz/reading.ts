/** What else a user hands over: capture files, and display filters. */
import { vocabulary } from '../../src/wire/app/decoders.ts';
import { displayFilter } from '../../src/wire/display/filter.ts';
import { packetFields, protocolTests } from '../../src/wire/display/packet-fields.ts';
import { type Heard, heard } from '../../src/wire/heard.ts';
import { createReader } from '../../src/wire/pcapng.ts';
import { Maker } from '../../src/wire/pcapng-fixture.ts';
import { MAX_RECORD } from '../../src/wire/pcapng-reading.ts';
import { broken } from './checks.ts';
import { wrongFrame } from './flying.ts';
import { mutated } from './mutate.ts';
import { type Frame, framesOf } from './packets.ts';
import type { Random } from './random.ts';
import type { Clock, Target } from './run.ts';
import { decoders } from './spoken.ts';
import type { Talk } from './talks.ts';
import { watchedLane } from './watched.ts';

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
