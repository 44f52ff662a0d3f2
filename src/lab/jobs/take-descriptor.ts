/** Shares a descriptor of another program on this host, as if forked from it: `{ pid, fd }`. The value is its number here. */
import { errnoName } from '../../kernel/errno.ts';
import { takeDescriptor } from '../../kernel/take-descriptor.ts';
import type { Job } from '../job.ts';

export const job: Job = {
  async run({ pid, fd: theirs }, { now, record }) {
    const at = now();
    const result = takeDescriptor(Number(pid), Number(theirs));
    const args = [{ pid: Number(pid) }, Number(theirs), 0];
    const ours = result < 0 ? {} : { fd: result };
    record({ name: 'pidfd_getfd', args, at, took: now() - at, result, ...ours });
    if (result < 0) {
      throw new Error(`a descriptor of another process could not be had: ${errnoName(result)}`);
    }
    return result;
  },
};
