/** The third segment of the handshake is lost: one side is connected, the other is not. */
import { atLeast, holds, is, lasts } from '../checks.ts';
import { defineExperiment } from '../experiment.ts';

export const experiment = defineExperiment(
  { clientFirst: false },
  {
    name: 'lost-handshake-ack',
    theme: 'opening',
    asks: 'The third segment of the handshake is lost. Who waits for whom?',
    question:
      'Of the handshake only the last segment is lost, the client’s ACK. The client then waits for the server’s greeting, as with SSH, SMTP or MySQL. What happens?',
    answers: {
      a: 'connect fails: the handshake is not complete.',
      b: 'connect succeeds at once; the greeting comes a second later, when the server has repeated its SYN,ACK.',
      c: 'The connection hangs for ever: each side waits for the other.',
      d: 'Nothing to notice: the ACK was sent again by the client after 200 ms.',
    },
    answer: 'b',
    seconds: 2,
    stage: () => ({ wire: { delayMs: 10 } }),
    async story({ client, server, stage, say }, { clientFirst }) {
      const listener = await server.listening('*:25');
      // The server speaks as soon as accept gives it a connection.
      const greeting = server.accepted(listener).then((s) => server.send(s, '220 hello\r\n'));
      const lost = await stage.wire.drop({ from: 'client', flags: 'A', nth: 1 });

      await say('The client connects. Its ACK is lost.');
      const { result: c } = await client.socket();
      const connect = await client.connect(c, 'server:25');
      await stage.until('the loss', ({ fates }) => fates('dropped').length > 0);
      const left = (await server.sockets()).find(
        ({ local, state }) => local.port === 25 && state !== 'LISTEN',
      );
      const mine = (await client.sockets()).find(({ peer }) => peer.port === 25);

      await say(clientFirst ? 'The client speaks first.' : 'The client waits for the greeting.');
      const since = await clientSpeaks();
      const read = await client.recv(c);
      await greeting;
      return {
        connect: connect.errno,
        lost: await lost.hits(),
        mine: mine?.state ?? 'none',
        theirs: left?.state ?? 'none',
        greeting: read.text,
        ms: (read.at + read.took - (since ?? connect.at + connect.took)) / 1e6,
      };

      async function clientSpeaks(): Promise<number | null> {
        return clientFirst ? (await client.send(c, 'EHLO client\r\n')).at : null;
      }
    },
    expect: ({ connect, lost, mine, theirs, greeting, ms }, seen) => [
      is('connect succeeds', connect, null),
      is('one ACK was lost', lost, 1),
      is('the client is', mine, 'ESTABLISHED'),
      is('the server is', theirs, 'SYN-RECV'),
      is('the greeting comes', greeting, '220 hello\r\n'),
      lasts('a second later', ms, 900, 1200),
      atLeast('after a repeated SYN,ACK', seen.packets({ from: 'server', flags: 'SA' }).length, 2),
    ],
    moment: (_, seen) => seen.packets({ from: 'server', flags: 'SA' })[1],
    explanation:
      'The client is connected when the SYN,ACK is there, and it cannot know that its own ACK was lost: an ACK is not acknowledged, so nobody repeats it. The server still has a half-open request, and repeats its SYN,ACK after one second; the client answers that with another ACK, and only then accept returns. Any segment of the client would have served as well, because all of them carry that ACK: protocols in which the client speaks first (HTTP, TLS) do not notice the loss at all.',
    remedy:
      'Nothing to repair in the program; know the second when you see it in a latency graph: peaks at one second (and three) are lost SYNs and ACKs of handshakes. In protocols of your own let the client speak first. `sockscope ls state syn-recv` shows what is half open.',
    references: ['RFC 9293 section 3.5', 'RFC 6298 section 2', 'ip-sysctl: tcp_synack_retries'],
    twin: {
      title: 'The client speaks first.',
      knobs: { clientFirst: true },
      expect: ({ lost, theirs, greeting, ms }, seen) => [
        is('the same ACK was lost', lost, 1),
        is('the server was', theirs, 'SYN-RECV'),
        is('the answer comes', greeting, '220 hello\r\n'),
        holds('in less than half a second', ms < 500, `${Math.round(ms)} ms`),
        is('no SYN,ACK was repeated', seen.packets({ from: 'server', flags: 'SA' }).length, 1),
      ],
    },
  },
);
