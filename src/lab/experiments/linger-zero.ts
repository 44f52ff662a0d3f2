/** SO_LINGER with 0 seconds gets rid of TIME_WAIT, and of what was not sent yet. */
import { atLeast, holds, inOrder, is } from '../checks.ts';
import { defineExperiment } from '../experiment.ts';

const BYTES = 100_000;

export const experiment = defineExperiment(
  { lingerZero: true },
  {
    name: 'linger-zero',
    theme: 'closing',
    asks: 'SO_LINGER 0 avoids TIME_WAIT. What becomes of the data?',
    question:
      'To be rid of TIME_WAIT, a client sets SO_LINGER to 0 seconds, as an article advised. It sends 100 000 bytes over a network of 50 ms; send returns 100 000, close returns 0. What does the server get?',
    answers: {
      a: 'Everything, and the end of the stream: only TIME_WAIT is skipped.',
      b: 'Everything, and then ECONNRESET.',
      c: 'The first part, and then ECONNRESET.',
      d: 'The first part, and then an ordinary end of the stream.',
    },
    answer: 'c',
    seconds: 1,
    stage: () => ({ wire: { delayMs: 50 } }),
    async story({ client, server, stage, say }, { lingerZero }) {
      const listener = await server.listening('*:80');
      const c = await client.connected('server:80', {
        options: { SO_SNDBUF: 2 * BYTES, ...(lingerZero ? { SO_LINGER: 0 } : {}) },
      });
      const s = await server.accepted(listener);
      await say('The client sends, and closes.');
      const sent = await client.send(c, BYTES);
      const close = await client.close(c);

      await say('The server reads what comes.');
      const most = await server.received(s, BYTES);
      const last = most.bytes.length < BYTES ? most : await server.recv(s);
      await server.close(s);
      await stage.until('the server’s end', ({ states }) => states('server').at(-1) === 'CLOSED');
      return {
        sent: sent.result,
        close: close.result,
        got: most.bytes.length,
        last: last.errno ?? last.result,
        left: (await client.sockets()).map(({ state }) => state).join(),
      };
    },
    expect: ({ sent, close, got, last, left }, seen) => [
      is('send takes everything', sent, BYTES),
      is('close says', close, 0),
      // One for the abort; and one for each ACK that was under way to a connection which is no more.
      atLeast('the client sends RST', seen.packets({ from: 'client', flags: 'R' }).length, 1),
      is('no FIN', seen.packets({ flags: 'FA' }).length, 0),
      holds('the server gets a part', got < BYTES, `${got} bytes`),
      is('its last read', last, 'ECONNRESET'),
      is('left at the client', left, ''),
    ],
    moment: (_, seen) => seen.packets({ from: 'client', flags: 'R' })[0],
    explanation:
      'send copies into the kernel’s buffer; how fast it leaves is up to the network and the congestion window, of about 14 kB at the beginning. With SO_LINGER at 0 close means abort: the kernel throws away what it still has to send, sends RST instead of FIN, and forgets the connection at once. No TIME_WAIT, indeed; and no promise that anything arrived. The client never learns of it: both calls succeeded.',
    remedy:
      'Do not use it to avoid TIME_WAIT: closing is when your last bytes are under way. It is right where the connection is to be broken off, e.g. for a peer that misbehaves. Against scarce ports see `sockscope lab port-bomb`.',
    references: ['socket(7), SO_LINGER', 'RFC 9293 section 3.10.4, ABORT', 'RFC 1337'],
    twin: {
      title: 'A plain close: everything arrives, and TIME_WAIT makes sure of the end.',
      knobs: { lingerZero: false },
      expect: ({ got, last, left }, seen) => [
        is('the server gets everything', got, BYTES),
        is('and the end of the stream', last, 0),
        is('no RST', seen.packets({ flags: 'R' }).length, 0),
        inOrder('the client', seen.states('client'), ['FIN-WAIT-1', 'TIME-WAIT']),
        is('left at the client', left, 'TIME-WAIT'),
      ],
    },
  },
);
