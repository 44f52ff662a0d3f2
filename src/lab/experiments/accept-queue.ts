/** The program is busy and does not accept: who comes next waits a second, whoever is to blame. */
import type { Seen } from '../api.ts';
import { atLeast, is, lasts } from '../checks.ts';
import { defineExperiment } from '../experiment.ts';

export const experiment = defineExperiment(
  { accepts: false },
  {
    name: 'accept-queue',
    theme: 'queues',
    asks: 'A server is too busy to accept. What does the next connect do?',
    question:
      'A server listens with a backlog of 1 and is too busy to call accept. Two clients have connected. A third one connects; 300 ms later the server has time again and accepts. What does the third connect do?',
    answers: {
      a: 'It fails with ECONNREFUSED.',
      b: 'It returns at once: handshakes are made by the kernel.',
      c: 'It returns after 300 ms, when accept makes room.',
      d: 'It returns after a second, though there was room long before.',
    },
    answer: 'd',
    seconds: 2,
    shortened: 'A backlog of 1 stands for the usual 128, 511 or 4096.',
    async story({ client, server, stage, say }, { accepts }) {
      const listener = await server.listening('*:80', { backlog: 1 });
      await say('Two clients connect. A backlog of 1 has room for both.');
      await client.connected('server:80');
      await client.connected('server:80');
      const queued = (seen: Seen) => Math.max(...seen.infos('server').map(({ recvQueue }) => recvQueue));
      await stage.until('both handshakes to be complete', (seen) => queued(seen) === 2);

      if (accepts) {
        await say('The server accepts at once.');
        await server.accepted(listener);
        await server.accepted(listener);
      }
      await say('A third one connects.');
      const { result: c } = await client.socket();
      const third = client.connect(c, 'server:80');
      if (!accepts) {
        await stage.until(
          'the third SYN to be dropped',
          (seen) => seen.counter('server', 'TcpExt.ListenOverflows') > 0,
        );
        await stage.pass(300);
        await say('The server has time again, and accepts both.');
        await server.accepted(listener);
        await server.accepted(listener);
      }
      const { errno, took } = await third;
      const { 'TcpExt.ListenOverflows': overflows = 0, 'TcpExt.ListenDrops': drops = 0 } =
        await server.counters();
      return { queued: queued(stage.seen), errno, ms: took / 1e6, overflows, drops };
    },
    expect: ({ queued, errno, ms, overflows, drops }, seen) => [
      is('two connections wait to be accepted', queued, 2),
      is('the third connect succeeds in the end', errno, null),
      lasts('at the second SYN, after a second', ms, 1000, 1100),
      atLeast('four SYNs for three connections', seen.packets({ from: 'client', flags: 'S' }).length, 4),
      atLeast('the full accept queue was counted (ListenOverflows)', overflows, 1),
      atLeast('and the dropped SYN (ListenDrops)', drops, 1),
    ],
    moment: (_, seen) => seen.packets({ from: 'client', flags: 'S' })[2],
    explanation:
      'Connections whose handshake is complete wait in the accept queue, which holds one more than the backlog of listen(2). While it is full, the kernel drops every new SYN without an answer. The client takes that for a lost packet and tries again after one second; in between nobody tells it that there is room. So a pause of a few hundred milliseconds in the server, for a garbage collection perhaps, becomes connects of 1, 2 or 3 seconds, with an idle network and an idle processor.',
    remedy:
      'Accept at once and queue in the program, or give listen(2) a longer backlog; net.core.somaxconn limits it. `sockscope limits` shows each listener’s queue, its limit and how often it was full; in `nstat -az` that is ListenOverflows. Connect times of almost exactly a second are the sign.',
    references: [
      'listen(2)',
      'accept(2)',
      'RFC 6298 section 2',
      'ip-sysctl: somaxconn, tcp_abort_on_overflow',
    ],
    twin: {
      title: 'The server accepts in time.',
      knobs: { accepts: true },
      expect: ({ errno, ms, overflows }, seen) => [
        is('the third connect succeeds', errno, null),
        { claim: 'in much less than a second', ok: ms < 700, seen: `${ms.toFixed(1)} ms` },
        is('a SYN for each connection', seen.packets({ from: 'client', flags: 'S' }).length, 3),
        is('the queue never overflowed', overflows, 0),
      ],
    },
  },
);
