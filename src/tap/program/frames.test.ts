import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { dissect } from '../../wire/dissect.ts';
import { LINK, emptyHeaders as otherHeaders } from '../../wire/headers.ts';
import { checksums } from '../../wire/net/checksum.ts';
import {
  datagramAnswer,
  emptyHeaders,
  finishChecksum,
  type Headers,
  mostDatagram,
  readHeaders,
  refusalOf,
  unreachableAnswer,
} from './frames.ts';
import { frameOf } from './testing.ts';

function headersOf(frame: Buffer): Headers {
  const headers = emptyHeaders();
  expect(readHeaders(frame, 0, frame.length, headers)).toBe(true);
  return headers;
}

/** As the project's own dissector sees it, which shares no code with these frames. */
function judged(frame: Buffer) {
  const h = otherHeaders();
  Object.assign(h, {
    bytes: frame,
    from: 0,
    to: frame.length,
    wireLength: frame.length,
    link: LINK.ethernet,
  });
  dissect(h);
  return { h, ...checksums(h) };
}

describe.each([4, 6] as const)('frames of IPv%i', (version) => {
  const good = { ip: version === 4 ? 'good' : 'none', transport: 'good' };
  const syn = frameOf({ version, protocol: 6, from: 40_000, to: 80, flags: 0x02, sequence: 0xffff_ffff });
  const question = frameOf({ version, protocol: 17, from: 40_001, to: 53, payload: Buffer.from('what?') });

  it('a refusal comes from where the SYN went, and acknowledges it', () => {
    const frame = refusalOf(syn, headersOf(syn));
    expect(judged(frame)).toMatchObject(good);
    const { transport } = headersOf(frame);
    expect([frame.readUInt16BE(transport), frame.readUInt16BE(transport + 2)]).toEqual([80, 40_000]);
    // RFC 9293: the sequence space is a circle.
    expect(frame.readUInt32BE(transport + 8)).toBe(0);
    expect(frame[transport + 13]).toBe(0x14);
  });

  it('an answer has the ports turned round, and any size up to the largest', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: mostDatagram(version) }), (size) => {
        const frame = datagramAnswer(question, headersOf(question), Buffer.alloc(size, 7));
        expect(judged(frame)).toMatchObject(good);
        const { transport, end } = headersOf(frame);
        expect([frame.readUInt16BE(transport), frame.readUInt16BE(transport + 2)]).toEqual([53, 40_001]);
        expect(end - transport - 8).toBe(size);
      }),
      { numRuns: 30, examples: [[0], [mostDatagram(version)]] },
    );
  });

  it.each(['network', 'host', 'port'] as const)('a complaint about the %s quotes the packet', (what) => {
    const frame = unreachableAnswer(question, headersOf(question), what);
    expect(judged(frame)).toMatchObject(good);
    expect(frame.subarray(-(question.length - 14))).toEqual(question.subarray(14));
  });

  it('a checksum left to the device is finished', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2000 }), fc.constantFrom(6, 17), (payload, protocol) => {
        const frame = frameOf({ version, protocol, from: 1, to: 2, payload: Buffer.from(payload) });
        const headers = headersOf(frame);
        const at = headers.transport + (protocol === 6 ? 16 : 6);
        frame.writeUInt16BE(0xbeef, at);
        finishChecksum(frame, headers);
        expect(judged(frame)).toMatchObject(good);
      }),
    );
  });
});

it('no bytes make the reader look beyond the frame', () => {
  const whole = frameOf({ version: 4, protocol: 6, from: 1, to: 2, flags: 0x10 });
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 90 }), fc.nat(89), fc.nat(89), (noise, from, length) => {
      const frame = Buffer.from(noise);
      frame.set(
        whole.subarray(12, 16).subarray(0, Math.max(0, frame.length - 12)),
        Math.min(12, frame.length),
      );
      const start = Math.min(from, frame.length);
      const to = Math.min(start + length, frame.length);
      const headers = emptyHeaders();
      if (readHeaders(frame, start, to, headers)) {
        expect(headers.transport).toBeGreaterThanOrEqual(start + 34);
        expect(headers.end).toBeLessThanOrEqual(to);
        expect(headers.end - headers.transport).toBeGreaterThanOrEqual(8);
      }
    }),
  );
});

it('a fragment is nobody’s', () => {
  const frame = frameOf({ version: 4, protocol: 17, from: 1, to: 2 });
  frame.writeUInt16BE(0x2000, 14 + 6);
  expect(readHeaders(frame, 0, frame.length, emptyHeaders())).toBe(false);
});
