/** What a job finds in the program that runs it. */
import { AF_INET } from '../../kernel/calls-flags.ts';
import { errnoName } from '../../kernel/errno.ts';
import type { JobTools } from '../job.ts';
import { destination } from './actor-text.ts';
import type { Body } from './actor-verbs.ts';

export function jobTools({ host, names, recorder, ends }: Body): JobTools {
  return {
    host,
    now: recorder.now,
    address: (text, family = AF_INET) => destination(text, family, names).raw,
    record({ result, fd, ...call }) {
      if (fd !== undefined && ends.tuple(fd) === undefined) {
        ends.opened(fd);
      }
      const tuple = ends.tuple(fd);
      recorder.tell({
        ...call,
        result: Math.max(-1, result),
        ...(result < 0 ? { errno: errnoName(result) } : {}),
        ...(fd === undefined ? {} : { fd }),
        ...(tuple === undefined ? {} : { tuple }),
      });
    },
  };
}
