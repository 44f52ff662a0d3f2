/** The queue is full and everybody still gets in: what a server that remembers nothing cannot know. */
import { atLeast, between, is, same } from '../checks.ts';
import { defineExperiment } from '../experiment.ts';

const FLOOD = 10;
/** The third host's address; it is plugged in nowhere. */
const GHOST = '10.9.0.3';

export const experiment = defineExperiment(
  { timestamps: false },
  {
    name: 'syn-cookies',
    theme: 'queues',
    asks: 'The same with SYN cookies. What does the real client get?',
    question:
      'The queue of half-open connections is full of SYNs from nobody, and SYN cookies are on, as usual. A real client connects; its machine has TCP timestamps switched off. What does it get?',
    answers: {
      a: 'Nothing: its SYN is dropped until there is room.',
      b: 'A connection like any other: the server puts the request into a second table.',
      c: 'A connection, but without window scaling and SACK: the server remembers nothing of the SYN.',
      d: 'A reset: a server under attack takes only clients that it knows.',
    },
    answer: 'c',
    seconds: 1,
    stage: ({ timestamps }) => ({
      hosts: {
        client: { sysctl: { 'net.ipv4.tcp_timestamps': timestamps ? 1 : 0 } },
        server: { sysctl: { 'net.ipv4.tcp_syncookies': 1 } },
        ghost: { absent: true },
      },
    }),
    async story({ client, server, stage, say }) {
      const listener = await server.listening('*:80', { backlog: 4 });

      await say('SYNs from an address where nobody answers.');
      for (let i = 0; i < FLOOD; i++) {
        const from = `${GHOST}:${2000 + i}`;
        await stage.wire.inject({ from, to: `${server.address}:80`, flags: 'S', seq: 1000 * i });
      }
      const delivered = () => stage.seen.fates('delivered').filter(({ host: to }) => to === 'server').length;
      await stage.until('the SYNs to arrive', () => delivered() >= FLOOD);
      const halfOpen = (await server.sockets()).filter(({ state }) => state === 'SYN-RECV').length;

      await say('A real client connects, and says something.');
      const { result: c } = await client.socket();
      const connect = await client.connect(c, 'server:80');
      await client.send(c, 'hello');
      const s = await server.accepted(listener);
      const { text } = await server.received(s, 5);
      const counters = await server.counters();
      const mine = (await client.sockets()).find(({ state }) => state === 'ESTABLISHED');
      return {
        halfOpen,
        errno: connect.errno,
        text,
        options: mine?.tcp?.options ?? [],
        sent: counters['TcpExt.SyncookiesSent'] ?? 0,
        received: counters['TcpExt.SyncookiesRecv'] ?? 0,
      };
    },
    expect: ({ halfOpen, errno, text, options, sent, received }) => [
      between('the server keeps a few half-open connections, not ten', halfOpen, 4, 5),
      atLeast('and answered the others with cookies', sent, FLOOD - 5),
      is('the client connects', errno, null),
      is('by a cookie', received, 1),
      is('and is heard', text, 'hello'),
      same('window scaling and SACK are lost', options, []),
    ],
    moment: (_, seen) =>
      seen
        .packets({ from: 'server', flags: 'SA' })
        .find(({ connection = '' }) => connection.includes('10.9.0.1:')),
    explanation:
      'When the queue is full, the server answers a SYN and forgets it. What it must know later is put into the sequence number of the SYN,ACK: a keyed sum of addresses, ports and time, and three bits for the segment size. The acknowledgment that comes back is that number plus one, so the server can check it and make the connection out of nothing. There is no room in it for the options of the SYN. If the client uses timestamps, Linux hides window scale and SACK in the lowest bits of the timestamp that comes back as well; without them, the connection gets a window of at most 64 kB and no SACK for its whole life.',
    remedy:
      'Leave net.ipv4.tcp_syncookies at 1, and tcp_timestamps at 1 on both sides. SyncookiesSent of `nstat -az` counts up in an attack, and also when listen(2) was given too short a backlog for an honest burst: then make it longer, and net.core.somaxconn with it.',
    references: [
      'RFC 4987 section 3.6',
      'RFC 7323',
      'ip-sysctl: tcp_syncookies, tcp_timestamps',
      'listen(2)',
    ],
    twin: {
      title: 'With timestamps, which carry the options there and back.',
      knobs: { timestamps: true },
      expect: ({ errno, options, received }) => [
        is('the client connects', errno, null),
        is('by a cookie', received, 1),
        is('with window scaling', options.includes('wscale'), true),
        is('and SACK', options.includes('sack'), true),
      ],
    },
  },
);
