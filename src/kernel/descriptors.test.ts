import fs from 'node:fs';
import { createServer, type Server } from 'node:net';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { needs } from '../../test/needs.ts';
import { descriptorKind, descriptorKinds } from './descriptor-kinds.ts';
import { countDescriptors, decimal, descriptorNumbers, socketInode, walkDescriptors } from './descriptors.ts';

const linux = needs('linux');
const bytes = (text: string) => new TextEncoder().encode(text);

describe('the inode in a link text', () => {
  it('is read from socket:[N] and from nothing else', () => {
    fc.assert(
      fc.property(fc.nat({ max: 0xffffffff }), (inode) => {
        const text = bytes(`socket:[${inode}]`);
        expect(socketInode(text, text.length)).toBe(inode);
      }),
    );
    for (const other of [
      'pipe:[12]',
      '/tmp/socket:[3]',
      'socket:[]',
      'socket:[1x]',
      'socket:[12',
      '',
      'anon_inode:[eventpoll]',
      'net:[4026531833]',
    ]) {
      expect(socketInode(bytes(other), other.length)).toBe(-1);
    }
  });

  it('of hostile bytes is a number or -1', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (hostile) => {
        const inode = socketInode(hostile, hostile.length);
        expect(Number.isSafeInteger(inode) && inode >= -1).toBe(true);
        expect(decimal(hostile, 0, hostile.length)).toBeGreaterThanOrEqual(-1);
      }),
    );
  });
});

describe('a directory as getdents64 gives it', () => {
  const entry = (name: string): number[] => {
    const length = (19 + name.length + 1 + 7) & ~7;
    const raw = new Uint8Array(length);
    raw[16] = length;
    raw.set(bytes(name), 19);
    return [...raw];
  };

  it('yields the numbers, without the dots', () => {
    expect(descriptorNumbers(Uint8Array.from(['.', '..', '0', '7', '12345'].flatMap(entry)))).toEqual([
      0, 7, 12345,
    ]);
  });

  it('that is hostile or cut short ends, with numbers only', () => {
    const good = Uint8Array.from(['0', '7', '12345'].flatMap(entry));
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array({ maxLength: 200 }),
          fc.nat({ max: good.length }).map((end) => good.slice(0, end)),
        ),
        (hostile) => {
          expect(descriptorNumbers(hostile).every((n) => Number.isSafeInteger(n) && n >= 0)).toBe(true);
        },
      ),
    );
  });
});

describe.skipIf(linux.missing)('walking the descriptors of this process', () => {
  let server: Server;
  beforeAll(async () => {
    server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  afterAll(() => {
    server.close();
  });

  const names = (): Map<number, string> => {
    const found = new Map<number, string>();
    walkDescriptors(process.pid, (fd, link, length) => {
      found.set(fd, Buffer.from(link.slice(0, length)).toString());
      return true;
    });
    return found;
  };

  it('finds what readdir finds, with the same link texts', () => {
    const walked = names();
    const listed = new Map<number, string>();
    for (const name of fs.readdirSync('/proc/self/fd')) {
      try {
        listed.set(Number(name), fs.readlinkSync(`/proc/self/fd/${name}`));
      } catch {}
    }
    expect([...listed].every(([fd, text]) => walked.get(fd) === text)).toBe(true);
    expect(walked.size - listed.size).toBeLessThanOrEqual(1);
  });

  it('counts up without gaps in the answer even where the table is sparse', () => {
    const opened = Array.from({ length: 400 }, () => fs.openSync('/dev/null', 'r'));
    const last = opened.at(-1)!;
    for (const fd of opened.slice(0, -1)) {
      fs.closeSync(fd);
    }
    try {
      expect(names().get(last)).toBe('/dev/null');
    } finally {
      fs.closeSync(last);
    }
  });

  it('stops when told to, and knows a process that is not there', () => {
    let seen = 0;
    expect(walkDescriptors(process.pid, () => ++seen < 2)).toBe('stopped');
    expect(seen).toBe(2);
    expect(walkDescriptors(4_194_304, () => true)).toBe('gone');
    expect(countDescriptors(4_194_304)).toBeNull();
  });

  it('tells the kinds apart', () => {
    const before = descriptorKinds(process.pid)?.get('file') ?? 0;
    const file = fs.openSync('/proc/self/status', 'r');
    try {
      const kinds = descriptorKinds(process.pid);
      expect(kinds?.get('file')).toBe(before + 1);
      expect(kinds?.get('eventpoll')).toBeGreaterThan(0);
      expect(kinds?.get('socket')).toBeGreaterThan(0);
    } finally {
      fs.closeSync(file);
    }
  });

  it('names a kind for any link text', () => {
    const kinds = [
      '/dev/null',
      '/memfd:x (deleted)',
      '/etc/passwd',
      'pipe:[1]',
      'anon_inode:[timerfd]',
      'anon_inode:bpf-map',
      'net:[1]',
      'what',
    ];
    expect(kinds.map((text) => descriptorKind(bytes(text)))).toEqual([
      'device',
      'memfd',
      'file',
      'pipe',
      'timerfd',
      'bpf-map',
      'namespace',
      'other',
    ]);
    fc.assert(fc.property(fc.uint8Array({ maxLength: 64 }), (hostile) => descriptorKind(hostile).length > 0));
  });
});
