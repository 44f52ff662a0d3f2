/** A fast line, a long way, and a new connection: the first 200 kB take four round trips. */
import type { Seen } from '../api.ts';
import { holds, inOrder, is, lasts, milliseconds, same } from '../checks.ts';
import { defineExperiment } from '../experiment.ts';

const DELAY_MS = 100;
const BYTES = 200_000;

export const experiment = defineExperiment(
  { warm: false },
  {
    name: 'slow-start',
    theme: 'data',
    asks: 'The line is fast and the way is long. How long for 200 kB?',
    question:
      'Over a connection that is just made, 200 kB are sent. The line is as fast as you like, and a round trip takes 200 ms. How long until everything has arrived?',
    answers: {
      a: '100 ms: everything is sent at once.',
      b: '200 ms: one round trip, to ask for leave.',
      c: 'About 700 ms: the sender may send 10 segments, then 20, 40, 80.',
      d: 'About 28 s: one segment in each round trip.',
    },
    answer: 'c',
    seconds: 2,
    stage: ({ warm }) => ({
      wire: { delayMs: DELAY_MS },
      sysctl: {
        'net.ipv4.tcp_slow_start_after_idle': warm ? 0 : 1,
        // The receiver's window is not the subject: it is never what is waited for.
        'net.ipv4.tcp_rmem': '4096 1000000 4000000',
        'net.ipv4.tcp_wmem': '4096 1000000 4000000',
      },
    }),
    async story({ client, server, stage, say }, { warm }) {
      const listener = await server.listening('*:80');
      const c = await client.connected('server:80');
      const s = await server.accepted(listener);
      if (warm) {
        await say('The connection is used, and then idle for a second.');
        const first = server.received(s, BYTES);
        await client.send(c, BYTES);
        await first;
        await stage.pass(1000);
      }
      await say('200 kB are sent.');
      const arrives = server.received(s, BYTES);
      const send = await client.send(c, BYTES);
      const last = await arrives;
      await stage.settled();
      return { from: send.at, ms: (last.at + last.took - send.at) / 1e6, bytes: last.bytes.length };
    },
    expect: ({ ms, bytes, from }, seen) => [
      lasts('everything has arrived after 3½ round trips', ms, 7 * DELAY_MS, 7 * DELAY_MS),
      is('every byte', bytes, BYTES),
      same('the first flights: each twice the one before', flights(seen, from).slice(0, 3), [10, 20, 40]),
      inOrder('the congestion window doubles', windows(seen), ['10', '20', '40', '80']),
      is('nothing was lost', seen.packets({ note: 'retransmission' }).length, 0),
    ],
    moment: ({ from }, seen) => seen.packets({ from: 'client', data: true, since: from })[10],
    explanation:
      'A sender does not know how much the network can carry, so it begins with 10 segments, 14 kB, and may send two more for each one that is acknowledged: twice as many in every round trip. Until the line is full, the time depends on the round trip alone, and a faster line changes nothing. That is why short transfers over long ways are slow on any line. A connection that has been in use has learned; but after a pause of one retransmission timeout Linux forgets again and begins with 10.',
    remedy:
      'Keep connections and use them again; on servers whose connections rest between requests, set net.ipv4.tcp_slow_start_after_idle to 0. Send less before the first answer (14 kB is one flight), or be nearer to your clients. `ip route change … initcwnd 20` begins with more.',
    references: [
      'RFC 5681 section 3.1 and 4.1',
      'RFC 6928',
      'RFC 7661',
      'ip-sysctl: tcp_slow_start_after_idle',
    ],
    twin: {
      title: 'A connection that is warm, with tcp_slow_start_after_idle at 0.',
      knobs: { warm: true },
      expect: ({ ms, bytes, from }, seen) => [
        holds('everything has arrived in less than two round trips', ms < 4 * DELAY_MS, milliseconds(ms)),
        is('every byte', bytes, BYTES),
        is('in one flight', flights(seen, from).length, 1),
      ],
    },
  },
);

function windows(seen: Seen): string[] {
  return seen.infos('client').map(({ tcp }) => String(tcp?.sndCwnd));
}

/** Segments that left together: a pause of half a round trip parts one flight from the next. */
function flights(seen: Seen, from: number): number[] {
  const sizes: number[] = [];
  let before = Number.NEGATIVE_INFINITY;
  for (const { at } of seen.packets({ from: 'client', data: true, since: from })) {
    if (at - before > DELAY_MS * 1e6) {
      sizes.push(0);
    }
    sizes[sizes.length - 1]! += 1;
    before = at;
  }
  return sizes;
}
