/** Small things pass, large things vanish: a path with a smaller MTU that nobody tells of. */
import { atLeast, holds, is } from '../checks.ts';
import { defineExperiment } from '../experiment.ts';

const PATH_MTU = 1400;
const LARGE = 20_000;

export const experiment = defineExperiment(
  { probing: 0 },
  {
    name: 'mtu-black-hole',
    theme: 'loss',
    asks: 'Through the tunnel small answers come and large ones hang. Why?',
    question:
      'Through the new VPN everything connects, logins work, and every page of some size hangs. The tunnel carries 1400 bytes; both machines think it is 1500. What happens to the large answer?',
    answers: {
      a: 'The tunnel cuts the packets into fragments; it is only slower.',
      b: 'TCP notices the loss and sends smaller segments by itself.',
      c: 'Its full segments are dropped in silence and repeated at the same size, until the connection times out.',
      d: 'The handshake has already agreed on a size that fits.',
    },
    answer: 'c',
    seconds: 3,
    shortened:
      'Two and a half seconds are waited for; without help the end comes after a quarter of an hour.',
    stage: ({ probing }) => ({
      hosts: {
        client: {},
        // When to suspect the path: after so many repetitions (3 usually).
        server: { sysctl: { 'net.ipv4.tcp_mtu_probing': probing, 'net.ipv4.tcp_retries1': 1 } },
      },
      wire: { mtu: PATH_MTU },
    }),
    async story({ client, server, say, waits }, { probing }) {
      await say('Through the tunnel: a connection, a small question, a small answer.');
      const listener = await server.listening('*:80');
      const c = await client.connected('server:80');
      const s = await server.accepted(listener);
      await client.send(c, 'small?');
      await server.recv(s);
      await server.send(s, 'small!');
      const small = await client.recv(c);

      await say('Now a large one.');
      await client.send(c, 'large?');
      await server.recv(s);
      const sent = await server.send(s, LARGE);
      const receiving = client.received(c, LARGE);
      const stuck = await waits(receiving, probing > 0 ? 9000 : 2500);
      const large = stuck ? null : await receiving;
      return { small: small.text, since: sent.at, sent: sent.result, stuck, bytes: large?.bytes.length ?? 0 };
    },
    expect: ({ small, since, sent, stuck, bytes }, seen) => {
      const segments = seen.packets({ from: 'server', data: true, since });
      const full = segments.filter(({ frameLength }) => frameLength > PATH_MTU + 14);
      const dropped = new Set(seen.fates('dropped').map(({ packet }) => packet));
      return [
        is('the small answer arrives', small, 'small!'),
        is('send takes the large one whole', sent, LARGE),
        is('the client waits in vain', stuck, true),
        is('not a byte has come', bytes, 0),
        atLeast('full segments were sent, and sent again', full.length, 4),
        holds(
          'each of them forbids cutting it up (DF)',
          full.every(({ frame }) => ((frame?.[20] ?? 0) & 0x40) !== 0),
          `${full.length} segments of up to ${Math.max(...full.map(({ frameLength }) => frameLength - 14))} bytes`,
        ),
        holds(
          'and none arrived',
          full.every(({ id = -1 }) => dropped.has(id)),
          `${full.filter(({ id = -1 }) => dropped.has(id)).length} dropped`,
        ),
        is('nobody said a word', seen.packets({ protocol: 'icmp' }).length, 0),
      ];
    },
    moment: ({ since }, seen) => {
      const fates = seen.fates('dropped').filter(({ at }) => at >= since);
      return fates.find(({ why }) => why?.includes('MTU'));
    },
    explanation:
      'Each side announced the largest segment its own network card takes, 1460 bytes, and knows nothing of the way between. TCP sends with "do not fragment"; a router that finds a packet too large must drop it and say so with ICMP ("fragmentation needed"). Where a firewall eats that message, or a tunnel never sends it, the sender believes in loss and repeats the same segment at the same size. Everything small passes: handshakes, logins, pings.',
    remedy:
      'Make the end of the tunnel tell the truth: a correct MTU on its interface, ICMP let through, or the MSS clamped to the path’s MTU in the firewall. On a machine: net.ipv4.tcp_mtu_probing=1 makes TCP try smaller segments when large ones vanish; TCP_MAXSEG limits one socket. `ping -M do -s 1372` finds the limit.',
    references: [
      'RFC 1191',
      'RFC 2923 section 2.1',
      'RFC 4821',
      'RFC 8899',
      'ip-sysctl: tcp_mtu_probing, tcp_base_mss',
    ],
    twin: {
      title: 'The server’s kernel probes: tcp_mtu_probing=1.',
      knobs: { probing: 1 },
      expect: ({ small, stuck, bytes }, seen) => [
        is('the small answer arrives', small, 'small!'),
        is('the client gets on', stuck, false),
        is('everything arrives', bytes, LARGE),
        holds(
          'in smaller segments',
          seen.packets({ from: 'server' }).some(({ length }) => length >= 512 && length <= 1360),
          `${Math.max(...seen.packets({ from: 'server' }).map(({ length }) => (length <= 1360 ? length : 0)))} bytes`,
        ),
      ],
    },
  },
);
