import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { needs } from '../../test/needs.ts';
import { bindCall, closeCall, openCall, recvCall, socketCall } from './calls.ts';
import { localEnd, peerEnd, socketKind } from './calls-ends.ts';
import { AF_INET, AF_INET6, CLOEXEC, flagNames, MSG_FLAGS, SOCK_DGRAM, SOCK_STREAM } from './calls-flags.ts';
import { endAt, plainMemory, readControl } from './calls-message.ts';
import { getOption, REAL_OPTIONS, readOption, realOption, setOption } from './calls-options.ts';
import { encodeAddress } from './stream-sockets.ts';

const linux = needs('linux');
const EBADF = -9;
const EOPNOTSUPP = -95;
const ENOPROTOOPT = -92;
const ENOTCONN = -107;
const ENOTSOCK = -88;
const EINVAL = -22;

const open: number[] = [];
afterEach(() => {
  for (const fd of open.splice(0)) {
    closeCall.now(fd);
  }
});

function made(family: number, type: number): number {
  const fd = socketCall.now(family, type | CLOEXEC, 0);
  open.push(fd);
  return fd;
}

describe.skipIf(linux.missing)('socket options by their real names', () => {
  it.each([
    ['TCP', AF_INET, SOCK_STREAM],
    ['UDP', AF_INET, SOCK_DGRAM],
    ['TCP over IPv6', AF_INET6, SOCK_STREAM],
  ])(
    'every one can be got on a %s socket, or the kernel says that it does not have it there',
    (_, family, type) => {
      const fd = made(family, type);
      if (fd < 0) {
        return;
      }
      let known = 0;
      for (const option of REAL_OPTIONS) {
        const { result, value } = getOption(fd, option);
        // IP_MTU has an answer only for a connected socket (ip(7)); TCP_REPAIR wants a capability on old kernels.
        expect([0, ENOPROTOOPT, EOPNOTSUPP, ENOTCONN, -1], option.name).toContain(result);
        expect(value === null, option.name).toBe(result < 0);
        known += result === 0 ? 1 : 0;
      }
      expect(known).toBeGreaterThan(20);
    },
  );

  it.each([
    ['SO_REUSEADDR', 1],
    ['SO_LINGER', 0],
    ['SO_LINGER', 7],
    ['SO_LINGER', -1],
    ['SO_RCVTIMEO', 1500],
    ['TCP_NODELAY', 1],
    ['TCP_KEEPIDLE', 9],
    ['TCP_USER_TIMEOUT', 1234],
    ['TCP_LINGER2', 3],
    ['TCP_FASTOPEN_CONNECT', 1],
    ['IP_BIND_ADDRESS_NO_PORT', 1],
    ['IP_RECVERR', 1],
    ['TCP_CONGESTION', 'reno'],
  ] as const)('%s is read back as it was set: %s', (name, value) => {
    const fd = made(AF_INET, SOCK_STREAM);
    const option = realOption(name)!;
    expect(setOption(fd, option, value)).toBe(0);
    expect(getOption(fd, option)).toEqual({ result: 0, value });
  });

  it('gives the errno for a descriptor that is not open', () => {
    expect(getOption(-1, realOption('SO_TYPE')!)).toEqual({ result: EBADF, value: null });
    expect(setOption(-1, realOption('SO_REUSEADDR')!, 1)).toBe(EBADF);
    expect(localEnd(-1)).toEqual({ result: EBADF, end: null });
    expect(socketKind(-1)).toBeNull();
  });

  it('reads whatever memory holds in whatever shape', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 256, maxLength: 256 }),
        fc.integer({ min: -1, max: 1 << 20 }),
        fc.constantFrom('int', 'errno', 'linger', 'timeval', 'text', 'info'),
        (bytes, size, shape) => {
          expect(readOption(shape, bytes, size)).toBeDefined();
        },
      ),
    );
  });

  it('tells from TCP_INFO whether the SYN carried data that was taken', () => {
    const info = new Uint8Array(256);
    info[5] = 0x20 | 0x02;
    expect(readOption('info', info, 256)).toEqual({ options: ['sack', 'syn_data'] });
  });
});

describe.skipIf(linux.missing)('calls on other threads', () => {
  it('bring their own errno back, whatever this thread does meanwhile', async () => {
    const memory = plainMemory(1);
    const address = encodeAddress({ kind: 'udp', host: '127.0.0.1', port: 0 });
    const bound = made(AF_INET, SOCK_DGRAM);
    const stream = made(AF_INET, SOCK_STREAM);
    const file = openCall.now('/dev/null', CLOEXEC);
    open.push(file);
    if (typeof address === 'number') {
      throw new Error('127.0.0.1 is an address');
    }
    expect(bindCall.now(bound, address.address, address.length)).toBe(0);
    const waits = Array.from({ length: 40 }, (_, i) => {
      const fd = [-1, stream, file][i % 3]!;
      return new Promise<number>((resolve) => recvCall.aside([fd, memory.address, 1, 0], resolve)).then(
        (result) => [fd, result],
      );
    });
    for (let i = 0; i < 1000; i++) {
      expect(bindCall.now(bound, address.address, address.length)).toBe(EINVAL);
    }
    const expected: Readonly<Record<number, number>> = { [-1]: EBADF, [stream]: ENOTCONN, [file]: ENOTSOCK };
    for (const [fd, result] of await Promise.all(waits)) {
      expect(result).toBe(expected[fd!]);
    }
    expect(memory.bytes).toHaveLength(1);
  });

  it('say where a socket is', () => {
    const fd = made(AF_INET, SOCK_DGRAM);
    expect(socketKind(fd)).toEqual({ family: AF_INET, type: SOCK_DGRAM });
    expect(localEnd(fd)).toEqual({ result: 0, end: { address: '0.0.0.0', port: 0 } });
    expect(peerEnd(fd)).toEqual({ result: ENOTCONN, end: null });
  });
});

/** One control message, as CMSG_LEN and CMSG_ALIGN make it. */
function control(level: number, type: number, body: readonly number[]): number[] {
  const bytes = new Uint8Array(Math.ceil((16 + body.length) / 8) * 8);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(16 + body.length), true);
  view.setInt32(8, level, true);
  view.setInt32(12, type, true);
  bytes.set(body, 16);
  return [...bytes];
}

const REFUSED = [111, 0, 0, 0, 2, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0];
const OFFENDER = [2, 0, 0, 0, 10, 9, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0];
const RECVERR = control(0, 11, [...REFUSED, ...OFFENDER]);
const DROPPED = control(1, 40, [7, 1, 0, 0]);

describe('control messages', () => {
  it('tell who said what about which datagram, and how many were dropped', () => {
    expect(readControl(Uint8Array.from([...DROPPED, ...RECVERR]))).toEqual({
      dropped: 263,
      to: null,
      error: {
        errno: 'ECONNREFUSED',
        origin: 'ICMP',
        type: 3,
        code: 3,
        info: 0,
        offender: { address: '10.9.0.2', port: 0 },
      },
    });
    expect(readControl(Uint8Array.from(control(0, 11, REFUSED))).error).toMatchObject({ offender: null });
    expect(readControl(new Uint8Array(0))).toEqual({ dropped: null, error: null, to: null });
    const info = [3, 0, 0, 0, 10, 9, 0, 1, 10, 9, 0, 2];
    expect(readControl(Uint8Array.from(control(0, 8, info))).to).toBe('10.9.0.2');
    expect(readControl(Uint8Array.from(control(0, 8, info.slice(1)))).to).toBeNull();
  });

  it('may be cut anywhere and hold anything', () => {
    const whole = Uint8Array.from([...DROPPED, ...RECVERR]);
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: whole.length }),
        fc.array(fc.tuple(fc.nat({ max: whole.length - 1 }), fc.nat({ max: 255 })), { maxLength: 8 }),
        fc.uint8Array({ maxLength: 600 }),
        (length, changes, noise) => {
          const bytes = whole.slice();
          for (const [at, value] of changes) {
            bytes[at] = value;
          }
          for (const hostile of [bytes.subarray(0, length), noise]) {
            const { error, dropped } = readControl(hostile);
            expect(dropped === null || dropped >= 0).toBe(true);
            expect(error === null || error.origin.length > 0).toBe(true);
          }
        },
      ),
    );
  });

  it('have addresses of every length and family', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 128, maxLength: 128 }),
        fc.integer({ min: -300, max: 300 }),
        (bytes, length) => {
          const end = endAt(bytes, length);
          expect(end === null || [AF_INET, AF_INET6].includes(bytes[0]! | (bytes[1]! << 8))).toBe(true);
        },
      ),
    );
  });

  it('have flags that are named one by one, and the rest as a number', () => {
    expect(flagNames(MSG_FLAGS, 0x2020)).toEqual(['MSG_TRUNC', 'MSG_ERRQUEUE']);
    expect(flagNames(MSG_FLAGS, 0x1000_0001 | 0)).toEqual(['MSG_OOB', '0x10000000']);
    expect(flagNames(MSG_FLAGS, 0)).toEqual([]);
  });
});
