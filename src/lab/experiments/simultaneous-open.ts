/** Two connects that meet on the way, and nobody listens. */
import { inOrder, is } from '../checks.ts';
import { defineExperiment } from '../experiment.ts';

export const experiment = defineExperiment(
  { together: true },
  {
    name: 'simultaneous-open',
    theme: 'opening',
    asks: 'Two programs connect to each other at the same moment. Nobody listens.',
    question:
      'No program listens. Two programs, each bound to a port, call connect to each other’s port at the same moment; their SYNs cross on the way. What comes of it?',
    answers: {
      a: 'Both fail with ECONNREFUSED: nobody listens.',
      b: 'Two connections, one in each direction.',
      c: 'One connection; both connects succeed.',
      d: 'Both wait until one of them gives up with ETIMEDOUT.',
    },
    answer: 'c',
    seconds: 1,
    stage: () => ({ wire: { delayMs: 100 } }),
    async story({ client, server, stage, say }, { together }) {
      await say('Two sockets, each bound to a port. Nobody listens.');
      const { result: c } = await client.socket();
      const { result: s } = await server.socket();
      await client.bind(c, 'client:4000');
      await server.bind(s, 'server:5000');
      const fromClient = () => client.connect(c, 'server:5000');
      const fromServer = () => server.connect(s, 'client:4000');

      if (!together) {
        await say('The client calls connect; when it has its answer, the server does.');
        const [one, other] = [await fromClient(), await fromServer()];
        return { errnos: [one.errno, other.errno], got: '', connections: 0 };
      }
      await say('Both call connect.');
      const [one, other] = await Promise.all([fromClient(), fromServer()]);
      if (one.errno !== null || other.errno !== null) {
        return { errnos: [one.errno, other.errno], got: '', connections: 0 };
      }

      await say('The client sends, the server receives.');
      await client.send(c, 'hello');
      const got = await server.recv(s);
      await stage.settled();
      const connections = new Set(
        stage.seen.packets({ protocol: 'tcp' }).map(({ connection = '' }) => connection),
      );
      return { errnos: [one.errno, other.errno], got: got.text, connections: connections.size };
    },
    expect: ({ errnos, got, connections }, seen) => [
      is('the client’s connect succeeds', errnos[0], null),
      is('the server’s connect succeeds', errnos[1], null),
      is(
        'nobody listened or accepted',
        seen.calls({ name: 'listen' }).length + seen.calls({ name: 'accept4' }).length,
        0,
      ),
      is('it is one connection', connections, 1),
      is('and it carries data', got, 'hello'),
      ...(['client', 'server'] as const).map((host) =>
        inOrder(`the ${host}`, seen.states(host), ['CLOSED', 'SYN-SENT', 'SYN-RECV', 'ESTABLISHED']),
      ),
      ...(['client', 'server'] as const).map((host) =>
        inOrder(
          `the ${host} sends`,
          seen.packets({ from: host, protocol: 'tcp' }).map(({ flags = [] }) => flags.join()),
          ['SYN', 'SYN,ACK', 'ACK'],
        ),
      ),
    ],
    moment: (_, seen) => seen.events.find((event) => event.type === 'state' && event.to === 'SYN-RECV'),
    explanation:
      'TCP does not know client and server, only two ends. A SYN that meets a socket which has itself sent one to exactly that address and port is not refused: the kernel answers with SYN,ACK and goes from SYN_SENT to SYN_RECV, as a listener’s side would. Both do, and both are ESTABLISHED one round trip later. What makes it rare is not the protocol but the ports: each side must know the other’s local port beforehand, and both SYNs must be under way at once. With nobody at the port a SYN is answered with RST.',
    remedy:
      'Nothing to repair. It is how two programs behind NATs can reach each other without either listening (TCP hole punching): bind, exchange the ports by another way, and connect from both sides, again and again until the SYNs cross.',
    references: ['RFC 9293 section 3.5, figure 7', 'RFC 5128 section 3.4'],
    twin: {
      title: 'One after the other: without a listener each is refused.',
      knobs: { together: false },
      expect: ({ errnos }, seen) => [
        is('the client’s connect', errnos[0], 'ECONNREFUSED'),
        is('the server’s connect', errnos[1], 'ECONNREFUSED'),
        is('each SYN meets a RST', seen.packets({ flags: 'R' }).length, 2),
      ],
    },
  },
);
