import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseTcpInUse } from './tcp-in-use.ts';

const SOCKSTAT = `sockets: used 312
TCP: inuse 7 orphan 0 tw 3 alloc 9 mem 2
UDP: inuse 1 mem 0
`;

describe('sockstat', () => {
  it('counts both families and what waits', () => {
    expect(parseTcpInUse(SOCKSTAT, 'TCP6: inuse 4\nUDP6: inuse 0\n')).toEqual({ v4: 7, v6: 4, timeWait: 3 });
  });
  it('without IPv6 there are none of it', () => {
    expect(parseTcpInUse(SOCKSTAT, '')).toEqual({ v4: 7, v6: 0, timeWait: 3 });
  });
  it('a text that does not say is null, whatever it holds', () => {
    expect(parseTcpInUse('', '')).toBeNull();
    fc.assert(
      fc.property(fc.string(), fc.string(), (a, b) => {
        const read = parseTcpInUse(a, b);
        expect(read === null || read.v4 >= 0).toBe(true);
      }),
    );
  });
});
