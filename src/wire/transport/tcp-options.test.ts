import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ipv4, tcp, w16, w32 } from '../../../test/fixtures/frames.ts';
import { dissect } from '../dissect.ts';
import { emptyHeaders, type Headers, LINK } from '../headers.ts';
import type { Field } from '../link/fields.ts';
import { tcpLayer } from './tcp.ts';
import { emptyTcpOptions, tcpOptions } from './tcp-options.ts';

function read(options: number[]): Headers {
  const h = emptyHeaders();
  h.bytes = ipv4({ protocol: 6 }, tcp({ options }, new Uint8Array(3)));
  h.to = h.wireLength = h.bytes.length;
  h.linkType = LINK.raw;
  dissect(h);
  return h;
}

const out = emptyTcpOptions();
/** Edges beyond the count mean nothing: they are left as they were. */
const none = { ...emptyTcpOptions(), sackEdges: out.sackEdges };
function quick(options: number[]): typeof out {
  tcpOptions(read(options), out);
  return out;
}

const timestamps = [8, 10, ...w32(0xfffffffe), ...w32(7)];

describe('a quick look at TCP options', () => {
  it('a SYN of Linux is read whole', () => {
    expect(quick([2, 4, ...w16(1460), 4, 2, ...timestamps, 1, 3, 3, 7])).toEqual({
      ...none,
      mss: 1460,
      sackPermitted: true,
      hasTimestamps: true,
      tsVal: 0xfffffffe,
      tsEcr: 7,
      windowScale: 7,
    });
  });

  it('the usual layout is read, and the packet before it forgotten', () => {
    quick([2, 4, 1, 1, 3, 3, 1, 4, 2, 34, 2, 30, 3, 0]);
    expect(quick([1, 1, ...timestamps])).toEqual({
      ...none,
      hasTimestamps: true,
      tsVal: 0xfffffffe,
      tsEcr: 7,
    });
    expect(quick([])).toEqual(none);
  });

  it('SACK blocks are counted and kept', () => {
    const { sackBlocks, sackEdges } = quick([
      1,
      1,
      5,
      18,
      ...w32(1),
      ...w32(2),
      ...w32(0xf0000000),
      ...w32(4),
    ]);
    expect(sackBlocks).toBe(2);
    expect([...sackEdges.subarray(0, 4)]).toEqual([1, 2, 0xf0000000, 4]);
  });

  it('fast open tells a request from a cookie, in its trial form too', () => {
    expect(quick([34, 2]).fastOpen).toBe(0);
    expect(quick([34, 10, 1, 2, 3, 4, 5, 6, 7, 8]).fastOpen).toBe(8);
    expect(quick([254, 4, 0xf9, 0x89]).fastOpen).toBe(0);
    expect(quick([254, 4, 0, 0]).fastOpen).toBe(-1);
  });

  it('a shift above 14 is 14; multipath is seen', () => {
    expect(quick([3, 3, 200]).windowScale).toBe(14);
    expect(quick([30, 4, 0, 0]).multipath).toBe(true);
  });

  it('an option of the wrong length is ignored, and what follows it read', () => {
    expect(quick([2, 3, 9, 5, 3, 9, 8, 4, 0, 0, 3, 3, 5])).toEqual({ ...none, windowScale: 5 });
  });

  it('a length that cannot be ends it', () => {
    for (const options of [
      [3, 3, 5, 2, 0, 1, 1],
      [3, 3, 5, 2, 1],
      [3, 3, 5, 2, 40],
    ]) {
      expect(quick(options)).toEqual({ ...none, windowScale: 5, malformed: true });
    }
    expect(quick([0, 2, 0, 0])).toEqual(none);
  });

  it('any bytes are survived, quickly and slowly', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(255), { maxLength: 40 }), (options) => {
        const h = read(options);
        tcpOptions(h, out);
        expect(out.sackBlocks).toBeLessThanOrEqual(4);
        for (const { from, to } of tcpLayer(h).fields) {
          expect(from).toBeLessThanOrEqual(to);
          expect(to).toBeLessThanOrEqual(h.to);
        }
      }),
    );
  });
});

describe('TCP options by name', () => {
  const fields = (options: number[]): Record<string, Field['value']> =>
    Object.fromEntries(
      tcpLayer(read(options))
        .fields.filter(({ name }) => name.startsWith('tcp.options.') && name !== 'tcp.options.eol')
        .map(({ name, value }) => [name.slice('tcp.options.'.length), value]),
    );
  const texts = (options: number[]) => tcpLayer(read(options)).fields.map(({ text }) => text);

  it('signatures and keys', () => {
    const digest = new Array<number>(16).fill(0xab);
    expect(fields([19, 18, ...digest])).toEqual({ kind: 19, 'md5.digest': 'ab'.repeat(16) });
    expect(fields([29, 8, 5, 6, 1, 2, 3, 4])).toEqual({
      kind: 29,
      'ao.keyid': 5,
      'ao.rnextkeyid': 6,
      'ao.mac': '01020304',
    });
    expect(texts([29, 4, 5, 6])).toContain('authentication (TCP-AO)');
  });

  it('user timeout in seconds or minutes', () => {
    expect(fields([28, 4, 0, 90])).toEqual({ kind: 28, user_to: 90 });
    expect(fields([28, 4, 0x80, 2])).toEqual({ kind: 28, user_to: 120 });
    expect(texts([28, 4, 0x80, 2])).toContain('2 minutes');
  });

  it('fast open and experiments', () => {
    expect(fields([34, 2])).toEqual({ kind: 34, 'tfo.request': true });
    expect(fields([34, 6, 1, 2, 3, 4])).toEqual({ kind: 34, 'tfo.cookie': '01020304' });
    expect(fields([254, 6, 0xf9, 0x89, 7, 8])).toEqual({
      kind: 254,
      'experimental.exid': 0xf989,
      'tfo.cookie': '0708',
    });
    expect(fields([253, 6, 1, 2, 7, 8])).toEqual({
      kind: 253,
      'experimental.exid': 0x102,
      'experimental.data': '0708',
    });
  });

  it('multipath, with its subtypes named', () => {
    expect(fields([30, 12, 1, 0x81, 0, 0, 0, 0, 0, 0, 1, 0])).toEqual({
      kind: 30,
      'mptcp.subtype': 0,
      'mptcp.version': 1,
      'mptcp.sendkey': 256n,
    });
    expect(fields([30, 12, 0x10, 3, ...w32(1), ...w32(2)])).toMatchObject({
      'mptcp.subtype': 1,
      'mptcp.addrid': 3,
      'mptcp.recvtok': 1,
      'mptcp.sendrand': 2,
    });
    expect(fields([30, 20, 0x20, 0x05, ...w32(9), ...w32(8), ...w32(7), ...w16(6), 0, 0])).toMatchObject({
      'mptcp.subtype': 2,
      'mptcp.rawdataack': 9,
      'mptcp.rawdataseqno': 8,
      'mptcp.subflowseqno': 7,
      'mptcp.datalvllen': 6,
    });
    expect(texts([30, 3, 0x80])).toContain('8 (MP_TCPRST)');
  });

  it('what is not known is shown by number, what cannot be is said', () => {
    expect(fields([77, 4, 1, 2])).toEqual({ kind: 77, data: '0102' });
    expect(texts([77, 4, 1, 2])).toContain('option 77');
    expect(fields([2, 3, 1])).toEqual({ kind: 2, data: '01' });
    expect(fields([1, 2, 77])).toMatchObject({ nop: true, malformed: 2 });
  });
});
