import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Interface } from '../kernel/addresses.ts';
import type { Socket } from '../session/socket.ts';
import { conclude, deviceBlocks, hears, isHere, whoText } from './addr-judge.ts';

function listener(address: string, pid: number, more: Partial<Socket> = {}): Socket {
  return {
    netns: 0,
    protocol: 'tcp',
    family: address.includes(':') ? 6 : 4,
    state: 'LISTEN',
    local: { address, port: 3000 },
    peer: { address: '*', port: 0 },
    recvQueue: 0,
    sendQueue: 0,
    uid: 0,
    inode: pid + 1000,
    cookie: '0000000000000001',
    owners: [{ pid, fd: 3, name: 'node' }],
    ...more,
  };
}

const lo: Interface = {
  index: 1,
  name: 'lo',
  loopback: true,
  up: true,
  mtu: 65536,
  ipv6Disabled: false,
  addresses: [
    { family: 4, address: '127.0.0.1', prefix: 8, tentative: false },
    { family: 6, address: '::1', prefix: 128, tentative: false },
  ],
};
const eth: Interface = {
  ...lo,
  index: 2,
  name: 'eth0',
  loopback: false,
  addresses: [{ family: 4, address: '192.0.2.2', prefix: 24, tentative: false }],
};

function judge(listeners: Socket[], order: readonly (4 | 6)[] = [6, 4]) {
  const answers = order.map((family) => {
    const address = family === 6 ? '::1' : '127.0.0.1';
    return {
      address,
      family,
      here: true,
      listeners: listeners.filter((socket) => hears(socket, address, family)),
    };
  });
  return conclude({ name: 'localhost', port: 3000, answers, candidates: listeners, interfaces: [lo, eth] });
}

describe('which address reaches which socket', () => {
  it.each([
    ['0.0.0.0', {}, true, false],
    ['127.0.0.1', {}, true, false],
    ['127.0.0.2', {}, false, false],
    ['::', { v6only: false }, true, true],
    ['::', { v6only: true }, false, true],
    ['::1', { v6only: false }, false, true],
    ['::ffff:127.0.0.1', {}, true, false],
    ['::ffff:0.0.0.0', {}, true, false],
  ] as const)('%s %o: 127.0.0.1 %s, ::1 %s', (bound, more, four, six) => {
    expect(hears(listener(bound, 1, more), '127.0.0.1', 4)).toBe(four);
    expect(hears(listener(bound, 1, more), '::1', 6)).toBe(six);
  });
  it('all of 127.0.0.0/8 is here, of other networks only our own address', () => {
    fc.assert(
      fc.property(fc.ipV4(), (address) => {
        const mine = address.startsWith('127.') || address === '192.0.2.2';
        expect(isHere(address, [lo, eth])).toBe(mine);
        expect(
          isHere(address, [
            { ...lo, up: false },
            { ...eth, up: false },
          ]),
        ).toBe(false);
      }),
    );
    expect(isHere('192.0.2.3', [lo, eth])).toBe(false);
    expect(isHere('::1', [lo])).toBe(true);
  });
  it('a socket bound to a real interface does not hear this machine', () => {
    expect(deviceBlocks(listener('0.0.0.0', 1, { device: 'eth0' }), [lo, eth])).toBe(true);
    expect(deviceBlocks(listener('0.0.0.0', 1, { device: 'lo' }), [lo, eth])).toBe(false);
  });
});

describe('what is concluded', () => {
  it('nothing, when one server serves every address', () => {
    expect(judge([listener('::', 1, { v6only: false })])).toEqual([]);
    expect(judge([listener('127.0.0.1', 1), listener('::1', 1)])).toEqual([]);
  });
  it('IPv4 first and a server on 127.0.0.1 only: a note, not a finding', () => {
    expect(judge([listener('127.0.0.1', 1)], [4, 6])).toMatchObject([
      { kind: 'note', code: 'LATER_REFUSED' },
    ]);
  });
  it('different servers on the two families are told apart', () => {
    const [found, ...more] = judge([listener('127.0.0.1', 1), listener('::1', 2)]);
    expect(more).toEqual([]);
    expect(found).toMatchObject({ kind: 'finding', code: 'TWO_SERVERS' });
    expect(found!.text).toContain('::1 is node (pid 2), 127.0.0.1 is node (pid 1)');
  });
  it('a server that hears no connection of this machine is named, with its interface', () => {
    const bound = listener('0.0.0.0', 7, { device: 'eth0' });
    const answers = [{ address: '127.0.0.1', family: 4 as const, here: true, listeners: [] }];
    const found = conclude({
      name: 'localhost',
      port: 3000,
      answers,
      candidates: [bound],
      interfaces: [lo, eth],
    });
    expect(found.map(({ code }) => code)).toEqual(['DEVICE', 'NOBODY']);
    expect(found[0]!.text).toContain('interface eth0');
  });
  it('nothing about addresses of other machines: who listens there cannot be seen', () => {
    const answers = [{ address: '192.0.2.9', family: 4 as const, here: false, listeners: [] }];
    expect(conclude({ name: 'far', port: 3000, answers, candidates: [], interfaces: [lo, eth] })).toEqual([]);
  });
  it('an owner that was not seen is said in words', () => {
    expect(whoText(listener('::1', 1, { owners: [], ownerGap: 'not visible' }))).toContain('not visible');
  });
});
