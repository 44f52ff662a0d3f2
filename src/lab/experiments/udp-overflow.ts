/** Datagrams faster than they are read: the receiver's kernel throws them away, and only its counters know. */
import { atLeast, holds, is } from '../checks.ts';
import { defineExperiment } from '../experiment.ts';

const SENT = 60;
const BYTES = 100;

export const experiment = defineExperiment(
  { receiveBuffer: 2304 },
  {
    name: 'udp-overflow',
    theme: 'udp',
    asks: 'The receiver is busy for a moment. Who learns that datagrams are gone?',
    question: `A server is busy for a moment and does not read its UDP socket. Meanwhile a client sends ${SENT} small datagrams, more than the receive buffer holds. Nothing is lost on the way. Who learns that some are gone?`,
    answers: {
      a: 'The client: its send waits, as with TCP.',
      b: 'The client: a later send fails with ENOBUFS or ECONNREFUSED.',
      c: 'The server’s program: recv fails once for each.',
      d: 'Neither program. Only a counter of the server’s kernel knows.',
    },
    answer: 'd',
    seconds: 1,
    shortened:
      'The receive buffer is the smallest there is, so that a few datagrams fill it; usually it is net.core.rmem_default, a few hundred small datagrams.',
    async story({ client, server, stage, say }, { receiveBuffer }) {
      const { result: s } = await server.socket('udp');
      await server.setsockopt(s, 'SO_RCVBUF', receiveBuffer);
      await server.bind(s, '*:514');

      await say(`${SENT} datagrams, and the server does not read.`);
      const { result: c } = await client.socket('udp');
      await client.connect(c, 'server:514');
      const sends = [];
      for (let i = 0; i < SENT; i++) {
        sends.push(await client.send(c, BYTES));
      }
      await stage.until('all of them to arrive', ({ counter }) => counter('server', 'Ip.InDelivers') >= SENT);

      await say('Now the server reads what is there.');
      const table = await server.sockets();
      const drops = table.find(({ local }) => local.port === 514)?.memory?.drops ?? 0;
      let received = 0;
      let last = await server.recv(s, BYTES, ['MSG_DONTWAIT']);
      while (last.errno === null) {
        received += 1;
        last = await server.recv(s, BYTES, ['MSG_DONTWAIT']);
      }
      const counters = await server.counters();
      const pending = await client.getsockopt(c, 'SO_ERROR');
      return {
        sent: sends.filter(({ result }) => result === BYTES).length,
        received,
        drops,
        end: last.errno,
        errors: counters['Udp.RcvbufErrors'] ?? 0,
        pending: pending.value as string | number,
      };
    },
    expect: ({ sent, received, drops, end, errors, pending }, seen) => [
      is('every send succeeded', sent, SENT),
      is('every datagram crossed the wire', seen.packets({ from: 'client', protocol: 'udp' }).length, SENT),
      holds('few were received', received > 0 && received < SENT / 2, `${received} of ${SENT}`),
      is('the others are Udp.RcvbufErrors of the server', errors, SENT - received),
      is('and drops of this socket', drops, SENT - received),
      is('the server’s program only finds nothing more to read', end, 'EAGAIN'),
      is('no ICMP was sent', seen.packets({ protocol: 'icmp' }).length, 0),
      is('no error waits at the client’s socket', pending, 0),
    ],
    moment: (_, seen) =>
      seen.events.find(
        (event) => event.type === 'gauge' && event.subject === 'server' && event.name === 'Udp.RcvbufErrors',
      ),
    explanation:
      'UDP has no window: nobody tells the sender to slow down. What arrives is put into the receive buffer of the socket; when that is full the kernel throws the datagram away, counts it in Udp.RcvbufErrors (and in the drops of that socket), and says nothing to anybody. The buffer counts memory, not payload: a datagram of 100 bytes takes several hundred.',
    remedy:
      'Read faster than they come: a thread or an event loop that does nothing else, recvmmsg. For bursts a larger SO_RCVBUF (up to net.core.rmem_max). Watch Udp.RcvbufErrors (`nstat`), the drops of the socket (`ss -uam`), or set SO_RXQ_OVFL, with which recvmsg says how many are missing.',
    references: [
      'udp(7)',
      'socket(7), SO_RCVBUF and SO_RXQ_OVFL',
      'Documentation/networking/snmp_counter.rst',
    ],
    twin: {
      title: 'With a receive buffer for the whole burst.',
      knobs: { receiveBuffer: 212_992 },
      expect: ({ received, errors, drops }, seen) => [
        is('all were received', received, SENT),
        is('nothing was counted as an error', errors, 0),
        is('the socket dropped none', drops, 0),
        atLeast('all crossed the wire', seen.packets({ from: 'client', protocol: 'udp' }).length, SENT),
      ],
    },
  },
);
