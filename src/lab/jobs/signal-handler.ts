/** Installs a handler for a signal, `{ signal }`; the value, its name, comes when it has been delivered. Once: the next one does what it always did. */
import { isSignal } from '../../kernel/calls-program.ts';
import type { Job } from '../job.ts';

export const job: Job = {
  run({ signal }, { now, record }) {
    const name = String(signal);
    if (!isSignal(name)) {
      throw new Error(`there is no signal ${name}`);
    }
    return new Promise((resolve) => {
      const at = now();
      process.once(name, () => resolve(name));
      record({ name: 'rt_sigaction', args: [name, 'handler'], at, took: now() - at, result: 0 });
    });
  },
};
