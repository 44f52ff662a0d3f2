/** A request in the first segment: what TCP Fast Open needs before it saves anything. */
import { atLeast, holds, is, lasts, milliseconds } from '../checks.ts';
import { defineExperiment } from '../experiment.ts';

const DELAY_MS = 100;
/** A little less: the wire's clock and the programs' are joined to a fraction of that. */
const TWO_ROUND_TRIPS_MS = 4 * DELAY_MS - 20;
const USUAL = 1;
const BOTH = 3;

export const experiment = defineExperiment(
  { serverSetting: USUAL },
  {
    name: 'fast-open',
    theme: 'opening',
    asks: 'Data in the SYN: how long do the first and the second request take?',
    question:
      'To save a round trip, the client sends with MSG_FASTOPEN and the server sets TCP_FASTOPEN on its listener. No call fails. The machines are set up as they come. How long do the first and the second request take?',
    answers: {
      a: 'One round trip each.',
      b: 'Two for the first, which fetches a cookie, one for the second.',
      c: 'Two round trips each: the server’s kernel ignores it, and nobody says so.',
      d: 'The first fails with EOPNOTSUPP.',
    },
    answer: 'c',
    seconds: 2,
    stage: ({ serverSetting }) => ({
      hosts: {
        client: { sysctl: { 'net.ipv4.tcp_fastopen': USUAL } },
        server: { sysctl: { 'net.ipv4.tcp_fastopen': serverSetting } },
      },
      wire: { delayMs: DELAY_MS },
    }),
    async story({ client, server, say }) {
      const listener = await server.listening('*:80', { options: { TCP_FASTOPEN: 5 } });

      async function request() {
        const { result: c } = await client.socket();
        const answered = server.accepted(listener).then(async (s) => {
          await server.recv(s);
          await server.send(s, 'answer');
          return s;
        });
        const sent = await client.sendto(c, 'request', 'server:80', ['MSG_FASTOPEN']);
        const read = await client.recv(c);
        await client.close(c);
        await server.close(await answered);
        return { errno: sent.errno, text: read.text, ms: (read.at + read.took - sent.at) / 1e6 };
      }

      await say('The first request.');
      const first = await request();
      await say('The second one, on a new connection.');
      const second = await request();
      const [mine, theirs] = [await client.counters(), await server.counters()];
      return {
        first,
        second,
        active: mine['TcpExt.TCPFastOpenActive'] ?? 0,
        passive: theirs['TcpExt.TCPFastOpenPassive'] ?? 0,
      };
    },
    expect: ({ first, second, passive }, seen) => [
      is('the first sendto succeeds', first.errno, null),
      is('and the second', second.errno, null),
      is('the answers come', `${first.text} ${second.text}`, 'answer answer'),
      lasts('the first takes two round trips', first.ms, TWO_ROUND_TRIPS_MS, 700),
      lasts('the second takes two round trips', second.ms, TWO_ROUND_TRIPS_MS, 700),
      is('no SYN carried data', seen.packets({ from: 'client', flags: 'S', data: true }).length, 0),
      is('the server counted no fast open', passive, 0),
    ],
    moment: (_, seen) => seen.packets({ from: 'client', flags: 'S' })[1],
    explanation:
      'Fast Open lets the SYN carry the request. Against forged addresses the server wants to see a cookie in it, which it hands out in an earlier handshake: so the first connection to a server saves nothing in any case. And the kernel must be asked on both sides: net.ipv4.tcp_fastopen is 1 as it comes, the client’s half only. A server’s setsockopt succeeds all the same, the cookie request is left unanswered, and every connection silently falls back to the usual handshake.',
    remedy:
      'net.ipv4.tcp_fastopen=3 on the server; then look whether it works (`nstat -az TcpExtTCPFastOpen*`). Only for requests that may arrive twice, and firewalls on the way often drop SYNs with data. A connection that is kept open saves more than this.',
    references: ['RFC 7413', 'tcp(7), TCP_FASTOPEN', 'ip-sysctl: tcp_fastopen'],
    twin: {
      title: 'With tcp_fastopen=3 on the server.',
      knobs: { serverSetting: BOTH },
      expect: ({ first, second, active, passive }, seen) => [
        is('the answers come', `${first.text} ${second.text}`, 'answer answer'),
        lasts(
          'the first, which fetches the cookie, takes two round trips',
          first.ms,
          TWO_ROUND_TRIPS_MS,
          700,
        ),
        holds(
          'the second takes one',
          second.ms >= 200 && second.ms < TWO_ROUND_TRIPS_MS,
          milliseconds(second.ms),
        ),
        atLeast('its SYN carried data', seen.packets({ from: 'client', flags: 'S', data: true }).length, 1),
        is('the client counted it', active, 1),
        is('and the server', passive, 1),
      ],
    },
  },
);
