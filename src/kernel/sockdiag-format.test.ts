import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { inetSocket, unixSocket } from '../see/row.ts';
import {
  attribute,
  INET,
  inetRequest,
  NLMSG_DONE,
  NLMSG_ERROR,
  SOCK_DIAG_BY_FAMILY,
  UNIX,
  walkMessages,
} from './sockdiag-format.ts';
import { readTcpInfo } from './tcp-info.ts';

const names = { device: (index: number) => `if${index}`, cgroup: () => null };

function message(type: number, payload: Uint8Array, length = 16 + payload.length, flags = 0): Uint8Array {
  const b = new Uint8Array((16 + payload.length + 3) & ~3);
  const view = new DataView(b.buffer);
  view.setUint32(0, length, true);
  view.setUint16(4, type, true);
  view.setUint16(6, flags, true);
  b.set(payload, 16);
  return b;
}

function joined(...parts: Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

const inetPayload = fc
  .tuple(fc.constantFrom(2, 10), fc.uint8Array({ minLength: 71, maxLength: 400 }))
  .map(([family, rest]) => Uint8Array.from([family, ...rest]));

function walk(bytes: Uint8Array) {
  const rows: [number, number][] = [];
  const end = walkMessages(bytes, 0, bytes.length, (from, to) => rows.push([from, to]));
  return { rows, end };
}

describe('netlink answers', () => {
  it('whole messages are rows, and DONE ends them', () => {
    fc.assert(
      fc.property(fc.array(inetPayload, { maxLength: 20 }), (payloads) => {
        const bytes = joined(
          ...payloads.map((p) => message(SOCK_DIAG_BY_FAMILY, p)),
          message(NLMSG_DONE, new Uint8Array(4)),
        );
        const { rows, end } = walk(bytes);
        expect(rows.length).toBe(payloads.length);
        expect(end).toEqual({ kind: 'done', interrupted: false });
      }),
    );
  });
  it('an error message is the errno, not a throw', () => {
    const payload = new Uint8Array(20);
    new DataView(payload.buffer).setInt32(0, -1, true);
    expect(walk(message(NLMSG_ERROR, payload)).end).toEqual({ kind: 'refused', errno: 1 });
  });
  it('a dump that the kernel marked as inconsistent says so', () => {
    expect(walk(message(NLMSG_DONE, new Uint8Array(4), 20, 0x10)).end).toEqual({
      kind: 'done',
      interrupted: true,
    });
  });
  it('truncated and hostile bytes give rows or a named fault, never a throw or an endless loop', () => {
    fc.assert(
      fc.property(
        fc.array(inetPayload, { minLength: 1, maxLength: 5 }),
        fc.nat(2000),
        fc.array(fc.tuple(fc.nat(2000), fc.nat(255))),
        (payloads, cut, flips) => {
          let bytes = joined(...payloads.map((p) => message(SOCK_DIAG_BY_FAMILY, p)));
          for (const [at, value] of flips) {
            bytes[at % bytes.length] = value;
          }
          bytes = bytes.subarray(0, cut % (bytes.length + 1));
          const { rows, end } = walk(bytes);
          expect(['more', 'done', 'refused', 'malformed']).toContain(end.kind);
          for (const [from, to] of rows) {
            expect(to).toBeLessThanOrEqual(bytes.length);
            const socket =
              bytes[from + 16] === 1
                ? unixSocket(bytes, from, to, 0)
                : inetSocket(bytes, from, to, 'tcp', 0, names);
            expect(JSON.stringify(socket)).toContain('"state"');
          }
        },
      ),
      { numRuns: 500 },
    );
  });
  it('random bytes never loop', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 4096 }), (bytes) => {
        expect(walk(bytes).rows.length).toBeLessThan(300);
      }),
    );
  });
});

describe('attributes', () => {
  it('a length that leaves the message ends the search', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(30), (bytes, type) => {
        const found = attribute(bytes, 0, bytes.length, type);
        if (found !== null) {
          expect(found.at + found.length).toBeLessThanOrEqual(bytes.length);
        }
      }),
    );
  });
  it('a UNIX row keeps an abstract name with its zero bytes visible', () => {
    const payload = Uint8Array.from([
      1, 1, 1, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 97, 0, 98,
    ]);
    const bytes = message(SOCK_DIAG_BY_FAMILY, payload);
    const socket = unixSocket(bytes, 0, UNIX.attributes + 8, 0);
    expect(socket.local).toEqual({ address: '@a@b', port: 9 });
  });
});

describe('tcp_info', () => {
  it('a shorter struct leaves later fields absent, a longer one is read as far as it is known', () => {
    const whole = readTcpInfo(new Uint8Array(400), 0, 400);
    expect(whole?.totalRtoTimeMs).toBe(0);
    const old = readTcpInfo(new Uint8Array(400), 0, 192);
    expect(old?.sndbufLimitedUs).toBe(0);
    expect(old).not.toHaveProperty('delivered');
    expect(readTcpInfo(new Uint8Array(400), 0, 60)).toBeNull();
  });
  it('any bytes of any length are a value or null', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), fc.nat(500), (bytes, length) => {
        const info = readTcpInfo(bytes, 0, length);
        if (info !== null) {
          expect(Number.isFinite(info.rttUs)).toBe(true);
        }
      }),
    );
  });
});

describe('requests', () => {
  it('bytecode travels as one attribute after the fixed part', () => {
    const request = inetRequest({
      family: 2,
      protocol: 6,
      states: 1 << 10,
      extensions: 2,
      bytecode: new Uint8Array(8),
    });
    expect(request.length).toBe(72 + 4 + 8);
    expect(new DataView(request.buffer).getUint32(0, true)).toBe(request.length);
    expect(INET.attributes).toBe(88);
  });
});
