/**
 * Sends and receives in turn, without a pause for the story between the calls: `{ fd, times, steps: ['send 5', 'send 5', 'recv 1'] }`.
 * The value is how many milliseconds each turn took.
 */
import { recvCall, sendCall } from '../../kernel/calls.ts';
import { plainMemory } from '../../kernel/calls-message.ts';
import { errnoName } from '../../kernel/errno.ts';
import type { Job, JobTools } from '../job.ts';

export const job: Job = {
  async run({ fd, times, steps }, tools) {
    const took: number[] = [];
    const calls = Array.isArray(steps) ? steps.map(String) : [];
    for (let i = 0; i < Number(times); i++) {
      const from = tools.now();
      for (const step of calls) {
        const [what, length] = step.split(' ');
        await (what === 'send' ? send : receive)(Number(fd), Number(length), tools);
      }
      took.push((tools.now() - from) / 1e6);
    }
    return took;
  },
};

async function send(fd: number, length: number, { now, record }: JobTools): Promise<void> {
  const { bytes, address } = plainMemory(length);
  const text = 'x'.repeat(length);
  new TextEncoder().encodeInto(text, bytes);
  const at = now();
  const result = sendCall.now(fd, address, length, 0);
  record({ name: 'send', args: [fd, JSON.stringify(text), length, 0], at, took: now() - at, result, fd });
  if (result !== length) {
    throw new Error(`send gave ${result < 0 ? errnoName(result) : result} where ${length} was wanted`);
  }
}

async function receive(fd: number, length: number, { now, record }: JobTools): Promise<void> {
  const { bytes, address } = plainMemory(length);
  for (let left = length; left > 0; ) {
    const at = now();
    const most = left;
    const result = await new Promise<number>((resolve) => recvCall.aside([fd, address, most, 0], resolve));
    const text = new TextDecoder().decode(bytes.subarray(0, Math.max(0, result)));
    record({ name: 'recv', args: [fd, JSON.stringify(text), most, 0], at, took: now() - at, result, fd });
    if (result <= 0) {
      throw new Error(
        `recv gave ${result < 0 ? errnoName(result) : 'the end'} where ${most} bytes were wanted`,
      );
    }
    left -= result;
  }
}
