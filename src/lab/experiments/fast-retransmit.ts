/** A loss in the middle is noticed by what follows it; a loss at the end only by a clock. */
import type { Seen } from '../api.ts';
import { atLeast, holds, is, milliseconds } from '../checks.ts';
import { defineExperiment } from '../experiment.ts';

/** A round trip of 20 ms gives a retransmission timeout of 220 ms: the round trip and at least 200 ms (tcp_rto_min). */
const DELAY_MS = 10;
const TIMEOUT_MS = 220;
/** Ten segments, which may all leave at once on a new connection. */
const BYTES = 10 * 1448;

export const experiment = defineExperiment(
  { probe: false },
  {
    name: 'fast-retransmit',
    theme: 'loss',
    question:
      'A client sends ten segments at once; a round trip takes 20 ms. On one connection the third segment is lost, on another the last two. Tail loss probes are off, as in the textbook. When are the lost ones sent again?',
    answers: {
      a: 'On both after the retransmission timeout, 220 ms here.',
      b: 'On both after a round trip: the server notices what is missing and asks for it.',
      c: 'The third after a round trip; the last two after the timeout.',
      d: 'The last two after a round trip, because nothing is behind them; the third after the timeout.',
    },
    answer: 'c',
    seconds: 1,
    stage: ({ probe }) => ({
      wire: { delayMs: DELAY_MS },
      sysctl: { 'net.ipv4.tcp_early_retrans': probe ? 3 : 0 },
    }),
    async story({ client, server, stage, say }) {
      const listener = await server.listening('*:80');

      async function send(lost: readonly number[]): Promise<string | undefined> {
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
      const middle = await send([3]);
      await say('Ten segments on a new connection. The last two are lost.');
      const end = await send([9, 10]);
      return { middle, end };
    },
    expect: ({ middle, end }, seen) => [
      holds(
        'the third segment is sent again before the timeout',
        repair(seen, middle).ms < TIMEOUT_MS,
        milliseconds(repair(seen, middle).ms),
      ),
      atLeast('after three duplicate acknowledgments or more', repair(seen, middle).duplicates, 3),
      atLeast('counted as TCPFastRetrans', seen.counter('client', 'TcpExt.TCPFastRetrans'), 1),
      holds(
        'the last two are sent again only after the timeout',
        repair(seen, end).ms >= TIMEOUT_MS,
        milliseconds(repair(seen, end).ms),
      ),
      is('nothing had been acknowledged twice there', repair(seen, end).duplicates, 0),
      is('counted as TCPTimeouts', seen.counter('client', 'TcpExt.TCPTimeouts'), 1),
    ],
    moment: ({ middle }, seen) => repair(seen, middle).again,
    explanation:
      'Nobody says that a segment is lost: the sender has to conclude it. What arrives behind a hole makes the receiver repeat its last acknowledgment, and SACK says what it has. After three of these the sender repeats what is missing, about a round trip after it was lost. Behind the last segments nothing arrives, so nothing is repeated, and only the retransmission timeout is left: the round trip and at least 200 ms, however short the way is. Requests and answers are short, so most of their losses are at the end; that is why a little loss makes the slowest answers 200 ms slower, and not all of them a little.',
    remedy:
      'Leave net.ipv4.tcp_early_retrans at 3, its default: Linux then sends the last segment once more after two round trips (tail loss probe), and the answer to that shows what is missing. Within a data centre, `ip route … rto_min 10ms` shortens the timeout. TCPTimeouts against TCPFastRetrans in `nstat -az` tells which losses you have; `sockscope tap … --fault` makes some.',
    references: [
      'RFC 5681 section 3.2',
      'RFC 6298',
      'RFC 8985 section 7 (tail loss probe)',
      'ip-sysctl: tcp_early_retrans, tcp_recovery',
    ],
    twin: {
      title: 'With tail loss probes, as usual.',
      knobs: { probe: true },
      expect: ({ middle, end }, seen) => [
        holds(
          'the third segment is sent again before the timeout',
          repair(seen, middle).ms < TIMEOUT_MS,
          milliseconds(repair(seen, middle).ms),
        ),
        holds('and so are the last two', repair(seen, end).ms < TIMEOUT_MS, milliseconds(repair(seen, end).ms)),
        atLeast('a probe was sent (TCPLossProbes)', seen.counter('client', 'TcpExt.TCPLossProbes'), 1),
        is('no timeout was needed (TCPTimeouts)', seen.counter('client', 'TcpExt.TCPTimeouts'), 0),
      ],
    },
  },
);

/** From the first loss on a connection to the same bytes again, and how often the bytes before it were acknowledged again meanwhile. */
function repair(seen: Seen, connection: string | undefined) {
  const dropped = new Set(seen.fates('dropped').map(({ packet }) => packet));
  const own = seen.packets({ protocol: 'tcp' }).filter((packet) => packet.connection === connection);
  const lost = own.find(({ id }) => id !== undefined && dropped.has(id));
  const again = lost && own.find(({ at, host, seq }) => at > lost.at && host === lost.host && seq === lost.seq);
  if (lost === undefined || again === undefined) {
    return { ms: Number.NaN, duplicates: 0, again };
  }
  const acks = own.filter(({ at, host, ack }) => at < again.at && host !== lost.host && ack === lost.seq);
  return { ms: (again.at - lost.at) / 1e6, duplicates: Math.max(0, acks.length - 1), again };
}
