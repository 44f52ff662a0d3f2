import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Memory, type Row, walkRows } from './sampler-rows.ts';

const GETSOCK = 18;
const DONE = 3;
const ERROR = 2;

function message(type: number, payload: Uint8Array): Uint8Array {
  const b = new Uint8Array((16 + payload.length + 3) & ~3);
  const view = new DataView(b.buffer);
  view.setUint32(0, 16 + payload.length, true);
  view.setUint16(4, type, true);
  b.set(payload, 16);
  return b;
}

/** struct inet_diag_msg with an INET_DIAG_INFO behind it. */
function socket(
  cookie: number,
  state: number,
  more: { queue?: number; cwnd?: number; rtt?: number } = {},
): Uint8Array {
  const b = new Uint8Array(72 + 4 + 104);
  const view = new DataView(b.buffer);
  b[0] = 2;
  b[1] = state;
  view.setUint16(4, 4000);
  view.setUint16(6, 80);
  b.set([10, 9, 0, 1], 8);
  b.set([10, 9, 0, 2], 24);
  view.setUint32(44, cookie, true);
  view.setUint32(56, more.queue ?? 0, true);
  view.setUint16(72, 108, true);
  view.setUint16(74, 2, true);
  view.setUint32(76 + 68, more.rtt ?? 0, true);
  view.setUint32(76 + 80, more.cwnd ?? 10, true);
  return message(GETSOCK, b);
}

const joined = (...parts: Uint8Array[]): Uint8Array => new Uint8Array(parts.flatMap((part) => [...part]));
const done = message(DONE, new Uint8Array(4));

function read(b: Uint8Array, memory: Memory = new Map()): { rows: Row[]; end: number | 'more' } {
  const rows: Row[] = [];
  return { end: walkRows(b, 0, b.length, rows, memory), rows };
}

describe('the answer to one look', () => {
  it('is rows until the end of the dump', () => {
    const { rows, end } = read(joined(socket(7, 1), socket(8, 6), done));
    expect(end).toBe(0);
    expect(rows.map(({ socket: cookie, state }) => [cookie, state])).toEqual([
      ['0000000000000007', 'ESTABLISHED'],
      ['0000000000000008', 'TIME-WAIT'],
    ]);
    expect(rows[0]).toMatchObject({
      tuple: {
        protocol: 'tcp',
        local: { address: '10.9.0.1', port: 4000 },
        peer: { address: '10.9.0.2', port: 80 },
      },
      tcp: { sndCwnd: 10 },
    });
    expect(read(socket(7, 1)).end).toBe('more');
  });

  it('of a listener has no tcp_info, which would be its queue in disguise', () => {
    expect(read(socket(7, 10)).rows[0]!.tcp).toBeUndefined();
  });

  it('is the same row while nothing that matters changed, and another when something did', () => {
    const memory: Memory = new Map();
    const first = read(socket(7, 1), memory).rows[0];
    expect(read(socket(7, 1, { rtt: 99 }), memory).rows[0]).toBe(first);
    for (const news of [socket(7, 1, { cwnd: 11 }), socket(7, 1, { queue: 1 }), socket(7, 8), socket(9, 1)]) {
      expect(read(news, memory).rows[0]).not.toBe(first);
    }
    expect(read(socket(7, 1, { cwnd: 11 }), memory).rows[0]!.tcp!.sndCwnd).toBe(11);
  });

  it('may be a refusal, or nonsense, which is one too', () => {
    const refused = new Uint8Array(4);
    new DataView(refused.buffer).setInt32(0, -1, true);
    expect(read(message(ERROR, refused)).end).toBe(-1);
    expect(read(message(GETSOCK, new Uint8Array(8))).end).toBe(-71);
    expect(read(new Uint8Array(5)).end).toBe(-71);
  });

  it('may be any bytes', () => {
    const answer = joined(socket(7, 1), socket(8, 6), done);
    const edits = fc.array(fc.tuple(fc.nat(answer.length - 1), fc.nat(255)), { maxLength: 8 });
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 300 }), edits), (input) => {
        const b = input instanceof Uint8Array ? input : answer.slice();
        if (!(input instanceof Uint8Array)) {
          for (const [at, value] of input) {
            b[at] = value;
          }
        }
        const { rows, end } = read(b);
        expect(rows.length).toBeLessThanOrEqual(b.length / 88);
        expect(end === 'more' || end <= 0).toBe(true);
      }),
    );
  });
});
