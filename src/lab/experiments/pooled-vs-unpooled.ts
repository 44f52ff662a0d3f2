/** The same requests, with a connection each, and over one that is kept. */
import type { Host, Seen } from '../api.ts';
import { holds, is, milliseconds } from '../checks.ts';
import { defineExperiment } from '../experiment.ts';

const REQUESTS = 20;
const ROUND_TRIP_MS = 40;
const WITH_HANDSHAKE_MS = 2 * REQUESTS * ROUND_TRIP_MS;

export const experiment = defineExperiment(
  { pooled: false },
  {
    name: 'pooled-vs-unpooled',
    theme: 'programs',
    asks: 'Twenty requests on one connection, or on twenty. What is the price?',
    question:
      'Twenty small requests, one after the other, to a server 20 ms away. The client opens a connection for each and closes it. What does that cost, compared with one connection that is kept?',
    answers: {
      a: 'Hardly anything: connecting is nearly free, the data takes the time.',
      b: 'Twice the time, and twenty local ports that stay in TIME_WAIT for a minute.',
      c: 'A tenth more: the request travels with the handshake.',
      d: 'Twice the time, and nothing else: what is closed is gone.',
    },
    answer: 'b',
    seconds: 2,
    stage: () => ({ wire: { delayMs: ROUND_TRIP_MS / 2 } }),
    async story({ client, server, stage, say }, { pooled }) {
      const listener = await server.listening('*:80');
      const served: Promise<void>[] = [];
      const open = async () => {
        const accepting = server.accepted(listener);
        const c = await client.connected('server:80');
        served.push(accepting.then((s) => serve(server, s)));
        return c;
      };

      await say(`${REQUESTS} requests, ${pooled ? 'all over one connection' : 'a connection each'}.`);
      const kept = pooled ? await open() : null;
      let answers = 0;
      for (let i = 0; i < REQUESTS; i++) {
        const c = kept ?? (await open());
        await client.send(c, 'question');
        answers += (await client.recv(c)).text === 'answer' ? 1 : 0;
        if (kept === null) {
          await client.close(c);
        }
      }
      if (kept !== null) {
        await client.close(kept);
      }
      await Promise.all(served);
      await stage.until('the last TIME-WAIT', (seen) => waiting(seen) === served.length);
      return { answers };
    },
    expect: ({ answers }, seen) => [
      is('every request is answered', answers, REQUESTS),
      is('so many handshakes crossed the wire', handshakes(seen), REQUESTS),
      is('so many local ports are in TIME-WAIT', waiting(seen), REQUESTS),
      holds(
        'two round trips for each request',
        lasted(seen) >= WITH_HANDSHAKE_MS,
        milliseconds(lasted(seen)),
      ),
      holds(
        'more than half of the packets carry nothing',
        2 * empty(seen) > seen.packets().length,
        share(seen),
      ),
    ],
    moment: (_, seen) => seen.packets({ from: 'client', flags: 'S' })[1],
    explanation:
      'A new connection costs a round trip before the first byte of the request may leave, and with TLS one or two more. Afterwards the side that closed first, here the client, keeps the pair of addresses and ports for a minute in TIME_WAIT. A kept connection pays once. It also remembers what it has learnt about the way: how long a round trip takes, and how much may be under way at a time (a new one begins with ten segments).',
    remedy:
      'Keep connections: one client object for the whole program and not one per request, keep-alive on (Node’s global agent since 19, Python requests.Session, Go with the body read to its end and closed). `sockscope ls state time-wait` shows who does not.',
    references: ['RFC 9112 section 9.3', 'RFC 9293 section 3.6.1', 'RFC 6928'],
    twin: {
      title: 'One connection is kept for all of them.',
      knobs: { pooled: true },
      expect: ({ answers }, seen) => [
        is('every request is answered', answers, REQUESTS),
        is('one handshake crossed the wire', handshakes(seen), 1),
        is('one local port is in TIME-WAIT', waiting(seen), 1),
      ],
    },
  },
);

/** Answers until the client has nothing more to say. */
async function serve(server: Host, s: number): Promise<void> {
  while ((await server.recv(s)).result > 0) {
    await server.send(s, 'answer');
  }
  await server.close(s);
}

const handshakes = (seen: Seen): number => seen.packets({ from: 'client', flags: 'S' }).length;
const waiting = (seen: Seen): number => seen.states('client').filter((state) => state === 'TIME-WAIT').length;
const empty = (seen: Seen): number => seen.packets({ data: false }).length;
const share = (seen: Seen): string => `${empty(seen)} of ${seen.packets().length}`;

/** From the first connect to the last answer. */
function lasted(seen: Seen): number {
  const first = seen.calls({ host: 'client', name: 'connect' })[0];
  const last = seen.calls({ host: 'client', name: 'recv' }).at(-1);
  return first === undefined || last === undefined ? 0 : (last.at + (last.took ?? 0) - first.at) / 1e6;
}
