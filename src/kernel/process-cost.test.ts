import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { needs } from '../../test/needs.ts';
import { costOfTree } from './process-cost.ts';

describe.skipIf(needs('linux').missing)('the cost of a process and its children', () => {
  it('counts the children, and their children, and nobody else', async () => {
    // Two shells and cat, which echoes when all three are there.
    const child = spawn('sh', ['-c', "sh -c 'cat; :'; :"], { stdio: ['pipe', 'pipe', 'inherit'] });
    child.stdin.write('up');
    try {
      await once(child.stdout, 'data');
      const { processes, threads, memory } = costOfTree(child.pid ?? 0);
      expect({ processes, threads }).toEqual({ processes: 3, threads: 3 });
      expect(memory).toBeGreaterThan(3 * 4096);
      expect(memory).toBeLessThan(64 * 2 ** 20);
    } finally {
      child.stdin.end();
      await once(child, 'exit');
    }
  });

  it('is more than one thread for a process like this one, and nothing for a process that is not there', () => {
    expect(costOfTree(process.pid).threads).toBeGreaterThan(1);
    expect(costOfTree(2 ** 30)).toEqual({ processes: 0, threads: 0, memory: 0 });
  });
});
