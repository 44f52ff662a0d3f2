/** A loss in the middle is noticed by what follows it; a loss at the end only by a clock. */
import type { Seen } from '../api.ts';
import { atLeast, holds, is, lasts, milliseconds } from '../checks.ts';
import { defineExperiment } from '../experiment.ts';

/** A round trip of 20 ms; the retransmission timeout is that, and at least tcp_rto_min on top. */
const DELAY_MS = 10;
const USUAL_MIN_MS = 200;
/** Ten segments, which may all leave at once on a new connection. */
const BYTES = 10 * 1448;

export const experiment = defineExperiment(
  { timeoutMinMs: USUAL_MIN_MS },
  {
    name: 'fast-retransmit',
    theme: 'loss',
    asks: 'One segment is lost in the middle, one at the end. Which comes first?',
    question:
      'A client sends ten segments at once; a round trip takes 20 ms. On one connection the third segment is lost, on another the tenth. When are they sent again?',
    answers: {
      a: 'Both after a timeout of more than 200 ms.',
      b: 'Both after a round trip: the server notices what is missing and asks for it.',
      c: 'The third after a round trip, the tenth after more than 200 ms.',
      d: 'The tenth after a round trip, because nothing is behind it; the third after more than 200 ms.',
    },
    answer: 'c',
    seconds: 1,
    stage: ({ timeoutMinMs }) => ({
      wire: { delayMs: DELAY_MS },
      // Not every kernel has the setting (6.11); the usual value needs none.
      ...(timeoutMinMs === USUAL_MIN_MS
        ? {}
        : { sysctl: { 'net.ipv4.tcp_rto_min_us': timeoutMinMs * 1000 } }),
    }),
    async story({ client, server, stage, say }) {
      const listener = await server.listening('*:80');

      async function send(lost: number): Promise<string | undefined> {
        const c = await client.connected('server:80');
        const s = await server.accepted(listener);
        const rule = await stage.wire.drop({ from: 'client', data: true, nth: lost });
        await client.send(c, BYTES);
        await server.received(s, BYTES);
        await rule.remove();
        await stage.settled();
        return stage.seen.calls({ host: 'client', name: 'send' }).at(-1)?.connection;
      }

      await say('Ten segments. The third is lost.');
      const middle = await send(3);
      await say('Ten segments on a new connection. The tenth is lost.');
      const end = await send(10);
      return { middle, end };
    },
    expect({ middle, end }, seen) {
      const [third, tenth] = [repair(seen, middle), repair(seen, end)];
      return [
        holds(
          'the third segment is sent again in less than 200 ms',
          third.ms < USUAL_MIN_MS,
          milliseconds(third.ms),
        ),
        atLeast('after three duplicate acknowledgments or more', third.duplicates, 3),
        atLeast('counted as TCPFastRetrans', seen.counter('client', 'TcpExt.TCPFastRetrans'), 1),
        lasts('the tenth takes more than 200 ms', tenth.ms, USUAL_MIN_MS, 300),
        is('nothing was acknowledged twice there', tenth.duplicates, 0),
      ];
    },
    moment: ({ middle }, seen) => repair(seen, middle).again,
    explanation:
      'Nobody says that a segment is lost: the sender has to conclude it. What arrives behind a hole makes the receiver repeat its last acknowledgment, and SACK says what it has. After three of these the sender repeats what is missing, about a round trip after it was lost. Behind the last segment nothing arrives, so nothing is repeated, and only a clock is left, which waits for the round trip and at least 200 ms more, however short the way is. Linux has a second clock, the tail loss probe, which is quick when several segments are unanswered, but not with one: the receiver could be holding its acknowledgment back. Requests and answers are short, so many of their losses are at the end: a little loss does not make all answers a little slower, but a few of them 200 ms slower.',
    remedy:
      'Between machines that are near each other lower the least timeout: `ip route change … rto_min 20ms`, or net.ipv4.tcp_rto_min_us (since Linux 6.11); not below the 40 ms for which a receiver may hold back its acknowledgment unless you know it. Answers that take 200 ms longer, now and then, are the sign. TCPFastRetrans, TCPLossProbes and TCPTimeouts of `nstat -az` tell how losses were noticed.',
    references: [
      'RFC 5681 section 3.2',
      'RFC 6298 section 2',
      'RFC 8985 section 7 (tail loss probe)',
      'ip-sysctl: tcp_early_retrans, tcp_recovery, tcp_rto_min_us',
      'ip-route(8), rto_min',
    ],
    twin: {
      title: 'With a least timeout of 20 ms.',
      knobs: { timeoutMinMs: 20 },
      expect({ middle, end }, seen) {
        const [third, tenth] = [repair(seen, middle), repair(seen, end)];
        return [
          holds(
            'the third segment is sent again in less than 200 ms',
            third.ms < USUAL_MIN_MS,
            milliseconds(third.ms),
          ),
          holds('and so is the tenth', tenth.ms < USUAL_MIN_MS, milliseconds(tenth.ms)),
        ];
      },
    },
  },
);

/** From the first loss on a connection to the same bytes again, and how often the bytes before it were acknowledged again meanwhile. */
function repair(seen: Seen, connection: string | undefined) {
  const dropped = new Set(seen.fates('dropped').map(({ packet }) => packet));
  const own = seen.packets({ protocol: 'tcp' }).filter((packet) => packet.connection === connection);
  const lost = own.find(({ id }) => id !== undefined && dropped.has(id));
  const again =
    lost && own.find(({ at, host, seq }) => at > lost.at && host === lost.host && seq === lost.seq);
  if (lost === undefined || again === undefined) {
    return { ms: Number.NaN, duplicates: 0, again };
  }
  const acks = own.filter(({ at, host, ack }) => at < again.at && host !== lost.host && ack === lost.seq);
  return { ms: (again.at - lost.at) / 1e6, duplicates: Math.max(0, acks.length - 1), again };
}
