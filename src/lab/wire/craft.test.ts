import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { dissect } from '../../wire/dissect.ts';
import { emptyHeaders } from '../../wire/headers.ts';
import { checksums } from '../../wire/net/checksum.ts';
import { segmentFrame } from './craft.ts';

const MACS = { from: '02:00:00:00:00:01', to: '02:00:00:00:00:02' };

describe('a segment made by hand', () => {
  it.each([
    ['10.9.0.77', '10.9.0.2', 'good'],
    ['[fd09::77]', '[fd09::2]', 'none'],
  ])('from %s has right checksums and says what was asked for', (from, to, ipSum) => {
    fc.assert(
      fc.property(fc.nat(0xffffffff), fc.nat(0xffff), fc.string({ maxLength: 300 }), (seq, port, data) => {
        const segment = { from: `${from}:${port}`, to: `${to}:80`, flags: 'PA', seq, ack: 7, data };
        const frame = segmentFrame(segment, MACS);
        expect(frame).toBeInstanceOf(Uint8Array);
        const h = emptyHeaders();
        h.bytes = frame as Uint8Array;
        h.to = h.wireLength = h.bytes.length;
        dissect(h);
        expect(checksums(h)).toEqual({ ip: ipSum, transport: 'good' });
        expect(h).toMatchObject({
          problem: 0,
          sourcePort: port,
          destinationPort: 80,
          seq,
          ack: 7,
          flags: 24,
        });
        expect(Buffer.from(h.bytes.subarray(h.payloadAt, h.payloadEnd)).toString()).toBe(
          Buffer.from(data).toString(),
        );
        expect([...h.bytes.subarray(0, 12)]).toEqual([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1]);
      }),
    );
  });

  it.each([
    [{ from: 'client:80', to: '10.9.0.2:80', flags: 'S' }, '"client:80" is no address'],
    [{ from: '10.9.0.1:99999', to: '10.9.0.2:80', flags: 'S' }, 'is no address'],
    [{ from: '10.9.0.1:1', to: '[::1]:80', flags: 'S' }, 'different families'],
    [{ from: '10.9.0.1:1', to: '10.9.0.2:80', flags: 'X' }, '"X" is none of'],
    [{ from: '10.9.0.1:1', to: '10.9.0.2:80', flags: 'A', data: 'x'.repeat(70_000) }, 'do not fit'],
  ])('%j is answered with a sentence', (segment, part) => {
    expect(segmentFrame(segment, MACS)).toContain(part);
  });

  it('a bad link address is answered with a sentence', () => {
    const segment = { from: '10.9.0.1:1', to: '10.9.0.2:80', flags: 'S' };
    expect(segmentFrame(segment, { ...MACS, to: '' })).toContain('no link address');
  });
});
