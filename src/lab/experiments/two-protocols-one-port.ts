/** Port 53 twice: TCP and UDP count separately, IPv4 and IPv6 do not. */
import { holds, is } from '../checks.ts';
import { defineExperiment } from '../experiment.ts';

export const experiment = defineExperiment(
  { bothTcp: false },
  {
    name: 'two-protocols-one-port',
    theme: 'ports',
    asks: 'Two servers, one port number. Do they collide?',
    question:
      'A program listens on TCP port 53. Another one wants UDP port 53 on the same address. Neither sets any option. What does its bind say, and who gets what?',
    answers: {
      a: 'EADDRINUSE: a port belongs to one program.',
      b: 'It succeeds: TCP and UDP have ports of their own, and each gets its own.',
      c: 'It succeeds only with SO_REUSEADDR on both.',
      d: 'It succeeds, and datagrams go to whoever bound last.',
    },
    answer: 'b',
    seconds: 1,
    async story({ client, server, stage, say }, { bothTcp }) {
      const [first, second] = await Promise.all([server.program(), server.program()]);

      await say('The first program listens on TCP port 53. A datagram comes for UDP port 53.');
      const { result: listener } = await first.socket('tcp');
      await first.bind(listener, '*:53');
      await first.listen(listener);
      const { result: d } = await client.socket('udp');
      await client.connect(d, 'server:53');
      await client.send(d, 'anybody?');
      await client.poll({ [d]: ['POLLIN'] }, 5000);
      const before = await client.recv(d, 64, ['MSG_DONTWAIT']);

      await say(`The second program wants ${bothTcp ? 'TCP' : 'UDP'} port 53.`);
      const { result: other } = await second.socket(bothTcp ? 'tcp' : 'udp');
      const bound = await second.bind(other, '*:53');

      let datagram = '';
      if (bound.errno === null) {
        await say('The client sends a datagram, and connects.');
        await client.send(d, 'by datagram');
        datagram = (await second.recv(other)).text;
      }
      const c = await client.connected('server:53');
      await client.send(c, 'by connection');
      const stream = await first.received(await first.accepted(listener), 13);

      await say('The same port for IPv6: with [::] for both versions, and for IPv6 alone.');
      const { result: six } = await second.socket('tcp6');
      const both = await second.bind(six, '[::]:53');
      await second.setsockopt(six, 'IPV6_V6ONLY', 1);
      const alone = await second.bind(six, '[::]:53');
      await stage.settled();
      return {
        before: before.errno ?? before.text,
        bound: bound.errno ?? 'ok',
        datagram,
        stream: stream.text,
        both: both.errno ?? 'ok',
        alone: alone.errno ?? 'ok',
      };
    },
    expect: ({ before, bound, datagram, stream, both, alone }, seen) => [
      is('with a TCP listener alone the datagram is refused', before, 'ECONNREFUSED'),
      holds(
        'by ICMP, not by RST',
        seen.packets({ from: 'server', protocol: 'icmp' }).length === 1 &&
          seen.packets({ from: 'server', flags: 'R' }).length === 0,
        `${seen.packets({ from: 'server', protocol: 'icmp' }).length} ICMP`,
      ),
      is('bind to the UDP port', bound, 'ok'),
      is('the second program gets the datagram', datagram, 'by datagram'),
      is('the first program gets the connection', stream, 'by connection'),
      is('bind of TCP to [::], which means IPv4 too', both, 'EADDRINUSE'),
      is('the same with IPV6_V6ONLY', alone, 'ok'),
    ],
    moment: (_, seen) => seen.calls({ host: 'server', name: 'bind' })[1],
    explanation:
      'A port is a number inside a protocol: TCP and UDP have 65 535 each, and neither knows of the other. That is why DNS answers on both, and HTTP/3 has UDP 443 beside TCP 443. It also means that one tells nothing about the other: with a TCP listener on 53, UDP 53 is closed. IPv4 and IPv6 are different: a socket on [::] takes IPv4 as well, so it conflicts with one on 0.0.0.0, unless it says IPV6_V6ONLY.',
    remedy:
      'Nothing to repair; but name the protocol. A firewall rule, a published container port or a health check for 53/tcp says nothing about 53/udp. `sockscope ls :53` shows both.',
    references: ['RFC 6335 section 6', 'RFC 768', 'ipv6(7), IPV6_V6ONLY'],
    twin: {
      title: 'Both want TCP.',
      knobs: { bothTcp: true },
      expect: ({ bound, stream, before }) => [
        is('bind to the same TCP port', bound, 'EADDRINUSE'),
        is('the first program gets the connection', stream, 'by connection'),
        is('nobody has the UDP port', before, 'ECONNREFUSED'),
      ],
    },
  },
);
