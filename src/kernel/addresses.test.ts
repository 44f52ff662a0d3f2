import { spawnSync } from 'node:child_process';
import { networkInterfaces } from 'node:os';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { needs } from '../../test/needs.ts';
import { type Interface, listInterfaces, parseAddress, parseLink, walkRoute } from './addresses.ts';

const linux = needs('linux');
const ip = needs('linux', 'ip');

interface IpInterface {
  ifname: string;
  ifindex: number;
  mtu: number;
  flags: string[];
  addr_info: { family: string; local: string; prefixlen: number }[];
}

function ours(): Interface[] {
  const found = listInterfaces();
  if (typeof found === 'number') {
    throw new Error(`rtnetlink refused: ${found}`);
  }
  return found;
}

describe('interfaces', () => {
  it.skipIf(ip.missing)('are those of `ip address`, down ones included', () => {
    const { stdout } = spawnSync('ip', ['-j', 'address'], { encoding: 'utf8' });
    const theirs: IpInterface[] = JSON.parse(stdout);
    const shown = ours().map(({ index, name, mtu, up, addresses }) => ({
      index,
      name,
      mtu,
      up,
      addresses: addresses.map(({ address, prefix }) => `${address}/${prefix}`).sort(),
    }));
    expect(shown).toEqual(
      theirs.map(({ ifindex, ifname, mtu, flags, addr_info }) => ({
        index: ifindex,
        name: ifname,
        mtu,
        up: flags.includes('UP'),
        addresses: addr_info.map(({ local, prefixlen }) => `${local}/${prefixlen}`).sort(),
      })),
    );
  });
  it.skipIf(linux.missing)('hold every address that Node knows', () => {
    const all = ours().flatMap(({ name, addresses }) => addresses.map(({ address }) => `${name} ${address}`));
    for (const [name, addresses] of Object.entries(networkInterfaces())) {
      for (const { address } of addresses ?? []) {
        expect(all).toContain(`${name} ${address}`);
      }
    }
  });
  it('any bytes are walked to an end, forwards, and give a value or null', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.integer({ min: 0, max: 120 }), (bytes, size) => {
        if (bytes.length > 4) {
          new DataView(bytes.buffer, bytes.byteOffset).setUint32(0, size, true);
        }
        let last = -1;
        walkRoute(bytes, bytes.length, (b, start, end) => {
          expect(start).toBeGreaterThan(last);
          expect(end).toBeLessThanOrEqual(bytes.length);
          last = start;
          expect([4, 6, undefined]).toContain(parseAddress(b, start, end)?.address.family);
          expect(['string', 'undefined']).toContain(typeof parseLink(b, start, end)?.name);
        });
      }),
      { numRuns: 500 },
    );
  });
});
