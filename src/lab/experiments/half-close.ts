/** One direction is over, the other is not. */
import { atLeast, inOrder, is } from '../checks.ts';
import { defineExperiment } from '../experiment.ts';

export const experiment = defineExperiment(
  { closes: false },
  {
    name: 'half-close',
    theme: 'closing',
    asks: 'The client has said its last word. What may the server still do?',
    question:
      'The client has sent its whole request and calls shutdown(SHUT_WR), as `nc -N` does. The server reads the request, then 0 bytes. What can the server still do?',
    answers: {
      a: 'Nothing: 0 bytes mean that the connection is over. It can only close.',
      b: 'Send, but the client’s kernel answers with RST.',
      c: 'Send as much as it likes; the client reads it.',
      d: 'Send; and the client may still send too, shutdown is only a hint.',
    },
    answer: 'c',
    seconds: 1,
    async story({ client, server, stage, say }, { closes }) {
      await say('The client sends its request…');
      const listener = await server.listening('*:80');
      const c = await client.connected('server:80');
      const s = await server.accepted(listener);
      await client.send(c, 'sum 1 2 3');

      await say(closes ? '… and closes.' : '… and ends its direction with shutdown(SHUT_WR).');
      await (closes ? client.close(c) : client.shutdown(c, 'write'));
      const request = await server.received(s, 100);
      await stage.reached('client', 'FIN-WAIT-2');

      await say('The server has read everything, and then the end. It answers.');
      const sent = await server.send(s, 'the sum is 6');
      if (closes) {
        await stage.until('the server’s end', ({ states }) => states('server').at(-1) === 'CLOSED');
        const second = await server.send(s, '!');
        return {
          request: request.text,
          sent: sent.result,
          got: '',
          end: null,
          write: null,
          second: second.errno,
        };
      }
      const got = await client.recv(c);

      await say('The client tries to send after all.');
      const write = await client.send(c, 'and 4');

      await say('The server closes, and the client reads the end.');
      await server.close(s);
      const end = await client.recv(c);
      await stage.reached('client', 'TIME-WAIT');
      await client.close(c);
      return {
        request: request.text,
        sent: sent.result,
        got: got.text,
        end: end.result,
        write: write.errno,
        second: null,
      };
    },
    expect: ({ request, sent, got, end, write }, seen) => [
      is('the server reads the request to its end', request, 'sum 1 2 3'),
      is('its answer is accepted', sent, 12),
      is('the client reads the answer', got, 'the sum is 6'),
      is('its own direction is closed', write, 'EPIPE'),
      is('the client sent one segment of data', seen.packets({ from: 'client', data: true }).length, 1),
      is('and then the end', end, 0),
      inOrder('the server answers in', seen.states('server'), ['ESTABLISHED', 'CLOSE-WAIT']),
      inOrder('while the client is in', seen.states('client'), ['FIN-WAIT-2', 'TIME-WAIT']),
      is('no RST', seen.packets({ flags: 'R' }).length, 0),
    ],
    moment: (_, seen) => seen.packets({ from: 'server', data: true })[0],
    explanation:
      'A connection is two streams, and a FIN ends one of them. shutdown(SHUT_WR) sends it and keeps the socket: the client can read for as long as the server likes, and its own sends fail with EPIPE inside its own kernel, without a packet. The server learns "you have everything" from reading 0 bytes; it does not learn whether the client still listens. That is the trouble: with close the client’s FIN looks the same, and only the answer’s RST shows the difference.',
    remedy:
      'Answer before you close, although read gave 0. Node’s net.Server ends its direction by itself unless it is made with `allowHalfOpen: true`, and many proxies close both directions: do not build a protocol on half-close when such stand in between; say in the protocol where a request ends.',
    references: [
      'RFC 9293 section 3.6',
      'RFC 1122 section 4.2.2.13',
      'shutdown(2)',
      'Node.js net: allowHalfOpen',
    ],
    twin: {
      title: 'The client closes instead: the same FIN, and nobody is there to read the answer.',
      knobs: { closes: true },
      expect: ({ request, sent, second }, seen) => [
        is('the server reads the same request, and the same end', request, 'sum 1 2 3'),
        is('its answer is accepted', sent, 12),
        atLeast(
          'the client’s kernel answers with RST',
          seen.packets({ from: 'client', flags: 'R' }).length,
          1,
        ),
        is('the next send', second, 'EPIPE'),
      ],
    },
  },
);
