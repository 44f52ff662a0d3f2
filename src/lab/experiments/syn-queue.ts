/** SYNs from nobody fill the queue of half-open connections, and a client who is somebody finds no room. */
import { atLeast, between, is } from '../checks.ts';
import { defineExperiment } from '../experiment.ts';

const FLOOD = 10;
/** The third host's address; it is plugged in nowhere. */
const GHOST = '10.9.0.3';

export const experiment = defineExperiment(
  { backlog: 4 },
  {
    name: 'syn-queue',
    theme: 'queues',
    asks: 'Ten SYNs from nobody, then a real client. What does it see?',
    question:
      'A server listens with a backlog of 4, and SYN cookies are off. Ten SYNs arrive from an address that never answers. Then a real client connects. What does it see?',
    answers: {
      a: 'ECONNREFUSED: the server is full.',
      b: 'Nothing: connect hangs, because its SYN is dropped without a word.',
      c: 'It connects: half-open connections take no place in any queue.',
      d: 'It connects: the oldest half-open connection makes room for it.',
    },
    answer: 'b',
    seconds: 2,
    shortened:
      'A backlog of 4 stands for the usual 511 or 4096; half-open connections are kept for 63 s (tcp_synack_retries = 5).',
    stage: () => ({
      hosts: { client: {}, server: { sysctl: { 'net.ipv4.tcp_syncookies': 0 } }, ghost: { absent: true } },
    }),
    async story({ client, server, stage, say, waits }, { backlog }) {
      await server.listening('*:80', { backlog });

      await say('SYNs from an address where nobody answers.');
      for (let i = 0; i < FLOOD; i++) {
        const from = `${GHOST}:${2000 + i}`;
        await stage.wire.inject({ from, to: `${server.address}:80`, flags: 'S', seq: 1000 * i });
      }
      const delivered = () => stage.seen.fates('delivered').filter(({ host: to }) => to === 'server').length;
      await stage.until('the SYNs to arrive', () => delivered() >= FLOOD);
      const halfOpen = (await server.sockets()).filter(({ state }) => state === 'SYN-RECV').length;

      await say('A real client connects.');
      const { result: c } = await client.socket();
      const waiting = await waits(client.connect(c, 'server:80'), 1500);
      const mine = (await client.sockets()).find(({ peer }) => peer.port === 80);
      const counters = await server.counters();
      return { halfOpen, waiting, state: mine?.state, full: counters['TcpExt.TCPReqQFullDrop'] ?? 0 };
    },
    expect: ({ halfOpen, waiting, state, full }, seen) => [
      // Up to 5 entries since the comparison became "more than the backlog" (inet_csk_reqsk_queue_is_full).
      between('the server keeps as many half-open connections as its backlog', halfOpen, 4, 5),
      is('connect is still waiting after 1.5 s', waiting, true),
      is('the client is in SYN-SENT', state, 'SYN-SENT'),
      atLeast('it sent its SYN again', seen.packets({ from: 'client', flags: 'S' }).length, 2),
      is('nothing refused it', seen.packets({ from: 'server', flags: 'R' }).length, 0),
      atLeast('SYNs were dropped because the queue was full', full, FLOOD - 5),
    ],
    moment: (_, seen) => seen.packets({ from: 'client', flags: 'S' })[0],
    explanation:
      'A SYN makes a small request at the server, which waits for the third segment of the handshake and repeats its SYN,ACK meanwhile. There are at most about as many of these as the backlog of listen(2) allows. A SYN that finds no room is dropped without an answer, as if the network had lost it; the client repeats it after 1, 2, 4 … seconds and sees only a connect that hangs. A few SYNs a second from made-up addresses are enough, because each holds its place for a minute.',
    remedy:
      'Leave net.ipv4.tcp_syncookies at 1, its default: then a full queue costs nobody a connection (see `sockscope lab syn-cookies`). A longer backlog helps against bursts only. `sockscope limits` shows how many half-open connections a listener has; TCPReqQFullDrop and ListenDrops of `nstat -az` count the SYNs that were dropped.',
    references: [
      'RFC 4987 section 2',
      'listen(2)',
      'ip-sysctl: tcp_max_syn_backlog, tcp_syncookies',
      'RFC 9293 section 3.5',
    ],
    twin: {
      title: 'With a backlog larger than the flood.',
      knobs: { backlog: 64 },
      expect: ({ halfOpen, waiting, state, full }) => [
        is('all ten are kept', halfOpen, FLOOD),
        is('connect returns', waiting, false),
        is('the client is ESTABLISHED', state, 'ESTABLISHED'),
        is('no SYN was dropped', full, 0),
      ],
    },
  },
);
