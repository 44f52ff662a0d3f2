/** What a program and everything it has started cost, `{ pid }`: processes, threads, bytes of memory. */
import { costOfTree } from '../../kernel/process-cost.ts';
import type { Job } from '../job.ts';

export const job: Job = {
  run: async ({ pid }) => ({ ...costOfTree(Number(pid)) }),
};
