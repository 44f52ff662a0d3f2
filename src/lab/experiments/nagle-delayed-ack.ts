/** Two small writes and a read: each end waits for the other, for 40 ms. */
import type { Seen } from '../api.ts';
import { holds, lasts, milliseconds } from '../checks.ts';
import { defineExperiment } from '../experiment.ts';

const TIMES = 6;
const MOSTLY = 4;
/** The shortest delay of an acknowledgment is 40 ms (TCP_DELACK_MIN), give or take a tick. */
const DELAYED_MS = 38;

export const experiment = defineExperiment(
  { nodelay: false },
  {
    name: 'nagle-delayed-ack',
    theme: 'data',
    asks: 'Two small writes and a read take 40 ms each time. Why?',
    question:
      'A client writes a header of 5 bytes, then a body of 5 bytes, and waits for the answer; again and again on one connection. The server answers at once when it has both. The network takes no time. How long does one exchange take?',
    answers: {
      a: 'Less than a millisecond: there is nothing to wait for.',
      b: 'About 40 ms.',
      c: 'About 200 ms, a retransmission timeout.',
      d: 'Less than a millisecond the first few times, then more and more: buffers fill up.',
    },
    answer: 'b',
    seconds: 1,
    async story({ client, server, say }, { nodelay }) {
      const listener = await server.listening('*:80');
      const c = await client.connected('server:80', { options: { TCP_NODELAY: nodelay ? 1 : 0 } });
      const s = await server.accepted(listener);

      await say(`write, write, read: ${TIMES} times.`);
      const answering = server.job('exchange', { fd: s, times: TIMES, steps: ['recv 10', 'send 1'] });
      const asked = await client.job('exchange', {
        fd: c,
        times: TIMES,
        steps: ['send 5', 'send 5', 'recv 1'],
      });
      await answering;
      const took = Array.isArray(asked) ? asked.map(Number) : [];
      // A new connection acknowledges at once for a while, so the first exchange is quick either way.
      return { median: middle(took.slice(1)) };
    },
    expect: ({ median }, seen) => [
      lasts('an exchange takes 40 ms (the median of those after the first)', median, DELAYED_MS, 60),
      holds(
        'the body waits in the client until the header has been acknowledged',
        heldBack(seen) >= MOSTLY,
        `${heldBack(seen)} of ${TIMES}`,
      ),
    ],
    moment: (_, seen) => {
      const answer = seen.packets({ from: 'server', data: true })[0];
      return answer && seen.packets({ from: 'server', flags: 'A', data: false, since: answer.at })[0];
    },
    explanation:
      'Two good ideas meet. Nagle’s: while something small is unacknowledged, do not send more that is small. So the body stays in the client until the header has been acknowledged. The delayed acknowledgment: wait up to 40 ms whether there is an answer that it can ride on. So the server’s kernel acknowledges the header only after 40 ms, because its program cannot answer half a request. Nobody is busy in the meantime. The first exchange is quick, because a new connection acknowledges at once for a while: a test with one request does not show it.',
    remedy:
      'Write the message with one call: put it together first, or use writev(2). Or set TCP_NODELAY in the client, as most libraries for databases and HTTP do. Latencies of almost exactly 40 ms are the sign; TCP_QUICKACK on the other side helps, but does not last.',
    references: ['RFC 896', 'RFC 1122 sections 4.2.3.2 and 4.2.3.4', 'tcp(7), TCP_NODELAY'],
    twin: {
      title: 'The client sets TCP_NODELAY.',
      knobs: { nodelay: true },
      expect: (_, seen) => [
        holds('the body leaves right behind the header', gap(seen) < DELAYED_MS, milliseconds(gap(seen))),
        holds('the body waits for nothing', heldBack(seen) < MOSTLY, `${heldBack(seen)} of ${TIMES} waited`),
      ],
    },
  },
);

function middle(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

/** Between the header's segment and the body's, at the quickest: a busy machine may stop the client between its two writes. */
function gap(seen: Seen): number {
  const moments = seen.packets({ from: 'client', data: true }).map(({ at }) => at / 1e6);
  const gaps = moments.flatMap((at, index) =>
    index % 2 === 1 && index > 1 ? [at - moments[index - 1]!] : [],
  );
  return Math.min(...gaps);
}

/** How often a pure acknowledgment stands between the header's segment and the body's. */
function heldBack(seen: Seen): number {
  const order = seen
    .packets({ protocol: 'tcp' })
    .filter(({ flags = [] }) => !flags.includes('SYN'))
    .map(({ host, length }) => (host === 'client' ? (length > 0 ? 'd' : '') : length > 0 ? 'r' : 'a'))
    .join('');
  return order.match(/dad/g)?.length ?? 0;
}
