import { closeSync, openSync, readFileSync, readlinkSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { needs } from '../../test/needs.ts';
import { closeDescriptor, LONGEST_MESSAGE, messagePair, receiveMessage, sendMessage } from './fd-passing.ts';

describe.skipIf(needs('linux').missing)('messages with descriptors', () => {
  let ends: [number, number];

  beforeEach(() => {
    ends = messagePair() as [number, number];
  });
  afterEach(() => ends.forEach(closeDescriptor));

  it('keep their bounds, up to the longest', () => {
    for (const size of [1, 2, 65_540, LONGEST_MESSAGE]) {
      expect(sendMessage(ends[0], Buffer.alloc(size, size))).toBe(size);
      expect(receiveMessage(ends[1])).toEqual({ bytes: Buffer.alloc(size, size), fd: -1 });
    }
    expect(sendMessage(ends[0], Buffer.alloc(LONGEST_MESSAGE + 1))).toBe(-90);
  });

  it('a descriptor arrives as one of its own', () => {
    const fd = openSync('/proc/self/status', 'r');
    expect(sendMessage(ends[0], Buffer.from('take'), fd)).toBe(4);
    closeSync(fd);
    const received = receiveMessage(ends[1]);
    if (received === null || typeof received === 'number') {
      throw new Error(`nothing came: ${received}`);
    }
    expect(readlinkSync(`/proc/self/fd/${received.fd}`)).toMatch(/\/status$/);
    // O_CLOEXEC, in octal.
    expect(readFileSync(`/proc/self/fdinfo/${received.fd}`, 'utf8')).toMatch(/^flags:\s+0?[0-9]*2[0-9]{6}$/m);
    closeDescriptor(received.fd);
  });

  it('what was received stays while something is sent', () => {
    sendMessage(ends[0], Buffer.from('question'));
    const received = receiveMessage(ends[1]);
    sendMessage(ends[1], Buffer.from('an answer'));
    expect(received).toMatchObject({ bytes: Buffer.from('question') });
  });

  it('nothing there, no room, and the end are three different answers', () => {
    expect(receiveMessage(ends[1])).toBe(-11);
    let sent = 0;
    while (sendMessage(ends[0], Buffer.alloc(1000)) > 0) {
      sent++;
    }
    expect(sent).toBeGreaterThan(10);
    expect(sendMessage(ends[0], Buffer.alloc(1000))).toBe(-11);
    closeDescriptor(ends[0]);
    for (let i = 0; i < sent; i++) {
      expect(receiveMessage(ends[1])).toMatchObject({ fd: -1 });
    }
    expect(receiveMessage(ends[1])).toBe(null);
    ends = messagePair() as [number, number];
  });
});
