/** Nobody listens, and the other machine says so: which programs hear of it, and when. */
import { atLeast, holds, is, same } from '../checks.ts';
import { defineExperiment } from '../experiment.ts';

export const experiment = defineExperiment(
  { receiveErrors: false },
  {
    name: 'udp-refused',
    theme: 'udp',
    asks: 'Nobody listens on the UDP port. Who learns of it?',
    question:
      'On the server nobody listens on UDP port 9000, and its kernel answers every datagram with ICMP "port unreachable". One client uses sendto on a plain UDP socket, three times; another has called connect first, and uses send three times. What do they see?',
    answers: {
      a: 'Both see ECONNREFUSED with the first datagram.',
      b: 'Neither sees anything: UDP knows no errors.',
      c: 'sendto always succeeds. On the connected socket the second send fails with ECONNREFUSED, is not sent, and the third succeeds.',
      d: 'sendto always succeeds. On the connected socket every send after the first fails with ECONNREFUSED.',
    },
    answer: 'c',
    seconds: 1,
    stage: () => ({ sysctl: { 'net.ipv4.icmp_ratelimit': 0 } }),
    async story({ client, stage, say }, { receiveErrors }) {
      const sent = () => stage.seen.packets({ from: 'client', protocol: 'udp' }).length;
      const refused = async (count: number) => {
        await stage.until(`refusal ${count}`, ({ packets, fates }) => {
          const ids = packets({ from: 'server', protocol: 'icmp' }).map(({ id }) => id);
          return fates('delivered').filter(({ packet }) => ids.includes(packet)).length >= count;
        });
        await stage.settled();
      };

      await say('A plain socket: sendto, and the refusal comes back.');
      const { result: plain } = await client.socket('udp');
      if (receiveErrors) {
        await client.setsockopt(plain, 'IP_RECVERR', 1);
      }
      const plainSends = [await client.sendto(plain, 'one', 'server:9000')];
      await refused(1);
      const woken = await client.poll({ [plain]: ['POLLIN'] }, receiveErrors ? 5000 : 0);
      plainSends.push(await client.sendto(plain, 'two', 'server:9000'));
      const details = await client.recvmsg(plain, 64, ['MSG_ERRQUEUE', 'MSG_DONTWAIT']);
      plainSends.push(await client.sendto(plain, 'three', 'server:9000'));
      const first = receiveErrors ? 2 : 3;
      await refused(first);
      const plainRead = await client.recv(plain, 64, ['MSG_DONTWAIT']);
      const plainSent = sent();

      await say('A connected socket: send, and the refusal comes back.');
      const { result: connected } = await client.socket('udp');
      await client.connect(connected, 'server:9000');
      const sends = [await client.send(connected, 'one')];
      await client.poll({ [connected]: ['POLLIN'] }, 5000);
      sends.push(await client.send(connected, 'two'));
      sends.push(await client.send(connected, 'three'));
      await client.poll({ [connected]: ['POLLIN'] }, 5000);
      const reads = [
        await client.recv(connected, 64, ['MSG_DONTWAIT']),
        await client.recv(connected, 64, ['MSG_DONTWAIT']),
      ];
      await refused(first + 2);
      return {
        plain: plainSends.map(({ errno }) => errno ?? 'ok'),
        plainRead: plainRead.errno,
        woken: JSON.stringify(woken.value),
        details: JSON.stringify(details.value),
        plainSent,
        connected: sends.map(({ errno }) => errno ?? 'ok'),
        connectedReads: reads.map(({ errno }) => errno ?? 'ok'),
        connectedSent: sent() - plainSent,
      };
    },
    expect: (result, seen) => [
      same('the plain socket’s three sendto', result.plain, ['ok', 'ok', 'ok']),
      is('its recv finds nothing, no error either', result.plainRead, 'EAGAIN'),
      same('the connected socket’s three send', result.connected, ['ok', 'ECONNREFUSED', 'ok']),
      is('the datagram whose send failed was not sent', result.connectedSent, 2),
      same('recv tells of the third, once', result.connectedReads, ['ECONNREFUSED', 'EAGAIN']),
      is('the server refused each', seen.packets({ from: 'server', protocol: 'icmp' }).length, 5),
    ],
    moment: (_, seen) => seen.calls({ host: 'client', name: 'send', errno: 'ECONNREFUSED' })[0],
    explanation:
      'The refusal of a datagram comes back after its send has returned, so it can only be told to whatever call comes next on that socket: a send, which then fails without sending, or a recv. It is told once. A plain socket may talk to many, and a bare errno could not say who refused; so Linux tells it nothing unless IP_RECVERR is set. And where ICMP is filtered, or limited (a kernel sends only a few a second), nobody is told anything.',
    remedy:
      'With one peer, connect the UDP socket: errors arrive, and strangers’ datagrams do not. With many, set IP_RECVERR and read MSG_ERRQUEUE, which names the address. After ECONNREFUSED from send, send that datagram again. And never take silence for "received".',
    references: ['udp(7)', 'ip(7), IP_RECVERR', 'RFC 1122 section 4.1.3.3', 'icmp(7), icmp_ratelimit'],
    twin: {
      title: 'With IP_RECVERR on the plain socket.',
      knobs: { receiveErrors: true },
      expect: (result, seen) => [
        holds('poll says POLLERR', result.woken.includes('POLLERR'), result.woken),
        same('the second sendto fails', result.plain, ['ok', 'ECONNREFUSED', 'ok']),
        is('and was not sent', result.plainSent, 2),
        holds('the error queue says why', result.details.includes('ECONNREFUSED'), result.details),
        atLeast('the server refused', seen.packets({ from: 'server', protocol: 'icmp' }).length, 2),
      ],
    },
  },
);
