import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { needs } from '../../test/needs.ts';
import { SockscopeError } from '../errors.ts';
import * as libc from '../kernel/libc.ts';
import { getOption, readWishes, SOCKET_OPTIONS, setOption } from './socket-options.ts';

const AF_INET = 2;
const AF_INET6 = 10;
const STREAM = 1 | 0o2000000;
const DATAGRAM = 2 | 0o2000000;

function withSocket<T>(family: number, type: number, run: (fd: number) => T): T {
  const fd = libc.socket(family, type, 0);
  expect(fd).toBeGreaterThanOrEqual(0);
  try {
    return run(fd);
  } finally {
    libc.close(fd);
  }
}

const refusal = (text: string): SockscopeError => {
  const wishes = readWishes(text);
  expect(wishes).toBeInstanceOf(SockscopeError);
  return wishes as SockscopeError;
};

describe.skipIf(needs('linux').missing !== null)('socket options on real sockets', () => {
  it.each([
    ['reuseaddr', 1],
    ['reuseport', 1],
    ['keepalive', 1],
    ['broadcast', 1],
    ['dontroute', 1],
    ['oobinline', 1],
    ['linger', 7],
    ['linger', 0],
    ['linger', -1],
    ['rcvlowat', 100],
    ['priority', 3],
    ['incoming-cpu', 0],
    ['zerocopy', 1],
    ['max-pacing-rate', 1_000_000],
    ['max-pacing-rate', 0xffff_ffff],
    ['nodelay', 1],
    ['nodelay', 0],
    ['mss', 1000],
    ['cork', 1],
    ['keepidle', 33],
    ['keepintvl', 5],
    ['keepcnt', 4],
    ['syncnt', 2],
    ['linger2', 9],
    ['window-clamp', 4096],
    ['quickack', 0],
    ['user-timeout', 1500],
    ['fastopen-connect', 1],
    ['notsent-lowat', 16384],
    ['tos', 0x10],
    ['ttl', 9],
    ['mtu-discover', 2],
    ['freebind', 1],
    ['bind-no-port', 1],
  ])('%s=%i is read back as it was set', (name, wanted) => {
    for (const family of [AF_INET, AF_INET6]) {
      withSocket(family, STREAM, (fd) => {
        expect(setOption(fd, name, wanted)).toBe(0);
        expect(getOption(fd, name)).toBe(wanted);
      });
    }
  });

  it.each(['rcvbuf', 'sndbuf'])('%s is doubled, as its sentence says', (name) => {
    withSocket(AF_INET, STREAM, (fd) => {
      expect(setOption(fd, name, 20_000)).toBe(0);
      expect(getOption(fd, name)).toBe(40_000);
    });
    expect(SOCKET_OPTIONS.find((option) => option.name === name)?.what).toContain('twice');
  });

  it('every option of the table is one the kernel knows', () => {
    for (const option of SOCKET_OPTIONS) {
      // Force variants can only be set.
      if (option.name.endsWith('force')) {
        continue;
      }
      withSocket(AF_INET6, option.name === 'broadcast' ? DATAGRAM : STREAM, (fd) => {
        const found = getOption(fd, option.name);
        expect(found, option.name).toBeGreaterThanOrEqual(-1);
      });
    }
  });

  it('defer-accept is rounded up to whole SYN-ACK repeats', () => {
    withSocket(AF_INET, STREAM, (fd) => {
      expect(setOption(fd, 'defer-accept', 2)).toBe(0);
      expect(getOption(fd, 'defer-accept')).toBe(3);
    });
  });

  it('v6only belongs to IPv6 alone', () => {
    withSocket(AF_INET6, STREAM, (fd) => {
      expect(setOption(fd, 'v6only', 1)).toBe(0);
      expect(getOption(fd, 'v6only')).toBe(1);
    });
    withSocket(AF_INET, STREAM, (fd) => {
      expect(setOption(fd, 'v6only', 1)).toBe(-92);
    });
  });

  it('ttl on an IPv6 socket also counts for the IPv4 it carries', () => {
    withSocket(AF_INET6, STREAM, (fd) => {
      expect(setOption(fd, 'ttl', 5)).toBe(0);
      const value = new Uint8Array(4);
      expect(libc.getsockopt(fd, 0, 2, value, libc.int32(4))).toBe(0);
      expect(value[0]).toBe(5);
    });
  });

  it('an unknown name is ENOPROTOOPT, a value beyond 32 bits EINVAL, a closed descriptor EBADF', () => {
    withSocket(AF_INET, STREAM, (fd) => {
      expect(setOption(fd, 'constructor', 1)).toBe(-92);
      expect(getOption(fd, 'toString')).toBe(-92);
      expect(setOption(fd, 'rcvbuf', 2 ** 32)).toBe(-22);
      expect(setOption(fd, 'rcvbuf', 1.5)).toBe(-22);
      expect(setOption(fd, 'rcvbuf', Number.NaN)).toBe(-22);
    });
    expect(setOption(-1, 'nodelay', 1)).toBe(-9);
    expect(getOption(-1, 'linger')).toBe(-9);
  });
});

describe('wishes', () => {
  it('a name alone means 1, and values are decimal or hexadecimal', () => {
    expect(readWishes('reuseaddr,nodelay=0, rcvbuf = 4096 ,linger=-1,mark=0xffffffff')).toEqual({
      reuseaddr: 1,
      nodelay: 0,
      rcvbuf: 4096,
      linger: -1,
      mark: 0xffff_ffff,
    });
    expect(readWishes('  ')).toEqual({});
  });

  it.each([
    ['nodely', 'nodelay'],
    ['TCP_NODELAY', 'nodelay'],
    ['SO_REUSEADDR=1', 'reuseaddr'],
    ['keep-alive', 'keepalive'],
    ['busypoll', 'busy-poll'],
    ['tcp_user_timeout=3', 'user-timeout'],
    ['recvbuf=1', 'rcvbuf'],
    ['tso', 'tos'],
  ])('%s leads to %s', (typed, meant) => {
    const { hint, exit } = refusal(typed);
    expect(exit).toBe(2);
    if (typed === 'tso') {
      // Three letters are too few to guess from: all names are shown.
      expect(hint).toContain(`, ${meant},`);
    } else {
      expect(hint).toBe(`Did you mean ${meant}?`);
    }
  });

  it.each([
    ['nodelay,', 'no name'],
    ['nodelay,,cork', 'no name'],
    ['=1', 'no name'],
    ['nodelay,nodelay=0', 'twice'],
    ['rcvbuf=4k', 'whole number'],
    ['rcvbuf=', 'whole number'],
    ['rcvbuf=99999999999', 'whole number'],
    ['nodelay=2', 'on (1) or off (0)'],
    ['__proto__=1', 'no socket option'],
    ['a\u001b[31m', '"a?[31m"'],
  ])('%j is refused: %s', (text, why) => {
    expect(refusal(text).message).toContain(why);
  });

  it('any text gives wishes or an error of bounded length', () => {
    const words = fc.constantFrom('nodelay', 'linger', ',', '=', '1', '-1', ' ', 'x'.repeat(500));
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(words).map((all) => all.join('')),
        ),
        (text) => {
          const wishes = readWishes(text);
          if (wishes instanceof SockscopeError) {
            expect(wishes.message.length).toBeLessThan(150);
          } else {
            for (const [name, value] of Object.entries(wishes)) {
              expect(SOCKET_OPTIONS.some((option) => option.name === name)).toBe(true);
              expect(Number.isInteger(value)).toBe(true);
            }
          }
        },
      ),
    );
  });
});
