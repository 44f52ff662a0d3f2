/** Dave Pacheco's second TCP puzzler: the other machine is gone for good. */
import { between, holds, is, lasts } from '../checks.ts';
import { defineExperiment } from '../experiment.ts';

export const experiment = defineExperiment(
  { userTimeoutMs: 0 },
  {
    name: 'puzzler-2',
    theme: 'errors',
    asks: 'One machine is gone for good. When does the other one find out?',
    question:
      'The server is switched off and stays off. The client sends something on its connection. When does it find out, and how?',
    answers: {
      a: 'At once: send fails with EHOSTUNREACH.',
      b: 'send succeeds; the kernel sends it again and again, and after a quarter of an hour a read fails with ETIMEDOUT.',
      c: 'send succeeds; after three repetitions the read fails with ECONNRESET.',
      d: 'Never, as long as it does not send a second time.',
    },
    answer: 'b',
    seconds: 4,
    shortened: 'tcp_retries2 is 2 here (3.3 s); usually it is 15, which is 924 seconds at least.',
    stage: () => ({ sysctl: { 'net.ipv4.tcp_retries2': 2 } }),
    async story({ client, server, say }, { userTimeoutMs }) {
      await say('The two are connected.');
      const listener = await server.listening('*:80');
      const options = userTimeoutMs > 0 ? { TCP_USER_TIMEOUT: userTimeoutMs } : {};
      const c = await client.connected('server:80', { options });
      await server.accepted(listener);

      await say('The server loses its power for good.');
      await server.powerOff();

      await say('The client sends something and waits for the answer.');
      const sent = await client.send(c, 'hello?');
      const read = await client.recv(c);
      const again = await client.send(c, 'hello??');
      return {
        sent: sent.result,
        read: read.errno,
        ms: (read.at + read.took - sent.at) / 1e6,
        again: again.errno,
      };
    },
    expect: ({ sent, read, ms, again }, seen) => [
      is('send succeeds', sent, 6),
      is('the read fails', read, 'ETIMEDOUT'),
      lasts('after the time of tcp_retries2 repetitions', ms, 1600, 3400),
      between('the segment was sent again', seen.packets({ from: 'client', data: true }).length - 1, 2, 5),
      is('no RST is sent', seen.packets({ from: 'client', flags: 'R' }).length, 0),
      is('the next send fails too', again, 'EPIPE'),
    ],
    moment: (_, seen) => seen.calls({ host: 'client', name: 'recv', errno: 'ETIMEDOUT' })[0],
    explanation:
      'Nothing says "gone": no answer looks like a slow answer. So TCP repeats, first after 0.2 s and then in intervals that double up to two minutes, and gives up when the whole has lasted as long as tcp_retries2 repetitions would: 15 by default, which makes 924 seconds. Only then does a waiting read, or the next call, get ETIMEDOUT. Without having sent anything the client would never find out.',
    remedy:
      'Set a deadline of your own for every answer. In the socket: TCP_USER_TIMEOUT (milliseconds), which ends the connection when sent data stays unacknowledged for so long. For the whole machine: net.ipv4.tcp_retries2 = 8 is about 100 s.',
    references: [
      'Dave Pacheco, TCP Puzzlers, 2016',
      'RFC 9293 section 3.8.3',
      'ip-sysctl: tcp_retries2',
      'tcp(7), TCP_USER_TIMEOUT',
    ],
    twin: {
      title: 'With TCP_USER_TIMEOUT of half a second.',
      knobs: { userTimeoutMs: 500 },
      expect: ({ read, ms }) => [
        is('the read fails', read, 'ETIMEDOUT'),
        holds('long before', ms >= 500 && ms < 1600, `${(ms / 1000).toFixed(2)} s`),
      ],
    },
  },
);
