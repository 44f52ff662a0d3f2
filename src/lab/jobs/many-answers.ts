/** A server that answers every request with 204, on one thread: `{ listener }`, which is non-blocking. It goes on until its program ends. */
import { recvCall, sendCall } from '../../kernel/calls.ts';
import { NONBLOCK } from '../../kernel/calls-flags.ts';
import { plainMemory } from '../../kernel/calls-message.ts';
import type { Job } from '../job.ts';
import { acceptAll, createCrowd, IN } from './crowd.ts';

const ANSWER = Buffer.from('HTTP/1.1 204 No Content\r\n\r\n');
const EAGAIN = -11;

export const job: Job = {
  async run({ listener }) {
    const crowd = createCrowd();
    const request = plainMemory(4096);
    const answer = plainMemory(ANSWER.length);
    answer.bytes.set(ANSWER);
    crowd.watch(Number(listener), IN, () =>
      acceptAll(Number(listener), NONBLOCK, (fd) =>
        crowd.watch(fd, IN, () => {
          const came = recvCall.now(fd, request.address, request.bytes.length, 0);
          if (came > 0) {
            // The client asks one thing at a time: what came is one request.
            sendCall.now(fd, answer.address, ANSWER.length, 0);
          } else if (came !== EAGAIN) {
            crowd.close(fd);
          }
        }),
      ),
    );
    await crowd.serve(() => false, Number.POSITIVE_INFINITY);
    return null;
  },
};
