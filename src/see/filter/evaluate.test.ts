import { describe, expect, it } from 'vitest';
import type { Socket } from '../../session/socket.ts';
import { matches } from './evaluate.ts';
import { glob } from './glob.ts';
import { parseFilter } from './parse.ts';

const TCP: Socket = {
  netns: 0,
  protocol: 'tcp',
  family: 4,
  state: 'ESTABLISHED',
  local: { address: '10.0.0.1', port: 8080 },
  peer: { address: '192.168.1.7', port: 51000 },
  recvQueue: 0,
  sendQueue: 0,
  uid: 0,
  inode: 77,
  cookie: '1',
  owners: [{ pid: 1234, fd: 5, name: 'nginx: worker' }],
};
const UNIX: Socket = {
  ...TCP,
  protocol: 'unix',
  kind: 'stream',
  family: 0,
  state: 'LISTEN',
  local: { address: '/run/App/main.sock', port: 8080 },
  peer: { address: '*', port: 0 },
  owners: [],
  ownerGap: 'not visible',
};

const options = {
  deviceIndex: (name: string) => (name === 'eth0' ? 2 : null),
  cgroupId: () => 1,
  ephemeral: () => ({ from: 32768, to: 60999 }),
};

function holds(text: string, socket: Socket): boolean {
  const result = parseFilter(text, options);
  if (!result.ok || result.filter === null) {
    throw new Error(text);
  }
  return matches(result.filter, socket);
}

describe('a TCP row', () => {
  it.each([
    ':8080',
    ':51000',
    'sport = :8080',
    'dport > :50000',
    'sport != :80',
    'src 10.0.0.0/8',
    '192.168.1.7:51000',
    '10.0.0.1',
    'state established',
    'estab',
    'nginx',
    'NGINX',
    'program:*worker',
    'pid:1234',
    'user:root',
    'uid:0',
    'tcp',
    '-i4TCP:8080',
    '-iTCP -sTCP:ESTABLISHED',
    'not autobound',
    'dev = 0',
    'dev != eth0',
    'fwmark = 0',
    '*',
    'nginx and not udp',
  ])('is selected by %s', (text) => {
    expect(holds(text, TCP)).toBe(true);
    expect(holds(`not ( ${text} )`, TCP)).toBe(false);
  });

  it.each([
    ':80',
    'sport = :51000',
    'src 192.168.1.7',
    '10.0.0.1:51000',
    'listen',
    'apache',
    'pid:123',
    'user:nosuchuser',
    'udp',
    '-i6',
    '-i -sTCP:^ESTABLISHED',
    '/run/*',
    'autobound',
    'dev eth0',
    'cgroup /a',
    'program:worker*',
  ])('is left out by %s', (text) => {
    expect(holds(text, TCP)).toBe(false);
    expect(holds(`not ( ${text} )`, TCP)).toBe(true);
  });

  it('a device, a mark and a cgroup are compared when the row has them', () => {
    const row: Socket = { ...TCP, device: 'eth0', mark: 0x80000005, cgroup: '/a/b' };
    expect(holds('dev eth0', row)).toBe(true);
    expect(holds('fwmark = 0x80000005', row)).toBe(true);
    expect(holds('fwmark = 0x01/0x03', row)).toBe(true);
    expect(holds('fwmark = 0x02/0x03', row)).toBe(false);
    expect(holds('cgroup /sys/fs/cgroup/a/b/', row)).toBe(true);
    expect(holds('cgroup /a', row)).toBe(false);
  });
});

describe('a UNIX row', () => {
  it('matches names by glob, in any case, across slashes', () => {
    expect(holds('src unix:/RUN/*.sock', UNIX)).toBe(true);
    expect(holds('/run/app/*', UNIX)).toBe(true);
    expect(holds('dst unix:/run/*', UNIX)).toBe(false);
  });

  it('an unnamed end is the empty name, as for ss', () => {
    expect(holds('dst unix:*', UNIX)).toBe(true);
    expect(holds('dst unix:?', UNIX)).toBe(false);
    expect(holds('dst unix:', UNIX)).toBe(true);
  });

  it('has its inode as port for sport, as for ss, but is never found by :PORT', () => {
    expect(holds('sport = :8080', UNIX)).toBe(true);
    expect(holds('sport >= :65535', { ...UNIX, local: { address: '*', port: 9_000_000 } })).toBe(true);
    expect(holds(':8080', UNIX)).toBe(false);
    expect(holds('-i:8080', UNIX)).toBe(false);
  });

  it('is autobound without a name or with one that the kernel made', () => {
    expect(holds('autobound', UNIX)).toBe(false);
    expect(holds('autobound', { ...UNIX, local: { address: '*', port: 1 } })).toBe(true);
    expect(holds('autobound', { ...UNIX, local: { address: '@0b14f', port: 1 } })).toBe(true);
    expect(holds('autobound', { ...UNIX, local: { address: '@hello', port: 1 } })).toBe(false);
  });
});

describe('glob', () => {
  it.each([
    ['*', '', true],
    ['', '', true],
    ['', 'a', false],
    ['a*c', 'abbc', true],
    ['a*c', 'abbcd', false],
    ['a?c', 'abc', true],
    ['[a-c]x', 'Bx', true],
    ['[!a-c]x', 'bx', false],
    ['[^a-c]x', 'dx', true],
    ['[]]x', ']x', true],
    ['[a', '[a', true],
    ['a\\*', 'a*', true],
    ['a\\*', 'ab', false],
    ['**a**', 'xxaxx', true],
    ['*.sock', '/run/x.sock', true],
  ])('%s on %s: %s', (pattern, text, expected) => {
    expect(glob(pattern)(text)).toBe(expected);
  });

  it('many stars do not multiply', () => {
    const steps = `${'*a'.repeat(200)}b`;
    expect(glob(steps)('a'.repeat(5000))).toBe(false);
  });
});
