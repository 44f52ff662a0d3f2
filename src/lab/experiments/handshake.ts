/** Three segments, and who knows what after each. */
import { inOrder, is, lasts, same } from '../checks.ts';
import { defineExperiment } from '../experiment.ts';

export const experiment = defineExperiment(
  { delayMs: 200 },
  {
    name: 'handshake',
    theme: 'opening',
    asks: 'When does connect return, and what has accept to do with it?',
    question:
      'A server listens, and has not called accept. The network takes 200 ms each way. When does the client’s connect return?',
    answers: {
      a: 'After 200 ms, when the SYN arrives.',
      b: 'After 400 ms, when the SYN,ACK is back; accept plays no part in it.',
      c: 'After 600 ms, when the third segment has arrived.',
      d: 'When the server calls accept.',
    },
    answer: 'b',
    seconds: 1,
    stage: ({ delayMs }) => ({ wire: { delayMs } }),
    async story({ client, server, stage, say }) {
      await say('The server listens. It does not accept.');
      await server.listening('*:80');

      await say('The client connects.');
      const { result: c } = await client.socket();
      const connect = await client.connect(c, 'server:80');
      await stage.reached('server', 'ESTABLISHED');
      return { errno: connect.errno, ms: connect.took / 1e6 };
    },
    expect: ({ errno, ms }, seen) => [
      is('connect succeeds without accept', errno, null),
      lasts('connect takes one round trip', ms, 400, 400),
      same(
        'three segments cross',
        seen.packets({ protocol: 'tcp' }).map(({ flags = [] }) => flags.join()),
        ['SYN', 'SYN,ACK', 'ACK'],
      ),
      inOrder('the client', seen.states('client'), ['CLOSED', 'SYN-SENT', 'ESTABLISHED']),
      inOrder('the server', seen.states('server'), ['CLOSED', 'SYN-RECV', 'ESTABLISHED']),
      is('accept was never called', seen.calls({ name: 'accept4' }).length, 0),
    ],
    moment: (_, seen) => seen.calls({ host: 'client', name: 'connect' })[0],
    explanation:
      'The kernels shake hands alone. The client is ESTABLISHED when the SYN,ACK is back, one round trip after its SYN; the server only when the third segment has arrived. Until then the server keeps the connection as a small request (SYN_RECV), and afterwards in the accept queue. accept(2) only takes from that queue what is already complete.',
    remedy:
      'Nothing to repair. A slow connect is a long way or a lost SYN, never a slow accept; to save the round trip, keep connections open.',
    references: ['RFC 9293 section 3.5', 'accept(2)', 'listen(2)'],
    twin: {
      title: 'The same over a wire without delay.',
      knobs: { delayMs: 0 },
      expect: ({ errno, ms }, seen) => [
        is('connect succeeds', errno, null),
        { claim: 'connect takes less than the 400 ms', ok: ms < 400, seen: `${ms.toFixed(2)} ms` },
        is('three segments cross', seen.packets({ protocol: 'tcp' }).length, 3),
      ],
    },
  },
);
