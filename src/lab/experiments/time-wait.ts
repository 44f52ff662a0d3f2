/** The last ACK is lost: what TIME_WAIT is for, who has it, and how long it takes. */
import { atLeast, between, inOrder, is } from '../checks.ts';
import { defineExperiment } from '../experiment.ts';

export const experiment = defineExperiment(
  { serverFirst: false },
  {
    name: 'time-wait',
    theme: 'closing',
    asks: 'Who is in TIME_WAIT, for how long, and what for?',
    question:
      'The client closes first, the server closes too, and the very last ACK is lost. An article said that tcp_fin_timeout shortens TIME_WAIT, so it is set to 5 s. Who is in TIME_WAIT, for how long, and what for?',
    answers: {
      a: 'The client, for 5 s: that is what tcp_fin_timeout is for.',
      b: 'The client, for 60 s whatever is set: only because it still knows the connection can it confirm the server’s FIN again.',
      c: 'The server, because it closed last; it waits for the lost ACK.',
      d: 'Both, for two minutes: twice the longest life of a segment.',
    },
    answer: 'b',
    seconds: 1,
    shortened: 'TIME_WAIT takes its 60 s; its timer is shown.',
    stage: () => ({ sysctl: { 'net.ipv4.tcp_fin_timeout': 5 } }),
    async story({ client, server, stage, say }, { serverFirst }) {
      const [one, other] = serverFirst ? [server, client] : [client, server];
      await say(`The ${one.name} closes.`);
      const listener = await server.listening('*:80');
      const c = await client.connected('server:80');
      const s = await server.accepted(listener);
      const [first, second] = serverFirst ? [s, c] : [c, s];
      await one.close(first);
      await other.recv(second);
      await stage.reached(one.name, 'FIN-WAIT-2');

      await say(`The ${other.name} closes too, and the ACK for its FIN is lost.`);
      const lost = await stage.wire.drop({ from: one.name, flags: 'A', data: false, most: 1 });
      await other.close(second);
      await stage.until('the second closer’s end', ({ states }) => states(other.name).at(-1) === 'CLOSED');
      await stage.settled();

      const connections = async (host: typeof client) =>
        (await host.sockets()).filter(({ state }) => state !== 'LISTEN');
      const [atOne, atOther] = [await connections(one), await connections(other)];
      return {
        lost: await lost.hits(),
        atClient: (serverFirst ? atOther : atOne).map(({ state }) => state).join(),
        atServer: (serverFirst ? atOne : atOther).map(({ state }) => state).join(),
        seconds: (atOne[0]?.timer?.expiresMs ?? 0) / 1000,
      };
    },
    expect: ({ lost, atClient, atServer, seconds }, seen) => [
      is('the last ACK was lost', lost, 1),
      atLeast('the server says FIN again', seen.packets({ from: 'server', flags: 'FA' }).length, 2),
      inOrder('the server is done when it is confirmed', seen.states('server'), ['LAST-ACK', 'CLOSED']),
      is('left at the server', atServer, ''),
      is('left at the client', atClient, 'TIME-WAIT'),
      between('seconds on its timer, with tcp_fin_timeout=5', Math.round(seconds), 50, 60),
    ],
    moment: (_, seen) => seen.packets({ from: 'server', flags: 'FA' })[1],
    explanation:
      'Who closes second repeats its FIN until it is confirmed. Who closed first sends that confirmation, and cannot know whether it arrived: so it remembers the connection for a while and answers every repetition. It also keeps the two ports unused until late segments of the old connection are gone. The RFC says two minutes times two, Linux says 60 seconds, compiled in (TCP_TIMEWAIT_LEN); tcp_fin_timeout is about FIN_WAIT_2 and changes nothing here. A socket in TIME_WAIT has no process and takes a few hundred bytes; only its port can become scarce.',
    remedy:
      'Leave it alone. Where ports run out (`sockscope limits`, `sockscope lab port-bomb`), keep connections and use them again, let the other side close first, or let connect reuse ports with net.ipv4.tcp_tw_reuse=1. A server that cannot start again while old connections are in TIME_WAIT wants SO_REUSEADDR.',
    references: [
      'RFC 9293 section 3.6.1',
      'RFC 1337',
      'include/net/tcp.h, TCP_TIMEWAIT_LEN',
      'ip-sysctl: tcp_fin_timeout, tcp_tw_reuse',
    ],
    twin: {
      title: 'The server closes first: then TIME_WAIT is there, and the client has its port back.',
      knobs: { serverFirst: true },
      expect: ({ atClient, atServer, seconds }, seen) => [
        is('left at the client', atClient, ''),
        is('left at the server', atServer, 'TIME-WAIT'),
        between('seconds on its timer', Math.round(seconds), 50, 60),
        atLeast('the client says FIN again', seen.packets({ from: 'client', flags: 'FA' }).length, 2),
      ],
    },
  },
);
