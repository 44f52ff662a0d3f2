/** Corked, and not uncorked: the bytes leave when the kernel has had enough. */
import type { Seen } from '../api.ts';
import { holds, is, lasts, milliseconds } from '../checks.ts';
import { defineExperiment } from '../experiment.ts';

const QUICK_MS = 50;

export const experiment = defineExperiment(
  { uncorks: false },
  {
    name: 'cork',
    theme: 'data',
    asks: 'Three corked bytes. When do they leave?',
    question:
      'A client sets TCP_CORK, writes 3 bytes, and waits for the answer; it has forgotten to take the cork out. The network takes no time. When do the 3 bytes leave?',
    answers: {
      a: 'At once: nothing else is under way.',
      b: 'After 40 ms, as with delayed acknowledgments.',
      c: 'After 200 ms.',
      d: 'Never, until the cork is taken out or a full segment has come together.',
    },
    answer: 'c',
    seconds: 1,
    async story({ client, server, say }, { uncorks }) {
      const listener = await server.listening('*:80');
      const c = await client.connected('server:80');
      const s = await server.accepted(listener);

      await say('The client corks and writes 3 bytes.');
      await client.setsockopt(c, 'TCP_CORK', 1);
      const send = await client.send(c, 'GET');
      if (uncorks) {
        await say('It takes the cork out.');
        await client.setsockopt(c, 'TCP_CORK', 0);
      }
      const { text } = await server.received(s, 3);
      return { text, sentAt: send.at };
    },
    expect: ({ text, sentAt }, seen) => {
      const segment = seen.packets({ from: 'client', data: true })[0];
      return [
        lasts('the segment leaves 200 ms after the write', segment && (segment.at - sentAt) / 1e6, 196, 208),
        is('with the 3 bytes', segment?.length, 3),
        is('which arrive', text, 'GET'),
        is('nobody took the cork out', corks(seen).length, 1),
      ];
    },
    moment: (_, seen) => seen.packets({ from: 'client', data: true })[0],
    explanation:
      'TCP_CORK tells the kernel: more will follow, send full segments only. It is made for a header that is written first and a file that follows with sendfile(2). What is left over leaves when the cork is taken out; so that nothing waits for ever, Linux sends it after 200 ms all the same. A missing uncork does not break a program, it makes each of its messages 200 ms slower.',
    remedy:
      'Set TCP_CORK to 0 when the message is complete, in every path; setting TCP_NODELAY while corked also sends what is there. Better still, write a message with one call, or use MSG_MORE, which is a cork for one call only. Latencies of almost exactly 200 ms are the sign, and nothing is sent twice meanwhile.',
    references: ['tcp(7), TCP_CORK', 'send(2), MSG_MORE', 'sendfile(2)'],
    twin: {
      title: 'The cork is taken out.',
      knobs: { uncorks: true },
      expect: ({ text }, seen) => {
        const segment = seen.packets({ from: 'client', data: true })[0];
        const uncorked = corks(seen)[1];
        const ms = segment && uncorked && (segment.at - uncorked.at) / 1e6;
        return [
          holds(
            'the segment leaves when the cork is taken out',
            ms !== undefined && Math.abs(ms) < QUICK_MS,
            ms === undefined ? 'never' : milliseconds(ms),
          ),
          is('and the 3 bytes arrive', text, 'GET'),
        ];
      },
    },
  },
);

function corks(seen: Seen) {
  return seen.calls({ host: 'client', name: 'setsockopt' }).filter(({ args }) => args.includes('TCP_CORK'));
}
