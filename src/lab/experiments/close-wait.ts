/** The peer hangs up, and the program does not notice: CLOSE_WAIT for ever. */
import { atLeast, inOrder, is } from '../checks.ts';
import { defineExperiment } from '../experiment.ts';

export const experiment = defineExperiment(
  { closes: false },
  {
    name: 'close-wait',
    theme: 'closing',
    asks: 'The peer has hung up and the program forgets its socket. What now?',
    question:
      'The client closes its connection properly. The server reads the end of the stream, and then forgets to close its own socket. What becomes of the two ends?',
    answers: {
      a: 'Both are gone after a minute: the kernel cleans up after programs.',
      b: 'The client is in TIME_WAIT for a minute, the server in CLOSE_WAIT for as long.',
      c: 'The server stays in CLOSE_WAIT until its program closes or ends; the client waits in FIN_WAIT_2 and gives up.',
      d: 'Keep-alive finds out after two hours.',
    },
    answer: 'c',
    seconds: 3,
    shortened: 'tcp_fin_timeout is 2 s here; it is 60 s usually.',
    // On a wire without delay LAST-ACK is over before anybody looks.
    stage: () => ({ wire: { delayMs: 20 }, sysctl: { 'net.ipv4.tcp_fin_timeout': 2 } }),
    async story({ client, server, stage, say }, { closes }) {
      await say('The two are connected.');
      const listener = await server.listening('*:80');
      const c = await client.connected('server:80');
      const s = await server.accepted(listener);

      await say('The client closes. The server reads the end of the stream…');
      await client.close(c);
      const end = await server.recv(s);

      if (closes) {
        await say('… and closes its own socket.');
        await server.close(s);
      } else {
        await say('… and forgets its socket.');
      }
      const at = (host: string) => stage.seen.states(host).at(-1);
      await stage.until(closes ? 'TIME-WAIT and the last ACK' : 'the end of FIN-WAIT-2', () =>
        closes ? at('client') === 'TIME-WAIT' && at('server') === 'CLOSED' : at('client') === 'CLOSED',
      );
      const left = (await server.sockets()).filter(({ state }) => state !== 'LISTEN');
      return { read: end.result, left: left.map(({ state }) => state).join() };
    },
    expect: ({ read, left }, seen) => [
      is('the server reads the end: 0 bytes', read, 0),
      inOrder('the client gives up on its own', seen.states('client'), [
        'FIN-WAIT-1',
        'FIN-WAIT-2',
        'CLOSED',
      ]),
      is('the server is still in CLOSE-WAIT', left, 'CLOSE-WAIT'),
      is('the server never sent a FIN', seen.packets({ from: 'server', flags: 'FA' }).length, 0),
    ],
    moment: (_, seen) => seen.events.find((event) => event.type === 'state' && event.to === 'CLOSE-WAIT'),
    explanation:
      'A FIN ends one direction only. The kernel tells the program with a read of 0 bytes, and then waits for the program to close its own direction: nothing else ends CLOSE_WAIT, no timer and no keep-alive, because the program might still have something to say. The other end waits for that FIN in FIN_WAIT_2; once its own program has closed the socket, it does so for tcp_fin_timeout only.',
    remedy:
      'Close the socket when read returns 0, in every path: a growing number of CLOSE_WAIT is always a bug of the program on this machine. `sockscope ls state close-wait` names it.',
    references: ['RFC 9293 section 3.6', 'tcp(7), tcp_fin_timeout'],
    twin: {
      title: 'The server closes when it reads the end.',
      knobs: { closes: true },
      expect: ({ left }, seen) => [
        is('nothing is left at the server', left, ''),
        inOrder('the server is done', seen.states('server'), ['CLOSE-WAIT', 'CLOSED']),
        inOrder('the client waits in TIME-WAIT', seen.states('client'), ['FIN-WAIT-1', 'TIME-WAIT']),
        atLeast('each side sent its FIN', seen.packets({ flags: 'FA' }).length, 2),
      ],
    },
  },
);
