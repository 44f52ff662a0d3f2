/** The same sixty requests, with a connection each, and over one that is kept. */
import { between, holds, is, lasts } from '../checks.ts';
import { defineExperiment } from '../experiment.ts';

const REQUESTS = 60;
const DELAY_MS = 10;
const ROUND_TRIP_MS = 2 * DELAY_MS;

export const experiment = defineExperiment(
  { pooled: false },
  {
    name: 'pooled-vs-unpooled',
    theme: 'programs',
    question:
      'Sixty small requests, one after the other, to a server that is 10 ms away. The client opens a connection for each. What does that cost, compared with one connection that is kept?',
    answers: {
      a: 'Hardly anything: connecting is free, only data takes time.',
      b: 'Twice the time, and sixty sockets that stay in TIME_WAIT for a minute.',
      c: 'Ten per cent: the handshake’s ACK carries the request.',
      d: 'Sixty times the time.',
    },
    answer: 'b',
    seconds: 4,
    stage: () => ({ wire: { delayMs: DELAY_MS } }),
    async story({ client, server, stage, say }, { pooled }) {
      const listener = await server.listening('*:80');
      const open = async () => {
        const c = await client.connected('server:80');
        return { c, s: await server.accepted(listener) };
      };

      await say(`${REQUESTS} requests, ${pooled ? 'all over one connection' : 'a connection each'}.`);
      const began = performance.now();
      const kept = pooled ? await open() : null;
      let answers = 0;
      for (let i = 0; i < REQUESTS; i++) {
        const { c, s } = kept ?? (await open());
        await client.send(c, 'question');
        await server.recv(s);
        await server.send(s, 'answer');
        answers += (await client.recv(c)).text === 'answer' ? 1 : 0;
        if (kept === null) {
          await client.close(c);
          await server.close(s);
        }
      }
      const ms = performance.now() - began;
      await stage.settled();
      const waiting = (await client.sockets()).filter(({ peer, state }) => {
        return peer.port === 80 && (state === 'TIME-WAIT' || state === 'FIN-WAIT-2' || state === 'FIN-WAIT-1');
      });
      return { answers, ms, waiting: waiting.length };
    },
    expect: ({ answers, ms, waiting }, seen) => [
      is('every request is answered', answers, REQUESTS),
      is('the client opened so many sockets', opened(seen), REQUESTS),
      is('so many handshakes crossed', seen.packets({ from: 'client', flags: 'S' }).length, REQUESTS),
      is('so many sockets are closed and not gone', waiting, REQUESTS),
      lasts('each request took two round trips', ms, 2 * REQUESTS * ROUND_TRIP_MS, 2 * REQUESTS * 30),
    ],
    moment: (_, seen) => seen.packets({ from: 'client', flags: 'S' })[1],
    explanation: '',
    remedy: '',
    references: ['RFC 9112 section 9.3', 'RFC 9293 section 3.6.1', 'RFC 5681 section 3.1'],
    twin: {
      title: 'One connection is kept.',
      knobs: { pooled: true },
      expect: ({ answers, ms, waiting }, seen) => [
        is('every request is answered', answers, REQUESTS),
        is('the client opened one socket', opened(seen), 1),
        is('one handshake crossed', seen.packets({ from: 'client', flags: 'S' }).length, 1),
        is('nothing waits', waiting, 0),
        holds('less time', ms < 0, String(ms)),
        between('…', ms, 0, 1),
      ],
    },
  },
);

function opened(seen: { calls(match: object): unknown[] }): number {
  return seen.calls({ host: 'client', name: 'connect' }).length;
}
