/** Dave Pacheco's first TCP puzzler: one machine is power-cycled under an idle connection. */
import { holds, inOrder, is } from '../checks.ts';
import { defineExperiment } from '../experiment.ts';

export const experiment = defineExperiment(
  { probes: false },
  {
    name: 'puzzler-1',
    theme: 'errors',
    asks: 'One machine is power-cycled. What does the other one know?',
    question:
      'Client and server are connected and silent. Somebody pulls the server’s plug and switches it on again. What does the client know of it, and what happens when it then sends something?',
    answers: {
      a: 'The server announces its restart, so the client reads an error at once.',
      b: 'Nothing, for ever; a send then succeeds, and the next read says ECONNRESET.',
      c: 'Nothing; a send then fails with EPIPE.',
      d: 'After a minute the client’s kernel notices and reads fail with ETIMEDOUT.',
    },
    answer: 'b',
    seconds: 3,
    stage: () => ({}),
    async story({ client, server, stage, say, waits }, { probes }) {
      await say('The two are connected, and silent.');
      const listener = await server.listening('*:80');
      const keepAlive = { SO_KEEPALIVE: 1, TCP_KEEPIDLE: 1, TCP_KEEPINTVL: 1, TCP_KEEPCNT: 3 };
      const c = await client.connected('server:80', probes ? { options: keepAlive } : {});
      await server.accepted(listener);

      await say('The server loses its power, and comes back.');
      await server.powerOff();
      await server.boot();
      const asleep = client.poll({ [c]: ['POLLIN'] }, 10_000);
      const noticed = !(await waits(asleep, probes ? 5000 : 1500));
      await stage.settled();
      const state = (await client.sockets()).find(({ peer }) => peer.port === 80)?.state ?? 'none';

      await say('The client sends something.');
      const sent = noticed ? null : await client.send(c, 'hello?');
      const woken = await asleep;
      const read = await client.recv(c);
      const again = await client.send(c, 'hello??');
      return {
        noticed,
        state,
        sent: sent?.result,
        woken: JSON.stringify(woken.value),
        read: read.errno,
        again: again.errno,
      };
    },
    expect: ({ noticed, state, sent, read, again }, seen) => [
      is('the client sleeps on', noticed, false),
      is('its connection is ESTABLISHED', state, 'ESTABLISHED'),
      is('its send succeeds', sent, 6),
      is('the server’s kernel answers with RST', seen.packets({ from: 'server', flags: 'R' }).length, 1),
      is('the read after that fails', read, 'ECONNRESET'),
      is('and the next send too', again, 'EPIPE'),
      inOrder('the client', seen.states('client'), ['ESTABLISHED', 'CLOSED']),
    ],
    moment: (_, seen) => seen.packets({ from: 'server', flags: 'R' })[0],
    explanation:
      'A connection is nothing but what two kernels remember. Nobody tells the client that the other one has forgotten: there is no wire that breaks, and an idle connection sends nothing. The client’s next segment reaches a kernel that knows no such connection, which answers RST; that reset belongs to the socket and is reported by whatever call comes next. The send that provoked it had long returned: it only puts bytes into a buffer.',
    remedy:
      'Who must know whether the other one is alive has to ask: SO_KEEPALIVE with short TCP_KEEPIDLE, or better a heartbeat of the protocol’s own. And a send that returned says nothing about delivery; only an answer does.',
    references: ['Dave Pacheco, TCP Puzzlers, 2016', 'RFC 9293 section 3.10.7.1', 'tcp(7), SO_KEEPALIVE'],
    twin: {
      title: 'With keep-alive probes after a second of silence.',
      knobs: { probes: true },
      expect: ({ noticed, read }, seen) => [
        is('the client is woken without sending anything', noticed, true),
        is('its read says why', read, 'ECONNRESET'),
        holds(
          'by the answer to a probe',
          seen.packets({ from: 'server', flags: 'R' }).length >= 1,
          `${seen.packets({ from: 'server', flags: 'R' }).length} RST`,
        ),
      ],
    },
  },
);
