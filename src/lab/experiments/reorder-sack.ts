/** Nothing is lost; one segment is overtaken, and taken for lost. */
import type { Seen } from '../api.ts';
import { atLeast, holds, is } from '../checks.ts';
import { defineExperiment } from '../experiment.ts';

/** A quarter of the round trip, 50 ms here, is what RACK waits for a late segment once it does not count any more. */
const DELAY_MS = 100;
const LATE_MS = 15;
const USUAL_PATIENCE = 3;
const BYTES = 10 * 1448;

export const experiment = defineExperiment(
  { patience: USUAL_PATIENCE },
  {
    name: 'reorder-sack',
    theme: 'loss',
    asks: 'Segments overtake each other, none is lost. What is sent again?',
    question:
      'A client sends ten segments over a way of 100 ms. Nothing is lost, but the third takes another route and arrives 15 ms after the others. What does the client do?',
    answers: {
      a: 'Nothing: the server’s kernel puts the segments in order.',
      b: 'It sends the third and everything after it once more.',
      c: 'It sends the third once more and slows down, and takes the slowing down back when it sees its mistake.',
      d: 'It waits for the retransmission timeout and then sends the third once more.',
    },
    answer: 'c',
    seconds: 1,
    stage: ({ patience }) => ({
      wire: { delayMs: DELAY_MS },
      sysctl: { 'net.ipv4.tcp_reordering': patience },
    }),
    async story({ client, server, stage, say }, { patience }) {
      const listener = await server.listening('*:80');
      const c = await client.connected('server:80');
      const s = await server.accepted(listener);

      await say('Ten segments. The third is 15 ms late, and the others overtake it.');
      await stage.wire.rule({ do: 'delay', ms: LATE_MS }, { from: 'client', data: true, nth: 3 });
      await client.send(c, BYTES);
      const { bytes } = await server.received(s, BYTES);
      await stage.until(
        'everything to be acknowledged',
        (seen) => seen.infos('client').at(-1)?.sendQueue === 0,
      );
      if (patience === USUAL_PATIENCE) {
        await say('The server says that it had the third already.');
        await stage.until(
          'the client to hear it',
          (seen) => seen.counter('client', 'TcpExt.TCPDSACKRecv') > 0,
        );
      }
      return { received: bytes.length };
    },
    expect: ({ received }, seen) => [
      is('nothing was lost', seen.fates('dropped').length, 0),
      is('every byte arrives', received, BYTES),
      atLeast(
        'yet a segment is sent twice',
        seen.packets({ from: 'client', note: 'retransmission' }).length,
        1,
      ),
      is('without any timeout', seen.counter('client', 'TcpExt.TCPTimeouts'), 0),
      atLeast('the server tells by DSACK', seen.counter('server', 'TcpExt.TCPDSACKOldSent'), 1),
      atLeast(
        'the client slowed down (TCPSackRecovery)',
        seen.counter('client', 'TcpExt.TCPSackRecovery'),
        1,
      ),
      atLeast('and took it back (TCPFullUndo or TCPDSACKUndo)', undone(seen), 1),
      atLeast('its congestion window is not smaller', seen.infos('client').at(-1)?.tcp?.sndCwnd, 10),
    ],
    moment: (_, seen) => seen.packets({ from: 'client', note: 'retransmission' })[0],
    explanation:
      'The receiver acknowledges what it has without a gap, and tells by SACK which pieces it has behind the gap. The sender cannot see whether the third segment is lost or late. When three later ones have arrived it decides for lost, sends it again and halves its congestion window, because losses mean that the network is full. Then the late one arrives. Timestamps show that the acknowledgment was for the first copy, and DSACK that the second one was superfluous, so the old window is restored. The connection also remembers that its network reorders, and waits longer from then on. Nothing breaks, but bytes are sent twice, and where it happens all the time connections are slow without any loss.',
    remedy:
      'Find what reorders: bonds with balance-rr, load balancing by packet instead of by connection, some tunnels and radio links. Leave tcp_sack, tcp_dsack and tcp_timestamps on, for the mistake cannot be taken back without them. Where the network cannot be changed, a larger net.ipv4.tcp_reordering makes new connections wait instead of count. TCPDSACKRecv and TCPSACKReorder of `nstat -az` tell reordering from loss.',
    references: [
      'RFC 2018',
      'RFC 2883',
      'RFC 3522 (Eifel detection)',
      'RFC 8985 section 3 (RACK)',
      'ip-sysctl: tcp_reordering, tcp_sack, tcp_dsack, tcp_recovery',
    ],
    twin: {
      title:
        'With tcp_reordering at 100: the client waits a quarter of a round trip instead of counting to three.',
      knobs: { patience: 100 },
      expect: ({ received }, seen) => [
        is('every byte arrives', received, BYTES),
        is('no segment is sent twice', seen.packets({ from: 'client', note: 'retransmission' }).length, 0),
        holds(
          'the order was noticed',
          seen.counter('client', 'TcpExt.TCPSACKReorder') > 0,
          `TCPSACKReorder ${seen.counter('client', 'TcpExt.TCPSACKReorder')}`,
        ),
      ],
    },
  },
);

/** Timestamps show the mistake first, or DSACK where there are none. */
function undone(seen: Seen): number {
  return seen.counter('client', 'TcpExt.TCPFullUndo') + seen.counter('client', 'TcpExt.TCPDSACKUndo');
}
