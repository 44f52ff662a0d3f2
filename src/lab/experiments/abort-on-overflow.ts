/** The accept queue fills up while handshakes are under way: the client has a connection that the server has not. */
import { atLeast, is, same } from '../checks.ts';
import { defineExperiment } from '../experiment.ts';

const QUIET = ['MSG_NOSIGNAL'];

export const experiment = defineExperiment(
  { abort: true },
  {
    name: 'abort-on-overflow',
    theme: 'queues',
    asks: 'The queue fills during the handshake. Waiting or resetting?',
    question:
      'The accept queue has room for one more connection. Two clients connect at the same moment, so both SYNs find room; the third segments of their handshakes come a round trip later. tcp_abort_on_overflow is 1. What happens to the one that comes too late?',
    answers: {
      a: 'connect fails with ECONNREFUSED.',
      b: 'connect succeeds, and the next call fails with ECONNRESET.',
      c: 'connect hangs and tries again after a second.',
      d: 'Both get in: who has been given a SYN,ACK has a place.',
    },
    answer: 'b',
    seconds: 2,
    stage: ({ abort }) => ({
      wire: { delayMs: 100 },
      hosts: {
        client: {},
        server: {
          // With cookies the place is not even looked for, and nothing is ever reset.
          sysctl: { 'net.ipv4.tcp_abort_on_overflow': abort ? 1 : 0, 'net.ipv4.tcp_syncookies': 0 },
        },
      },
    }),
    async story({ client, server, stage, say }, { abort }) {
      const listener = await server.listening('*:80', { backlog: 1 });
      await client.connected('server:80');
      await stage.reached('server', 'ESTABLISHED');
      const { result: one } = await client.socket();
      const { result: two } = await client.socket();

      await say('One is queued, one more fits. Two connect together.');
      const both = await Promise.all([client.connect(one, 'server:80'), client.connect(two, 'server:80')]);
      await stage.until(
        'the queue to overflow',
        (seen) => seen.counter('server', 'TcpExt.ListenOverflows') > 0,
      );
      if (abort) {
        await stage.until('the reset to arrive', ({ events }) => {
          const reset = events.find((event) => event.type === 'packet' && event.flags?.includes('RST'));
          return events.some(
            (event) =>
              event.type === 'state' &&
              event.host === 'client' &&
              event.to === 'CLOSED' &&
              reset?.type === 'packet' &&
              event.connection === reset.connection,
          );
        });
      }

      await say('Both clients say something.');
      const writes = [await client.send(one, 'hello', QUIET), await client.send(two, 'hello', QUIET)];

      const heard: string[] = [];
      if (!abort) {
        await say('The server has time again, and accepts what there is.');
        await server.accepted(listener);
        for (let i = 0; i < 2; i++) {
          const s = await server.accepted(listener);
          heard.push((await server.received(s, 5)).text);
        }
      }
      const { 'TcpExt.ListenOverflows': overflows = 0, 'TcpExt.EmbryonicRsts': resets = 0 } =
        await server.counters();
      return {
        connects: both.map(({ errno }) => errno),
        writes: writes.map(({ errno }) => errno).sort(),
        heard,
        overflows,
        resets,
      };
    },
    expect: ({ connects, writes, overflows, resets }, seen) => [
      same('both connects succeed', connects, [null, null]),
      same('one write succeeds, the other fails', writes, ['ECONNRESET', null]),
      is('one handshake was reset (EmbryonicRsts)', resets, 1),
      is('the server reset one connection', seen.packets({ from: 'server', flags: 'R' }).length, 1),
      atLeast('because its accept queue was full (ListenOverflows)', overflows, 1),
    ],
    moment: (_, seen) => seen.packets({ from: 'server', flags: 'R' })[0],
    explanation:
      'The accept queue is looked at twice: when the SYN comes, and when the third segment comes. In between it may have filled up. The client is ESTABLISHED by then and knows nothing of that. Usually Linux drops the third segment, keeps the request in SYN_RECV and repeats its SYN,ACK, so that the connection is completed as soon as there is room: the client sees a slow answer. With tcp_abort_on_overflow it sends a reset instead, and the client sees a connection that worked and then broke. SYNs that find the queue full at once are dropped either way.',
    remedy:
      'Leave net.ipv4.tcp_abort_on_overflow at 0: a burst then costs a delay and not an error. Accept faster, or give listen(2) a longer backlog. Only where clients shall fail fast and turn to another server is 1 of use. ListenOverflows of `nstat -az` counts in both cases.',
    references: ['ip-sysctl: tcp_abort_on_overflow', 'listen(2)', 'RFC 9293 section 3.5'],
    twin: {
      title: 'With tcp_abort_on_overflow at 0, as usual.',
      knobs: { abort: false },
      expect: ({ connects, writes, heard, overflows }, seen) => [
        same('both connects succeed', connects, [null, null]),
        same('both writes succeed', writes, [null, null]),
        same('both are heard', heard, ['hello', 'hello']),
        is('nothing was reset', seen.packets({ from: 'server', flags: 'R' }).length, 0),
        atLeast('although the accept queue was full', overflows, 1),
      ],
    },
  },
);
