import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { inetSocket } from '../see/row.ts';
import { parseProcRaw } from './proc-net-raw.ts';

const HEAD =
  '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n';
const V4 =
  '    1: 0100007F:0001 00000000:0000 07 00000010:00000020 00:00000000 00000000  1000        0 4242 2 0000000000000000 0\n';
const V6 =
  '   58: 00000000000000000000000001000000:003A 00000000000000000000000000000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 77 2 0000000000000000 0\n';
const names = { device: () => '', cgroup: () => null };

function rows(text: string, family: 4 | 6) {
  const { bytes, starts, ends } = parseProcRaw(text, family);
  return [...starts].map((start, i) => inetSocket(bytes, start, ends[i]!, 'raw', 0, names));
}

describe('RAW sockets from /proc', () => {
  it('look as if netlink had told of them', () => {
    expect(rows(HEAD + V4, 4)).toMatchObject([
      {
        local: { address: '127.0.0.1', port: 1 },
        peer: { address: '0.0.0.0', port: 0 },
        sendQueue: 16,
        recvQueue: 32,
        uid: 1000,
        inode: 4242,
        state: 'CLOSED',
      },
    ]);
    expect(rows(HEAD + V6, 6)).toMatchObject([{ local: { address: '::1', port: 58 }, inode: 77 }]);
  });
  it('a line of the other family, cut off or of nonsense is passed over', () => {
    expect(rows(V6, 4)).toEqual([]);
    expect(rows(V4, 6)).toEqual([]);
    expect(rows(V4.slice(0, 60), 4)).toEqual([]);
    fc.assert(
      fc.property(fc.string(), fc.nat(V4.length), (noise, at) => {
        const read = rows(V4.slice(0, at) + noise + V4.slice(at), 4);
        expect(read.length).toBeLessThanOrEqual(2);
      }),
    );
  });
});
