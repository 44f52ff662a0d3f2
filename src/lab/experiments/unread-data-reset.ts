/** A server that answers without reading the request to its end, and closes. */
import { atLeast, holds, inOrder, is } from '../checks.ts';
import { defineExperiment } from '../experiment.ts';

const REQUEST = 20_000;
const ANSWER = 100_000;

export const experiment = defineExperiment(
  { drains: false },
  {
    name: 'unread-data-reset',
    theme: 'closing',
    asks: 'An error page is sent before the upload was read. Does it arrive?',
    question:
      'A client uploads. The server reads the beginning, has seen enough, sends an error page of 100 000 bytes and closes: send and close both succeed. The rest of the upload is unread in its kernel. The network takes 50 ms. What does the client get?',
    answers: {
      a: 'The whole page and the end of the stream: what the server did not read is the server’s affair.',
      b: 'The beginning of the page, and then ECONNRESET.',
      c: 'The whole page; close waits until it has arrived.',
      d: 'Nothing: its upload is not finished, so it does not read yet.',
    },
    answer: 'b',
    seconds: 1,
    stage: () => ({ wire: { delayMs: 50 } }),
    async story({ client, server, stage, say }, { drains }) {
      await say('The client uploads. The server reads the first 1000 bytes; the rest is in its kernel.');
      const listener = await server.listening('*:80', { options: { SO_SNDBUF: 2 * ANSWER } });
      const c = await client.connected('server:80');
      const s = await server.accepted(listener);
      await client.send(c, REQUEST);
      await server.received(s, 1000);
      await stage.until('the whole upload at the server', ({ infos }) =>
        infos('server').some(({ recvQueue }) => recvQueue === REQUEST - 1000),
      );

      await say('The server sends its page…');
      const sent = await server.send(s, ANSWER);
      let closed: Promise<{ result: number }>;
      if (drains) {
        await say('… ends its direction, and reads until the client has ended too.');
        await server.shutdown(s, 'write');
        closed = server.received(s, 2 * REQUEST).then(() => server.close(s));
      } else {
        await say('… and closes.');
        closed = server.close(s);
      }
      const page = await client.received(c, ANSWER);
      const last = page.bytes.length < ANSWER ? page : await client.recv(c);
      await client.close(c);
      return {
        sent: sent.result,
        close: (await closed).result,
        got: page.bytes.length,
        last: last.errno ?? last.result,
        aborted: (await server.counters())['TcpExt.TCPAbortOnClose'] ?? 0,
      };
    },
    expect: ({ sent, close, got, last, aborted }, seen) => [
      is('send takes the whole page', sent, ANSWER),
      is('close says', close, 0),
      is('the server sent no FIN', seen.packets({ from: 'server', flags: 'FA' }).length, 0),
      atLeast('it sent RST', seen.packets({ from: 'server', flags: 'R' }).length, 1),
      is('its kernel counts an abort on close', aborted, 1),
      holds('the client gets a part of the page', got < ANSWER, `${got} bytes`),
      is('its last read', last, 'ECONNRESET'),
    ],
    moment: (_, seen) => seen.packets({ from: 'server', flags: 'R' })[0],
    explanation:
      'Data that nobody will ever read is lost data, and TCP must not let it look like success: when a socket is closed with unread bytes, the kernel sends RST instead of FIN, and throws away what it still had to send. Only what was under way before the RST can arrive; what is lost of it is not sent again. The client sees ECONNRESET where the server meant to explain itself, and a client that was still sending fails in send and may never read the page at all.',
    remedy:
      'Read the request to its end before you close; or, when that is too much, shutdown(SHUT_WR), keep reading and throwing away for some seconds, and close then ("lingering close", as web servers do). A counter TCPAbortOnClose that grows (`nstat`) shows that a program on this machine does it.',
    references: [
      'RFC 9293 section 3.6.1',
      'RFC 2525 section 2.17',
      'RFC 9112 section 9.6',
      'snmp_counter: TcpExtTCPAbortOnClose',
    ],
    twin: {
      title: 'The server ends its direction, reads the rest, and closes then.',
      knobs: { drains: true },
      expect: ({ got, last, aborted }, seen) => [
        is('the client gets the whole page', got, ANSWER),
        is('and the end of the stream', last, 0),
        is('no RST', seen.packets({ flags: 'R' }).length, 0),
        is('no abort is counted', aborted, 0),
        inOrder('the server', seen.states('server'), ['FIN-WAIT-1', 'TIME-WAIT']),
      ],
    },
  },
);
