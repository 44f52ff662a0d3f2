import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { needs } from '../../test/needs.ts';
import { closeCall, pipeCall } from './calls.ts';
import { localEnd } from './calls-ends.ts';
import { fixedMemory } from './epoll.ts';
import { takeDescriptor } from './take-descriptor.ts';

const LISTENS = `
const server = require('node:net').createServer().listen(0, '127.0.0.1', () =>
  console.log(JSON.stringify({ fd: server._handle.fd, port: server.address().port })));`;

describe.skipIf(needs('linux').missing)("another process's descriptor", () => {
  it('is the same open file', async () => {
    const child = spawn(process.execPath, ['-e', LISTENS], { stdio: ['ignore', 'pipe', 'inherit'] });
    try {
      const [line] = (await once(child.stdout, 'data')) as [Buffer];
      const { fd, port } = JSON.parse(String(line)) as { fd: number; port: number };
      const taken = takeDescriptor(child.pid ?? 0, fd);
      expect(taken).toBeGreaterThan(2);
      expect(localEnd(taken).end).toEqual({ address: '127.0.0.1', port });
      closeCall.now(taken);
    } finally {
      child.kill('SIGKILL');
    }
  });

  it('is refused as an errno where there is none, and leaves no descriptor behind', () => {
    const next = (): number => {
      const pair = fixedMemory(8);
      pipeCall.now(pair.address, 0);
      closeCall.now(pair.words[0]!);
      closeCall.now(pair.words[1]!);
      return pair.words[0]!;
    };
    const before = next();
    expect(takeDescriptor(process.pid, 1_000_000)).toBe(-9);
    expect(takeDescriptor(2 ** 30, 0)).toBe(-3);
    expect(next()).toBe(before);
  });
});
