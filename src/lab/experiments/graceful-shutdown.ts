/** A server that stops by closing its listener, while somebody waits in the accept queue. */
import { atLeast, is } from '../checks.ts';
import { defineExperiment } from '../experiment.ts';

export const experiment = defineExperiment(
  { drains: false },
  {
    name: 'graceful-shutdown',
    theme: 'closing',
    asks: 'Close the listener first, then finish the work. Who is harmed?',
    question:
      'A server is told to stop. It closes its listener first, so that nobody new comes in, and then finishes what it has accepted. Two clients are connected and have sent their requests; the server has accepted one of them. What does the other one get?',
    answers: {
      a: 'ECONNREFUSED from connect: it was not accepted.',
      b: 'Its answer: the connection was made before the listener closed.',
      c: 'ECONNRESET, although its connect and its send succeeded.',
      d: 'Nothing: it waits until it gives up.',
    },
    answer: 'c',
    seconds: 1,
    async story({ client, server, stage, say }, { drains }) {
      await say('Two clients connect and send. The server has accepted the first.');
      const listener = await server.listening('*:80', { nonblock: true });
      const first = await client.connected('server:80');
      await client.send(first, 'request 1');
      await server.poll({ [listener]: ['POLLIN'] }, 5000);
      const accepted = [await server.accepted(listener)];
      const second = await client.connected('server:80');
      const sent = await client.send(second, 'request 2');
      await stage.until('the second request at the server', ({ infos }) =>
        infos('server').some(({ recvQueue }) => recvQueue === 9),
      );
      await server.poll({ [listener]: ['POLLIN'] }, 5000);

      if (drains) {
        await say('SIGTERM. The server accepts until nobody waits any more, and closes its listener.');
        for (let more = await server.accept(listener); more.errno === null; ) {
          accepted.push(more.result);
          more = await server.accept(listener);
        }
      } else {
        await say('SIGTERM. The server closes its listener.');
      }
      await server.close(listener);

      await say(
        'It answers what it has accepted, ends its direction, and reads until the client has ended too.',
      );
      for (const s of accepted) {
        await server.received(s, 9);
        await server.send(s, 'answer');
        await server.shutdown(s, 'write');
      }
      const answers: (string | number)[] = [];
      for (const c of [first, second]) {
        const answer = await client.received(c, 100);
        answers.push(answer.errno ?? answer.text);
        await client.close(c);
      }
      for (const s of accepted) {
        await server.recv(s);
        await server.close(s);
      }
      return { sent: sent.result, answers };
    },
    expect: ({ sent, answers }, seen) => [
      is('the second client’s send succeeded', sent, 9),
      is('the first client', answers[0], 'answer'),
      is('the second client', answers[1], 'ECONNRESET'),
      atLeast('the server’s kernel sent RST', seen.packets({ from: 'server', flags: 'R' }).length, 1),
    ],
    moment: (_, seen) => seen.packets({ from: 'server', flags: 'R' })[0],
    explanation:
      'The kernel completes handshakes and takes in requests long before accept. Those connections belong to the listener: when it is closed, nobody will ever accept them, and the kernel resets each. So the gentle-looking first step of stopping breaks off exactly the newest clients. The same happens when the process is killed, or when one of several SO_REUSEPORT listeners ends.',
    remedy:
      'Let the balancer send nobody new first; then accept until EAGAIN, close the listener, answer, shutdown(SHUT_WR), read until 0, close. A moment between the last accept and close remains: clients must repeat what is safe to repeat, or the listener is handed to the next process instead of closed (socket activation), or net.ipv4.tcp_migrate_req=1 moves the queue to another SO_REUSEPORT listener. `sockscope ls state listen` shows what waits: Recv-Q.',
    references: ['listen(2)', 'RFC 9293 section 3.6.1', 'ip-sysctl: tcp_migrate_req', 'RFC 9112 section 9.6'],
    twin: {
      title: 'The server empties its queue before it closes the listener.',
      knobs: { drains: true },
      expect: ({ answers }, seen) => [
        is('the first client', answers[0], 'answer'),
        is('the second client', answers[1], 'answer'),
        is('no RST', seen.packets({ flags: 'R' }).length, 0),
        is('accept was asked until EAGAIN', seen.calls({ name: 'accept4', errno: 'EAGAIN' }).length, 1),
      ],
    },
  },
);
