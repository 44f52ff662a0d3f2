/** The reader does not read: the window closes, and the writer asks again and again, for ever. */
import type { Seen } from '../api.ts';
import { atLeast, holds, is, milliseconds } from '../checks.ts';
import { defineExperiment } from '../experiment.ts';

const CHUNK = 65_536;
const PROBES = 3;

export const experiment = defineExperiment(
  { reads: false },
  {
    name: 'zero-window',
    theme: 'data',
    asks: 'A server does not read. What becomes of the connection?',
    question:
      'A server has accepted a connection and does not read from it: its program is stuck. The client writes until nothing more fits. Both machines and the network are well. What becomes of the connection?',
    answers: {
      a: 'The client repeats its data until it gives up with ETIMEDOUT.',
      b: 'The server’s kernel throws away what its program does not read.',
      c: 'The server’s kernel resets the connection after a while.',
      d: 'It stays as it is: the client asks at growing intervals whether there is room, and is told no, without an end.',
    },
    answer: 'd',
    seconds: 3,
    shortened:
      'Three probes are shown; the intervals double up to 120 s and then stay so, for as long as they are answered.',
    stage: () => ({
      sysctl: {
        // Answers to probes are rationed to two a second, and one that is missing looks like a loss.
        'net.ipv4.tcp_invalid_ratelimit': 0,
        // No second copy of a segment whose acknowledgment is merely delayed.
        'net.ipv4.tcp_early_retrans': 0,
      },
    }),
    async story({ client, server, stage, say }, { reads }) {
      const listener = await server.listening('*:80', { options: { SO_RCVBUF: 4096 } });
      const c = await client.connected('server:80', { options: { SO_SNDBUF: 16_384 } });
      const s = await server.accepted(listener);

      await say('The client writes until nothing more fits. The server does not read.');
      let written = 0;
      let errno: string | null = null;
      while (errno === null) {
        const send = await client.send(c, CHUNK, ['MSG_DONTWAIT']);
        written += Math.max(0, send.result);
        errno = send.errno;
      }
      await stage.until('a window of 0', (seen) => closed(seen) !== undefined);

      let read = 0;
      if (reads) {
        await say('The server reads everything.');
        read = (await server.received(s, written)).bytes.length;
      } else {
        await say('The client’s kernel asks whether there is room.');
        await stage.until('the probes', (seen) => probes(seen).length >= PROBES);
      }
      await stage.settled();
      const mine = (await client.sockets()).find(({ peer }) => peer.port === 80);
      return { errno, written, read, state: mine?.state, timer: mine?.timer?.kind ?? 'none' };
    },
    expect: ({ errno, state, timer }, seen) => {
      const moments = probes(seen).map(({ at }) => at / 1e6);
      const gaps = moments.slice(1).map((at, index) => at - moments[index]!);
      return [
        is('the client’s buffer is full: EAGAIN', errno, 'EAGAIN'),
        holds(
          'the server advertises a window of 0',
          closed(seen) !== undefined,
          String(closed(seen)?.window),
        ),
        atLeast('the client asks, with empty segments', moments.length, PROBES),
        holds(
          'each time it waits twice as long',
          gaps.length > 0 && gaps.every((gap, index) => index === 0 || gap > 1.5 * gaps[index - 1]!),
          gaps.map(milliseconds).join(', '),
        ),
        atLeast('probes were counted (TCPWinProbe)', seen.counter('client', 'TcpExt.TCPWinProbe'), PROBES),
        is('no data was sent twice', seen.packets({ note: 'retransmission' }).length, 0),
        is('the connection is still ESTABLISHED', state, 'ESTABLISHED'),
        is('with the persist timer running', timer, 'persist'),
      ];
    },
    moment: (_, seen) => closed(seen),
    explanation:
      'Each acknowledgment says how many more bytes the receiver has room for. When its program does not read, the room shrinks to 0, and the sender must stop. It then asks from time to time with an empty segment, first after 200 ms and later every two minutes, because the message that there is room again might be lost. As long as these probes are answered, nothing is wrong in the eyes of TCP: neither end gives up. The sending program sees a write that blocks, or EAGAIN, and nothing else; keep-alive does not help either.',
    remedy:
      'Look at the reader: `sockscope ls` shows a large Recv-Q on its side and a large Send-Q with the persist timer on the other. Read always, in a task of its own. In the writer give each write a time limit of its own, or set TCP_USER_TIMEOUT, which ends a connection whose window stays closed for so long.',
    references: [
      'RFC 9293 section 3.8.6.1',
      'RFC 1122 section 4.2.2.17',
      'RFC 6429',
      'tcp(7), TCP_USER_TIMEOUT',
    ],
    twin: {
      title: 'The server reads.',
      knobs: { reads: true },
      expect: ({ errno, written, read }, seen) => [
        is('the client’s buffer was full all the same', errno, 'EAGAIN'),
        is('every byte arrives', read, written),
        atLeast(
          'the window opened again (TCPFromZeroWindowAdv)',
          seen.counter('server', 'TcpExt.TCPFromZeroWindowAdv'),
          1,
        ),
        is('no data was sent twice', seen.packets({ note: 'retransmission' }).length, 0),
      ],
    },
  },
);

function closed(seen: Seen) {
  return seen.packets({ from: 'server', flags: 'A' }).find(({ window }) => window === 0);
}

/** With nothing to acknowledge and no data, there is no other reason for these. */
function probes(seen: Seen) {
  const since = closed(seen)?.at;
  return since === undefined ? [] : seen.packets({ from: 'client', flags: 'A', data: false, since });
}
