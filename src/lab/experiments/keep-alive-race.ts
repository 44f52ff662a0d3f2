/** The server tidies up an idle connection at the moment when the client uses it again. */
import type { Event } from '../../session/events.ts';
import type { Host } from '../api.ts';
import { atLeast, inOrder, is } from '../checks.ts';
import { defineExperiment } from '../experiment.ts';

const DELAY_MS = 100;
const REQUEST = 'GET / HTTP/1.1\r\nHost: server\r\n\r\n';
const ANSWER = 'HTTP/1.1 204 No Content\r\n\r\n';

export const experiment = defineExperiment(
  { patient: true },
  {
    name: 'keep-alive-race',
    theme: 'programs',
    asks: 'One request in ten thousand fails on a kept connection. Why?',
    question:
      'One request in ten thousand fails, with "socket hang up" or with ECONNRESET, and the server’s log knows nothing of it. Both sides keep connections open, and both close those that are idle for five seconds. What happens?',
    answers: {
      a: 'The server crashes now and then, and restarts.',
      b: 'The client sends on a connection that the server is closing; the two cross on the way, and the request is never read.',
      c: 'The client’s send fails, and it should have looked at the result.',
      d: 'The server’s accept queue is full.',
    },
    answer: 'b',
    seconds: 2,
    shortened: 'Nobody waits for the idle limit: the server closes when the story says so.',
    stage: () => ({ wire: { delayMs: DELAY_MS } }),
    async story({ client, server, stage, say }, { patient }) {
      const listener = await server.listening('*:80');
      const open = async () => {
        const c = await client.connected('server:80');
        return { c, s: await server.accepted(listener) };
      };
      const connections = [await open(), await open()] as const;
      await say('A request and an answer on each of two connections, and then silence.');
      const warm = await Promise.all(connections.map(({ c, s }) => exchange(client, c, server, s)));

      if (!patient) {
        await say(
          'The client’s own idle limit is shorter: it closes first, and opens a new one when it must.',
        );
        const ends = connections.map(async ({ c, s }) => {
          await client.close(c);
          await server.recv(s);
          await server.close(s);
        });
        await Promise.all(ends);
        const { c, s } = await open();
        return { warm: warm.join(), again: await exchange(client, c, server, s) };
      }

      await say('The server closes the first, just when the client asks again.');
      const [crossing, unread] = connections;
      const [, sent] = await Promise.all([server.close(crossing.s), client.send(crossing.c, REQUEST)]);
      const read = await client.recv(crossing.c);
      const reset = (event: Event) =>
        event.type === 'state' && event.host === 'client' && event.to === 'CLOSED';
      await stage.until('the RST at the client', ({ events }) => events.some(reset));
      const pending = await client.getsockopt(crossing.c, 'SO_ERROR');

      await say('On the second the request arrives; the server closes without having read it.');
      const sentToo = await client.send(unread.c, REQUEST);
      await server.poll({ [unread.s]: ['POLLIN'] }, 5000);
      await server.close(unread.s);
      const readToo = await client.recv(unread.c);
      return {
        warm: warm.join(),
        again: null,
        crossing: { sent: sent.result, read: read.errno ?? read.result, pending: pending.value as string },
        unread: { sent: sentToo.result, read: readToo.errno ?? readToo.result },
      };
    },
    expect: ({ warm, crossing, unread }, seen) => [
      is('both connections worked before', warm, '204,204'),
      is('first: the send succeeds', crossing?.sent, REQUEST.length),
      is('the recv says the end: "socket hang up"', crossing?.read, 0),
      is('and the RST that follows leaves', crossing?.pending, 'EPIPE'),
      is('second: the send succeeds', unread?.sent, REQUEST.length),
      is('the recv says', unread?.read, 'ECONNRESET'),
      atLeast(
        'the server’s kernel sent RST for both',
        seen.packets({ from: 'server', flags: 'R' }).length,
        2,
      ),
      is(
        'the server’s program read each connection once',
        seen.calls({ host: 'server', name: 'recv' }).length,
        2,
      ),
    ],
    moment: (_, seen) => seen.packets({ from: 'server', flags: 'F' })[0],
    explanation:
      'Closing takes half a round trip to be known. Whoever sends in that time has done nothing wrong: its connection looks open, and its send succeeds. If the server’s FIN and the request cross, the client first reads the end of the stream, without an answer (Node calls that "socket hang up"; the RST comes after it, and on Linux it changes no read any more). If the request was in the server’s buffer when it closed, the kernel sends RST instead of FIN, and the client reads ECONNRESET. Both are the same race, and no answer means that the request was most likely not processed, but nobody can know.',
    remedy:
      'Let the client give up idle connections clearly before the server does (server keepAliveTimeout above the client’s or load balancer’s, by more than a round trip). Retry once, on a new connection, what may be done twice, when a reused connection ended without an answer (Node: req.reusedSocket). Looking before the reuse makes the race smaller, and not impossible.',
    references: [
      'RFC 9112 sections 9.3.1 and 9.5',
      'RFC 9110 section 9.2.2',
      'RFC 2525 section 2.17',
      'Node.js: http.Server keepAliveTimeout, request.reusedSocket',
    ],
    twin: {
      title: 'The client’s idle limit is shorter than the server’s.',
      knobs: { patient: false },
      expect: ({ warm, again }, seen) => [
        is('both connections worked before', warm, '204,204'),
        is('the next request is answered', again, '204'),
        is('no RST', seen.packets({ flags: 'R' }).length, 0),
        inOrder('it was the client that closed', seen.states('client'), ['FIN-WAIT-1', 'TIME-WAIT']),
      ],
    },
  },
);

/** The status of the answer. */
async function exchange(client: Host, c: number, server: Host, s: number): Promise<string | undefined> {
  await client.send(c, REQUEST);
  await server.received(s, REQUEST.length);
  await server.send(s, ANSWER);
  return (await client.received(c, ANSWER.length)).text.split(' ')[1];
}
