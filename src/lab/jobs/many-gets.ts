/** So many GETs on one thread: `{ address, requests, connections }`. Each connection asks for one after the other until all have been asked. */
import { recvCall, sendCall } from '../../kernel/calls.ts';
import { plainMemory } from '../../kernel/calls-message.ts';
import { errnoName } from '../../kernel/errno.ts';
import type { Job } from '../job.ts';
import { createCrowd, IN, OUT, startConnecting } from './crowd.ts';

const REQUEST = Buffer.from('GET / HTTP/1.1\r\nHost: lab\r\n\r\n');
const END = Buffer.from('\r\n\r\n');
const EAGAIN = -11;
const LONGEST_MS = 20_000;

export const job: Job = {
  async run({ address, requests, connections }, tools) {
    const to = tools.address(String(address));
    const crowd = createCrowd();
    const request = plainMemory(REQUEST.length);
    request.bytes.set(REQUEST);
    const answer = plainMemory(4096);
    const failed: Record<string, number> = {};
    let waiting = Number(requests);
    let [opened, open, answered] = [0, 0, 0];

    function fails(what: string): void {
      failed[what] = (failed[what] ?? 0) + 1;
    }

    /** Its request was taken from those that wait when it was opened. */
    function speak(fd: number): void {
      crowd.watch(fd, OUT, () => {
        ask(fd);
        crowd.change(fd, IN, () => hear(fd));
      });
    }

    function ask(fd: number): void {
      // What fails is told by the next recv as well.
      sendCall.now(fd, request.address, REQUEST.length, 0);
    }

    function hear(fd: number): void {
      const came = recvCall.now(fd, answer.address, answer.bytes.length, 0);
      if (came === EAGAIN) {
        return;
      }
      if (came > 0 && Buffer.from(answer.bytes.subarray(0, came)).subarray(-END.length).equals(END)) {
        answered += 1;
        if (waiting > 0) {
          waiting -= 1;
          ask(fd);
          return;
        }
      } else {
        fails(came < 0 ? errnoName(came) : 'cut short');
      }
      crowd.close(fd);
      open -= 1;
    }

    const began = tools.now();
    for (let i = 0; i < Number(connections) && waiting > 0; i++) {
      const at = tools.now();
      const fd = startConnecting(to);
      waiting -= 1;
      if (fd >= 0) {
        opened += 1;
        open += 1;
        speak(fd);
      } else {
        const errno = errnoName(fd);
        if (failed[errno] === undefined) {
          // The first of its kind stands for all that follow.
          const args = ['AF_INET', 'SOCK_STREAM|SOCK_CLOEXEC|SOCK_NONBLOCK', 0];
          tools.record({ name: 'socket', args, at, took: tools.now() - at, result: fd });
        }
        fails(errno);
      }
    }
    await crowd.serve(() => open === 0, LONGEST_MS);
    crowd.end();
    return { answered, failed, opened, unfinished: open + waiting, ms: (tools.now() - began) / 1e6 };
  },
};
