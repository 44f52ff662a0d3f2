/** Keep-alive does not help a connection that has something to say. */
import { atLeast, holds, is } from '../checks.ts';
import { defineExperiment } from '../experiment.ts';

const KEEP_ALIVE = { SO_KEEPALIVE: 1, TCP_KEEPIDLE: 1, TCP_KEEPINTVL: 1, TCP_KEEPCNT: 1 };

export const experiment = defineExperiment(
  { userTimeoutMs: 0 },
  {
    name: 'user-timeout',
    theme: 'errors',
    asks: 'Keep-alive says two seconds. Does it help when data is on its way?',
    question:
      'Keep-alive is set to give up after two seconds. The server’s machine dies, and a moment later the client sends a request and waits for the answer. When does it learn that nobody is there?',
    answers: {
      a: 'After two seconds, from keep-alive.',
      b: 'At once: send fails.',
      c: 'After a quarter of an hour: with data on its way keep-alive says nothing, and only repetition counts.',
      d: 'After three repetitions, in about a second.',
    },
    answer: 'c',
    seconds: 4,
    shortened: 'Three seconds are waited for; the end would come after 924 at least.',
    async story({ client, server, stage, say, waits }, { userTimeoutMs }) {
      await say('Connected, with keep-alive that gives up after two seconds.');
      const listener = await server.listening('*:80');
      const options = { ...KEEP_ALIVE, ...(userTimeoutMs > 0 ? { TCP_USER_TIMEOUT: userTimeoutMs } : {}) };
      const c = await client.connected('server:80', { options });
      await server.accepted(listener);

      // The wire is cut first: a probe of before must not be mistaken for one of after.
      await say('The server dies. The client sends a request, and waits.');
      await stage.wire.cut('server');
      const sent = await client.send(c, 'GET / HTTP/1.1\r\n\r\n');
      const reading = client.recv(c);
      const woken = !(await waits(reading, 3000));
      const socket = (await client.sockets()).find(({ peer }) => peer.port === 80);
      const read = woken ? await reading : null;
      return {
        since: sent.at,
        sent: sent.errno,
        woken,
        state: socket?.state ?? 'none',
        timer: socket?.timer?.kind ?? 'none',
        read: read?.errno,
        ms: read === null ? 0 : (read.at + read.took - sent.at) / 1e6,
      };
    },
    expect: ({ since, sent, woken, state, timer }, seen) => [
      is('send succeeds', sent, null),
      is('the client still waits after 3 s', woken, false),
      is('its connection is ESTABLISHED', state, 'ESTABLISHED'),
      is('the timer is that of repetition', timer, 'retransmit'),
      atLeast(
        'the request was sent again and again',
        seen.packets({ from: 'client', data: true, since }).length - 1,
        2,
      ),
      is('and not one probe', seen.packets({ from: 'client', data: false, since }).length, 0),
    ],
    moment: ({ since }, seen) => seen.packets({ from: 'client', data: true, since })[1],
    explanation:
      'Keep-alive is for silence. As soon as there is data without an acknowledgement, the kernel repeats that data instead, and the keep-alive settings play no part: tcp_retries2 decides, 15 repetitions in ever longer intervals, which take 924 seconds at least. So a client that waits quietly would have known after two seconds, and one that has just sent its request does not know for a quarter of an hour. TCP_USER_TIMEOUT is the limit for this case: how long sent data may stay unacknowledged.',
    remedy:
      'Set both: keep-alive for the silent connection, and TCP_USER_TIMEOUT (milliseconds, about the sum of the keep-alive times) for the one that sends. Above that, a deadline for every answer in the program itself, because a server can acknowledge and still never answer.',
    references: ['tcp(7), TCP_USER_TIMEOUT', 'RFC 5482', 'RFC 9293 section 3.8.3', 'ip-sysctl: tcp_retries2'],
    twin: {
      title: 'With TCP_USER_TIMEOUT of one second.',
      knobs: { userTimeoutMs: 1000 },
      expect: ({ sent, woken, read, ms }) => [
        is('send succeeds', sent, null),
        is('the client is woken', woken, true),
        is('its recv fails', read, 'ETIMEDOUT'),
        holds('within 3 s', ms >= 1000 && ms < 3000, `${(ms / 1000).toFixed(2)} s`),
      ],
    },
  },
);
