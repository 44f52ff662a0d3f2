/**
 * Echoes what comes, `{ listener, each }`, the listener being non-blocking: all connections on one thread with epoll, or with `each` a
 * process for every connection, as inetd does it with cat(1). It goes on until its program ends.
 */
import { closeCall, recvCall, sendCall } from '../../kernel/calls.ts';
import { NONBLOCK } from '../../kernel/calls-flags.ts';
import { plainMemory } from '../../kernel/calls-message.ts';
import { spawnOnSocket } from '../../kernel/spawn-on-socket.ts';
import type { Job } from '../job.ts';
import { acceptAll, createCrowd, IN } from './crowd.ts';

const EAGAIN = -11;

export const job: Job = {
  run({ listener, each }) {
    const crowd = createCrowd();
    const bytes = plainMemory(65536);

    function echo(fd: number): void {
      const came = recvCall.now(fd, bytes.address, bytes.bytes.length, 0);
      if (came > 0) {
        sendCall.now(fd, bytes.address, came, 0);
      } else if (came !== EAGAIN) {
        crowd.close(fd);
      }
    }

    return new Promise((_, reject) => {
      const handOver = (fd: number): void => {
        spawnOnSocket('cat', fd, reject);
        closeCall.now(fd);
      };
      const keep = (fd: number): void => crowd.watch(fd, IN, () => echo(fd));
      crowd.watch(Number(listener), IN, () =>
        acceptAll(Number(listener), each === true ? 0 : NONBLOCK, each === true ? handOver : keep),
      );
      crowd.serve(() => false, Number.POSITIVE_INFINITY).catch(reject);
    });
  },
};
