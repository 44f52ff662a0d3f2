/** Dave Pacheco's third TCP puzzler: a connection that only one side knows of, and nothing has failed. */
import { atLeast, inOrder, is } from '../checks.ts';
import { defineExperiment } from '../experiment.ts';

export const experiment = defineExperiment(
  { closes: false },
  {
    name: 'puzzler-3',
    theme: 'errors',
    asks: 'Can only one side know of a connection although nothing has failed?',
    question:
      'No crash, no power cut, no lost packet: can the client hold a connection of which the server’s kernel knows nothing any more? And what does Linux say when the client then writes?',
    answers: {
      a: 'No. As long as nothing fails both kernels agree.',
      b: 'Yes. The write succeeds, and the read after it says ECONNRESET.',
      c: 'Yes. The write succeeds, the read after it still says 0, and the next write says EPIPE.',
      d: 'Yes, but only for the minute of TIME_WAIT.',
    },
    answer: 'c',
    seconds: 3,
    shortened: 'tcp_fin_timeout is 2 s here; it is 60 s usually.',
    stage: () => ({ sysctl: { 'net.ipv4.tcp_fin_timeout': 2 } }),
    async story({ client, server, stage, say }, { closes }) {
      await say('The server closes its socket.');
      const listener = await server.listening('*:80');
      const c = await client.connected('server:80');
      const s = await server.accepted(listener);
      await server.close(s);
      const end = await client.recv(c);

      if (closes) {
        await say('The client has read the end, and closes too.');
        await client.close(c);
        await stage.reached('server', 'TIME-WAIT');
        return { end: end.result, left: '', write: null, read: null, pending: null, second: null };
      }
      await say('The client has read the end, and keeps its socket. The server’s kernel gives up waiting.');
      await stage.until('the server to forget', ({ states }) => states('server').at(-1) === 'CLOSED');
      const left = (await client.sockets()).map(({ state }) => state).join();

      await say('The client writes.');
      const write = await client.send(c, 'x');
      await stage.until('the RST', ({ packets }) => packets({ from: 'server', flags: 'R' }).length > 0);
      await stage.settled();
      const read = await client.recv(c);
      const pending = await client.getsockopt(c, 'SO_ERROR');
      const second = await client.send(c, 'y');
      return {
        end: end.result,
        left,
        write: write.result,
        read: read.errno ?? read.result,
        pending: pending.value as string | number,
        second: second.errno,
      };
    },
    expect: ({ end, left, write, read, pending, second }, seen) => [
      is('the client reads the end', end, 0),
      is('it holds the connection', left, 'CLOSE-WAIT'),
      inOrder('the server has forgotten it', seen.states('server'), ['FIN-WAIT-2', 'CLOSED']),
      is('the write succeeds', write, 1),
      is('the read after the RST says the end, not an error', read, 0),
      is('the error that waits at the socket', pending, 'EPIPE'),
      is('the second write', second, 'EPIPE'),
    ],
    moment: (_, seen) => seen.packets({ from: 'server', flags: 'R' })[0],
    explanation:
      'The server said FIN and its program is gone, so its kernel waits in FIN_WAIT_2 for the client’s FIN, for tcp_fin_timeout only, and then forgets without sending anything. The client is in CLOSE_WAIT for as long as its program likes. Its write is accepted, meets a kernel that knows nothing, and brings a RST. The article saw ECONNRESET on illumos; Linux lets a socket that has seen the FIN keep saying "end": reads give 0, and only writing tells of it, with EPIPE.',
    remedy:
      'Close when you have read the end. A program that treats 0 as "nothing yet" holds dead connections; look for them with `sockscope ls state close-wait`.',
    references: [
      'Dave Pacheco, TCP Puzzlers, 2016',
      'net/ipv4/tcp_input.c, tcp_reset()',
      'ip-sysctl: tcp_fin_timeout',
    ],
    twin: {
      title: 'The client closes when it reads the end.',
      knobs: { closes: true },
      expect: (_, seen) => [
        inOrder('the server waits in TIME-WAIT', seen.states('server'), ['FIN-WAIT-1', 'TIME-WAIT']),
        inOrder('the client is done', seen.states('client'), ['CLOSE-WAIT', 'CLOSED']),
        atLeast('each side sent its FIN', seen.packets({ flags: 'F' }).length, 2),
        is('no RST', seen.packets({ flags: 'R' }).length, 0),
      ],
    },
  },
);
