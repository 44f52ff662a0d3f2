/** Ten local ports, a connection each, and the eleventh. */
import { atLeast, is } from '../checks.ts';
import { defineExperiment } from '../experiment.ts';

const PORTS = 10;

export const experiment = defineExperiment(
  { reuse: false },
  {
    name: 'port-bomb',
    theme: 'ports',
    asks: 'Ten local ports, ten connections, all closed. And the eleventh?',
    question:
      'A client with ten ephemeral ports opens a connection to one server, closes it, and opens the next. What happens to the eleventh, a moment later?',
    answers: {
      a: 'It waits until a port is free.',
      b: 'The server refuses it: ECONNREFUSED.',
      c: 'connect fails at once with EADDRNOTAVAIL, and nothing is sent.',
      d: 'It works: the ten connections are closed, so their ports are free.',
    },
    answer: 'c',
    seconds: 3,
    shortened:
      'Ten ports stand for the 28 232 of a usual machine; TIME_WAIT takes its 60 s, and only its timer is shown.',
    stage: ({ reuse }) => ({
      hosts: {
        client: {
          sysctl: {
            'net.ipv4.ip_local_port_range': '40000 40009',
            'net.ipv4.tcp_tw_reuse': reuse ? 1 : 2,
            // A busy machine repeats a FIN; its second ACK is answered with a RST, which would end TIME-WAIT (RFC 1337).
            'net.ipv4.tcp_rfc1337': 1,
          },
        },
        server: {},
      },
    }),
    async story({ client, server, stage, say }) {
      const listener = await server.listening('*:80', { backlog: 64 });

      await say(`${PORTS} connections, each closed by the client.`);
      for (let i = 0; i < PORTS; i++) {
        const c = await client.connected('server:80');
        const s = await server.accepted(listener);
        await client.close(c);
        await server.recv(s);
        await server.close(s);
      }
      await stage.until('ten times TIME-WAIT', ({ states }) => {
        const waits = states('client').filter((state) => state === 'TIME-WAIT');
        return waits.length === PORTS;
      });
      const waiting = (await client.sockets()).filter(({ state }) => state === 'TIME-WAIT');
      const seconds = Math.max(...waiting.map(({ timer }) => (timer?.expiresMs ?? 0) / 1000));

      // TIME-WAIT may be reused when it is a second old (tcp_tw_reuse_delay).
      await stage.pass(1100);
      await say('One more.');
      await stage.settled();
      const packets = stage.seen.packets({ protocol: 'tcp' }).length;
      const { result: c } = await client.socket();
      const eleventh = await client.connect(c, 'server:80');
      await stage.settled();
      const counters = await client.counters();
      return {
        errno: eleventh.errno,
        waiting: waiting.length,
        seconds,
        sent: stage.seen.packets({ protocol: 'tcp' }).length - packets,
        recycled: counters['TcpExt.TWRecycled'] ?? 0,
      };
    },
    expect: ({ errno, waiting, seconds, sent }) => [
      is('ten connections are in TIME-WAIT', waiting, PORTS),
      { claim: 'for a minute', ok: seconds > 50 && seconds <= 60, seen: `${seconds.toFixed(0)} s left` },
      is('the eleventh connect fails', errno, 'EADDRNOTAVAIL'),
      is('and nothing was sent', sent, 0),
    ],
    moment: (_, seen) => seen.calls({ host: 'client', name: 'connect', errno: 'EADDRNOTAVAIL' })[0],
    explanation:
      'A connection is its two addresses and two ports. Who closes first keeps it in TIME_WAIT for 60 seconds, so that late segments of it cannot be taken for the next one’s. To one address and port there are only as many connections as there are ephemeral ports: ip_local_port_range gives 28 232, which is 470 new connections a second. To another server, or another port of this one, the same local ports are free.',
    remedy:
      'Keep connections and use them again (see `sockscope lab port-bomb-pooled`). Where that cannot be, net.ipv4.tcp_tw_reuse=1 lets connect take a port whose TIME_WAIT is a second old. `sockscope limits` shows how full the range is.',
    references: [
      'RFC 9293 section 3.6.1',
      'RFC 6191',
      'ip-sysctl: ip_local_port_range, tcp_tw_reuse',
      'connect(2)',
    ],
    twin: {
      title: 'With tcp_tw_reuse=1, a second later.',
      knobs: { reuse: true },
      expect: ({ errno, sent, recycled }) => [
        is('the eleventh connect succeeds', errno, null),
        atLeast('it reused a TIME-WAIT (TcpExt.TWRecycled)', recycled, 1),
        { claim: 'its handshake crossed the wire', ok: sent >= 3, seen: `${sent} packets` },
      ],
    },
  },
);
