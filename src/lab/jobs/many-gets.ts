/** So many GETs on one thread: `{ address, count, atOnce }`; with `atOnce` 0 all of them are started before one is waited for. */
import { recvCall, sendCall } from '../../kernel/calls.ts';
import { plainMemory } from '../../kernel/calls-message.ts';
import { errnoName } from '../../kernel/errno.ts';
import type { Job } from '../job.ts';
import { createCrowd, IN, OUT, startConnecting } from './crowd.ts';

const REQUEST = Buffer.from('GET / HTTP/1.0\r\n\r\n');
const EAGAIN = -11;
const LONGEST_MS = 20_000;

export const job: Job = {
  async run({ address, count, atOnce }, tools) {
    const to = tools.address(String(address));
    const wanted = Number(count);
    const most = Number(atOnce) || wanted;
    const crowd = createCrowd();
    const request = plainMemory(REQUEST.length);
    request.bytes.set(REQUEST);
    const answer = plainMemory(4096);
    const failed: Record<string, number> = {};
    let [started, open, mostOpen, answered] = [0, 0, 0, 0];

    function fails(errno: number): void {
      const name = errnoName(errno);
      failed[name] = (failed[name] ?? 0) + 1;
    }

    function done(fd: number): void {
      crowd.close(fd);
      open -= 1;
    }

    function speak(fd: number): void {
      let text = '';
      let asked = false;
      crowd.watch(fd, OUT, () => {
        if (!asked) {
          asked = true;
          const sent = sendCall.now(fd, request.address, REQUEST.length, 0);
          if (sent < 0) {
            fails(sent);
            done(fd);
          } else {
            crowd.change(fd, IN);
          }
          return;
        }
        const came = recvCall.now(fd, answer.address, answer.bytes.length, 0);
        if (came > 0) {
          text += Buffer.from(answer.bytes.subarray(0, came)).toString('latin1');
        } else if (came !== EAGAIN) {
          if (came === 0 && text.startsWith('HTTP/1.0 204')) {
            answered += 1;
          } else {
            fails(came);
          }
          done(fd);
        }
      });
    }

    function start(): void {
      while (started < wanted && open < most) {
        const at = tools.now();
        const fd = startConnecting(to);
        started += 1;
        if (fd >= 0) {
          open += 1;
          mostOpen = Math.max(mostOpen, open);
          speak(fd);
        } else {
          if (failed[errnoName(fd)] === undefined) {
            // The first of its kind stands for all that follow.
            const args = ['AF_INET', 'SOCK_STREAM|SOCK_CLOEXEC|SOCK_NONBLOCK', 0];
            tools.record({ name: 'socket', args, at, took: tools.now() - at, result: fd });
          }
          fails(fd);
        }
      }
    }

    const began = tools.now();
    start();
    await crowd.serve(() => {
      start();
      return open === 0 && started === wanted;
    }, LONGEST_MS);
    crowd.end();
    return { answered, failed, mostOpen, unfinished: open, ms: (tools.now() - began) / 1e6 };
  },
};
