/**
 * Connects and has a line echoed on every connection, again and again: `{ address, connections, rounds }`. The first round is not measured:
 * it waits until everybody is served. The connections stay open.
 */
import { recvCall, sendCall } from '../../kernel/calls.ts';
import { plainMemory } from '../../kernel/calls-message.ts';
import { errnoName } from '../../kernel/errno.ts';
import type { Job } from '../job.ts';
import { createCrowd, IN, OUT, startConnecting } from './crowd.ts';

const LINE = Buffer.from('a line of no importance, to and fro\n');
const EAGAIN = -11;
const LONGEST_MS = 10_000;

export const job: Job = {
  async run({ address, connections, rounds }, { address: resolve, now }) {
    const to = resolve(String(address));
    const crowd = createCrowd();
    const line = plainMemory(LINE.length);
    line.bytes.set(LINE);
    const back = plainMemory(LINE.length);
    const everybody: number[] = [];
    let missing = 0;
    let broken: string | null = null;

    const speak = (fd: number): void => void sendCall.now(fd, line.address, LINE.length, 0);

    function hear(fd: number): void {
      const came = recvCall.now(fd, back.address, LINE.length, 0);
      if (came === LINE.length) {
        missing -= 1;
      } else if (came !== EAGAIN) {
        broken = came < 0 ? errnoName(came) : 'cut short';
        crowd.close(fd);
      }
    }

    async function round(): Promise<void> {
      await crowd.serve(() => missing === 0 || broken !== null, LONGEST_MS);
      if (missing > 0) {
        throw new Error(`${missing} of ${everybody.length} connections had no echo: ${broken ?? 'too late'}`);
      }
    }

    const began = now();
    for (let i = 0; i < Number(connections); i++) {
      const fd = startConnecting(to);
      if (fd < 0) {
        throw new Error(`connection ${i + 1} failed with ${errnoName(fd)}`);
      }
      everybody.push(fd);
      missing += 1;
      crowd.watch(fd, OUT, () => {
        speak(fd);
        crowd.change(fd, IN, () => hear(fd));
      });
    }
    await round();
    const ready = now();
    for (let i = 0; i < Number(rounds); i++) {
      missing = everybody.length;
      everybody.forEach(speak);
      await round();
    }
    const echoes = everybody.length * Number(rounds);
    return {
      connections: everybody.length,
      readyMs: (ready - began) / 1e6,
      eachUs: echoes === 0 ? 0 : (now() - ready) / 1e3 / echoes,
    };
  },
};
