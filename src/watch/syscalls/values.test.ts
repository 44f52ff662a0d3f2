import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CALL_NAMES, CALLS_ARM64, CALLS_X86_64 } from '../../kernel/syscall-table.ts';
import { CALL_SPECS, type CallView } from './calls.ts';
import { Descriptors, newEpoll, newSocket, tupleOf } from './descriptors.ts';
import { flagNames, MESSAGE_FLAGS, optionName } from './names.ts';
import { endOf, quoted, sockaddrText, textList } from './values.ts';

describe('decoding', () => {
  it('never throws, whatever a program puts into registers and memory', () => {
    const register = fc.oneof(
      fc.integer(),
      fc.nat(4096),
      fc.constantFrom(0, 2 ** 31, 2 ** 47, 2 ** 53, 2 ** 64 - 1),
    );
    fc.assert(
      fc.property(
        fc.constantFrom(...CALL_NAMES),
        fc.array(register, { minLength: 6, maxLength: 6 }),
        fc.option(fc.oneof(fc.integer({ min: -4095, max: 4095 }), fc.constantFrom(2 ** 40))),
        fc.uint8Array({ maxLength: 256 }),
        (name, args, result, memory) => {
          const view: CallView = {
            args,
            result,
            // Any address holds these bytes, as many of them as there are.
            read: (address, length) =>
              address === 0 ? memory.subarray(0, 0) : memory.subarray(0, Math.max(0, length)),
            isSocket: (fd) => fd % 2 === 0,
            epoll: (fd) => (fd % 3 === 0 ? newEpoll() : null),
          };
          const { when, before, show } = CALL_SPECS[name];
          if (typeof when === 'function') {
            when(view);
          }
          const shown = show(view, before?.(view) ?? []);
          expect(() => structuredClone(shown)).not.toThrow();
          expect(JSON.stringify(shown).length).toBeLessThan(64 * 1024);
        },
      ),
      { numRuns: 3000 },
    );
  });

  it('writes addresses as people do', () => {
    const four = Uint8Array.of(2, 0, 0x1f, 0x90, 10, 9, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0);
    expect(sockaddrText(four)).toBe('10.9.0.2:8080');
    const six = new Uint8Array(28);
    six.set([10, 0, 0, 80]);
    six[23] = 1;
    expect(sockaddrText(six)).toBe('[::1]:80');
    expect(endOf(six.subarray(0, 20))).toBeNull();
    expect(sockaddrText(Uint8Array.of(1, 0, 0, 97, 98))).toBe('unix:@ab');
    expect(sockaddrText(Uint8Array.of(16, 0, 0, 0))).toBe('AF_NETLINK');
  });

  it('names flags, and gives what has no name in hex', () => {
    expect(flagNames(MESSAGE_FLAGS, 0x4040)).toBe('MSG_DONTWAIT|MSG_NOSIGNAL');
    expect(flagNames(MESSAGE_FLAGS, 0x8000_0001)).toBe('MSG_OOB|0x80000000');
    expect(optionName(6, 1)).toBe('TCP_NODELAY');
    expect(optionName(99, 1)).toBe(1);
  });

  it('shows bytes so that no terminal is moved by them', () => {
    expect(quoted(Buffer.from('a"\\\r\n\x1b[2J\xff', 'latin1'), 9)).toBe('"a\\"\\\\\\r\\n\\x1b[2J\\xff"');
    expect(quoted(Buffer.from('ab'), 3)).toBe('"ab"…');
  });

  it('ends a list of texts that has no end', () => {
    expect(textList((_, length) => new Uint8Array(length).fill(1), 8)).toHaveLength(33);
  });
});

describe('descriptors', () => {
  it('are asked about once, until they are closed', () => {
    const table = new Descriptors();
    let asked = 0;
    const look = () => {
      asked += 1;
      return asked > 1;
    };
    expect(table.socket(3, look)).toBeNull();
    expect(table.socket(3, look)).toBeNull();
    table.closed(3);
    expect(table.socket(3, look)?.kind).toBe('socket');
    table.copy(3, 9);
    expect(table.socket(9, look)).toBe(table.socket(3, look));
    table.closedRange(4, 0xffff_ffff);
    table.copy(9, 3);
    expect(table.socket(3, () => false)).toBeNull();
    expect(asked).toBe(2);
  });

  it('give a tuple once a port is known', () => {
    const socket = newSocket('tcp');
    expect(tupleOf(socket, null)).toBeUndefined();
    socket.peer = { address: '::1', port: 80 };
    expect(tupleOf(socket, null)).toEqual({
      protocol: 'tcp',
      local: { address: '::', port: 0 },
      peer: socket.peer,
    });
  });
});

describe('the table of calls', () => {
  it('has every call of each architecture under one number', () => {
    for (const table of [CALLS_X86_64, CALLS_ARM64]) {
      const names = table.filter((name) => name !== null);
      expect(new Set(names).size).toBe(names.length);
    }
    expect([CALLS_X86_64[42], CALLS_ARM64[203]]).toEqual(['connect', 'connect']);
    expect(CALL_NAMES.filter((name) => !CALLS_X86_64.includes(name))).toEqual([]);
  });
});
