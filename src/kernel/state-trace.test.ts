import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Layout, layoutOf, parseCpus, parseFormat } from './perf-format.ts';
import { createRing } from './perf-ring.ts';
import { decodeChange } from './state-trace.ts';

const FORMAT = `name: inet_sock_set_state
ID: 1234
format:
\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;
\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;

\tfield:const void * skaddr;\toffset:8;\tsize:8;\tsigned:0;
\tfield:int oldstate;\toffset:16;\tsize:4;\tsigned:1;
\tfield:int newstate;\toffset:20;\tsize:4;\tsigned:1;
\tfield:__u16 sport;\toffset:24;\tsize:2;\tsigned:0;
\tfield:__u16 dport;\toffset:26;\tsize:2;\tsigned:0;
\tfield:__u16 family;\toffset:28;\tsize:2;\tsigned:0;
\tfield:__u16 protocol;\toffset:30;\tsize:2;\tsigned:0;
\tfield:__u8 saddr[4];\toffset:32;\tsize:4;\tsigned:0;
\tfield:__u8 daddr[4];\toffset:36;\tsize:4;\tsigned:0;
\tfield:__u8 saddr_v6[16];\toffset:40;\tsize:16;\tsigned:0;
\tfield:__u8 daddr_v6[16];\toffset:56;\tsize:16;\tsigned:0;

print fmt: "family=%s", REC->family
`;
const layout = layoutOf(FORMAT)!;

/** A sample's payload: time, length, record. */
function sample(where: Layout, protocol = 6, family = 2): Uint8Array {
  const b = new Uint8Array(12 + where.least);
  const view = new DataView(b.buffer);
  view.setBigUint64(0, 5_000_000_700n, true);
  view.setUint32(8, where.least, true);
  view.setBigUint64(12 + where.skaddr, 0xffff_8880_0000_00abn, true);
  view.setUint32(12 + where.oldstate, 2, true);
  view.setUint32(12 + where.newstate, 1, true);
  view.setUint16(12 + where.sport, 4000, true);
  view.setUint16(12 + where.dport, 80, true);
  view.setUint16(12 + where.family, family, true);
  b[12 + where.protocol] = protocol;
  b.set([10, 9, 0, 1], 12 + where.saddr);
  b.set([10, 9, 0, 2], 12 + where.daddr);
  b.set([0xfd, 0x09], 12 + where.saddr_v6);
  b[12 + where.saddr_v6 + 15] = 1;
  b.set([0xfd, 0x09], 12 + where.daddr_v6);
  b[12 + where.daddr_v6 + 15] = 2;
  return b;
}
const decode = (b: Uint8Array, where = layout) => decodeChange(b, 0, b.length, where, 5_000_000_000n);

describe('a record of the tracepoint', () => {
  it('is read by the format that the kernel gives, wherever its fields lie', () => {
    const change = {
      at: 700,
      sk: 'ffff8880000000ab',
      local: { address: '10.9.0.1', port: 4000 },
      peer: { address: '10.9.0.2', port: 80 },
      from: 2,
      to: 1,
    };
    expect(decode(sample(layout))).toEqual(change);
    const moved = layoutOf(FORMAT.replace(/offset:(\d+);/g, (_, at) => `offset:${Number(at) + 24};`))!;
    expect(moved.saddr).toBe(56);
    expect(decode(sample(moved), moved)).toEqual(change);
  });

  it('of an IPv6 socket has IPv6 addresses; of another protocol it is none', () => {
    expect(decode(sample(layout, 6, 10))).toMatchObject({
      local: { address: 'fd09::1' },
      peer: { address: 'fd09::2' },
    });
    expect(decode(sample(layout, 132))).toBeNull();
  });

  it('that is cut off anywhere is none', () => {
    const whole = sample(layout);
    for (let length = 0; length < whole.length; length++) {
      expect(decodeChange(whole.subarray(0, length), 0, length, layout, 0n)).toBeNull();
      expect(decodeChange(whole, 0, length, layout, 0n)).toBeNull();
    }
  });

  it('with a field missing or too small has no layout', () => {
    expect(layoutOf(FORMAT.replace('dport', 'other'))).toBeNull();
    expect(layoutOf(FORMAT.replace('offset:40;\tsize:16', 'offset:40;\tsize:4'))).toBeNull();
    expect(layoutOf('')).toBeNull();
  });

  it('and its format may be any text', () => {
    expect(parseFormat(FORMAT).get('saddr_v6')).toEqual({ at: 40, size: 16 });
    fc.assert(
      fc.property(fc.string(), fc.uint8Array({ maxLength: 120 }), (text, bytes) => {
        expect(layoutOf(text)).toBeNull();
        parseCpus(text);
        const change = decode(bytes);
        expect(change === null || bytes.length >= 12 + layout.least).toBe(true);
      }),
    );
  });

  it('comes from each CPU that is online', () => {
    expect(parseCpus('0-3,6\n')).toEqual([0, 1, 2, 3, 6]);
    expect(parseCpus('0\n')).toEqual([0]);
    expect(parseCpus('')).toEqual([]);
  });
});

const PAGE = 4096;
const HEAD = 1024 / 8;
const TAIL = 1032 / 8;
const SIZE = 64;

/** Writes as the kernel does: wrapping, then moving the head. */
function writer(memory: ArrayBuffer): (type: number, payload: Uint8Array) => void {
  const control = new BigUint64Array(memory, 0, PAGE / 8);
  const data = new Uint8Array(memory, PAGE);
  return (type, payload) => {
    const record = new Uint8Array(8 + payload.length);
    const view = new DataView(record.buffer);
    view.setUint32(0, type, true);
    view.setUint16(6, record.length, true);
    record.set(payload, 8);
    const head = Number(control[HEAD]);
    for (const [index, byte] of record.entries()) {
      data[(head + index) % data.length] = byte;
    }
    control[HEAD] = BigInt(head + record.length);
  };
}

describe('the ring of a perf event', () => {
  it('gives every sample once, whole, across its end too, and says what was lost', () => {
    const memory = new ArrayBuffer(PAGE + SIZE);
    const write = writer(memory);
    const ring = createRing(memory, PAGE);
    const seen: number[][] = [];
    let lost = 0;
    const visit = {
      sample: (b: Uint8Array, at: number, end: number) => void seen.push([...b.subarray(at, end)]),
      lost: (count: number) => {
        lost += count;
      },
    };
    for (let turn = 0; turn < 9; turn++) {
      write(9, new Uint8Array(16).fill(turn));
      ring.read(visit);
    }
    const gone = new Uint8Array(16);
    gone[8] = 5;
    write(2, gone);
    write(77, new Uint8Array(8));
    ring.read(visit);
    ring.read(visit);
    expect(seen).toEqual(Array.from({ length: 9 }, (_, turn) => Array(16).fill(turn)));
    expect(lost).toBe(5);
    const control = new BigUint64Array(memory, 0, PAGE / 8);
    expect(control[TAIL]).toBe(control[HEAD]);
  });

  it('with any bytes in it comes to its end', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: SIZE, maxLength: SIZE }),
        fc.nat(5),
        fc.nat(8),
        (bytes, tail, used) => {
          const memory = new ArrayBuffer(PAGE + SIZE);
          new Uint8Array(memory, PAGE).set(bytes);
          const control = new BigUint64Array(memory, 0, PAGE / 8);
          control[TAIL] = BigInt(tail * 8);
          control[HEAD] = BigInt((tail + used) * 8);
          createRing(memory, PAGE).read({
            sample: (b, _, end) => expect(end).toBeLessThanOrEqual(b.length),
            lost() {},
          });
          expect(control[HEAD]! - control[TAIL]!).toBeLessThan(8n);
        },
      ),
    );
  });
});
