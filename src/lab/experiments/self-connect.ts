/** A client that reconnects to a service on its own machine, and reaches itself. */
import { is } from '../checks.ts';
import { defineExperiment } from '../experiment.ts';

const PORT = 40000;

export const experiment = defineExperiment(
  { reserved: false },
  {
    name: 'self-connect',
    theme: 'opening',
    asks: 'Can a client connect to a port on which nobody listens?',
    question:
      'A service on this machine uses port 40000, which lies in the range of ephemeral ports. It is down; nobody listens. Its client tries again and again to connect to 127.0.0.1:40000. What can happen?',
    answers: {
      a: 'ECONNREFUSED each time until the service is back.',
      b: 'One day connect succeeds: the client is connected to itself, and the service cannot start any more.',
      c: 'EADDRINUSE, when the kernel happens to choose port 40000 for the client.',
      d: 'The kernel never chooses the port that it connects to.',
    },
    answer: 'b',
    seconds: 1,
    shortened: 'Two ephemeral ports stand for 28 232, so that the first try is the one.',
    stage: ({ reserved }) => ({
      sysctl: {
        'net.ipv4.ip_local_port_range': `${PORT} ${PORT + 1}`,
        ...(reserved ? { 'net.ipv4.ip_local_reserved_ports': PORT } : {}),
      },
    }),
    async story({ client, say }) {
      await say('Nobody listens. The client connects.');
      const { result: c } = await client.socket();
      const connect = await client.connect(c, `127.0.0.1:${PORT}`);
      const ends = [await client.getsockname(c), await client.getpeername(c)].map(({ value }) => value);

      let echo = '';
      if (connect.errno === null) {
        await say('It sends its request, and reads the answer.');
        await client.send(c, 'are you there?');
        echo = (await client.recv(c)).text;
      }
      await say('The service starts again.');
      const service = await client.program();
      const { result: listener } = await service.socket();
      await service.setsockopt(listener, 'SO_REUSEADDR', 1);
      const bind = await service.bind(listener, `*:${PORT}`);
      return {
        connect: connect.errno,
        itself: ends[0] !== null && ends[0] === ends[1],
        echo,
        bind: bind.errno,
      };
    },
    expect: ({ connect, itself, echo, bind }, seen) => [
      is('connect succeeds without a listener', connect, null),
      is('its two ends are one and the same address and port', itself, true),
      is('it reads what it has written', echo, 'are you there?'),
      is('the service cannot have its port', bind, 'EADDRINUSE'),
      is('nobody listened', seen.calls({ name: 'listen' }).length, 0),
    ],
    moment: (_, seen) => seen.calls({ host: 'client', name: 'connect' })[0],
    explanation:
      'connect lets the kernel choose a local port, and nothing forbids the very port it connects to. The SYN then arrives at the socket that sent it, which is in SYN_SENT and takes it for a peer that opens at the same moment: a simultaneous open with itself, and a perfectly legal connection. The client is happy, reads its own request as the answer, and occupies the port of the service, which now fails to start with EADDRINUSE.',
    remedy:
      'Give services ports outside ip_local_port_range (below 32768 usually), or name them in net.ipv4.ip_local_reserved_ports. A client that reconnects in a loop can compare getsockname with getpeername. `sockscope ls` shows such a socket with the same address on both sides.',
    references: [
      'RFC 9293 section 3.5',
      'ip-sysctl: ip_local_port_range, ip_local_reserved_ports',
      'connect(2)',
    ],
    twin: {
      title: 'The service’s port is in ip_local_reserved_ports.',
      knobs: { reserved: true },
      expect: ({ connect, bind }) => [
        is('connect says', connect, 'ECONNREFUSED'),
        is('the service has its port', bind, null),
      ],
    },
  },
);
