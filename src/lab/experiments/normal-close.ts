/** Nothing is wrong: four segments, and what close waits for. */
import { holds, inOrder, is, lasts, milliseconds, same } from '../checks.ts';
import { defineExperiment } from '../experiment.ts';

export const experiment = defineExperiment(
  { lingers: false },
  {
    name: 'normal-close',
    theme: 'closing',
    asks: 'An orderly end: what is left afterwards, and where?',
    question:
      'Nothing is wrong: the client closes, the server reads the end of the stream and closes too. The network takes 100 ms each way. When does the client’s close return, and what is left afterwards?',
    answers: {
      a: 'After 200 ms, when the server’s kernel has confirmed it; nothing is left.',
      b: 'After 400 ms, when both directions are closed; nothing is left.',
      c: 'At once; the kernels do the rest. The client’s kernel keeps the connection for a minute, the server’s does not.',
      d: 'At once; both kernels keep the connection for a minute.',
    },
    answer: 'c',
    seconds: 1,
    shortened: 'TIME_WAIT takes its 60 s; the story ends when it begins.',
    stage: () => ({ wire: { delayMs: 100 } }),
    async story({ client, server, stage, say }, { lingers }) {
      await say('The two are connected.');
      const listener = await server.listening('*:80');
      const c = await client.connected('server:80', { options: lingers ? { SO_LINGER: 5 } : {} });
      const s = await server.accepted(listener);

      await say('The client closes. The server waits for data, and reads the end of the stream.');
      await stage.settled();
      const since = stage.seen.end;
      const reading = server.recv(s);
      const closing = client.close(c);
      const end = await reading;
      await stage.reached('client', 'FIN-WAIT-2');

      await say('The server closes too.');
      await server.close(s);
      await stage.until('the end of LAST-ACK', ({ states }) => states('server').at(-1) === 'CLOSED');
      const close = await closing;
      const left = async (host: typeof client) =>
        (await host.sockets()).map(({ state }) => state).filter((state) => state !== 'LISTEN');
      return {
        since,
        ms: close.took / 1e6,
        read: end.result,
        atClient: (await left(client)).join(),
        atServer: (await left(server)).join(),
      };
    },
    expect: ({ since, ms, read, atClient, atServer }, seen) => [
      holds('close returns before anything can have arrived', ms < 100, milliseconds(ms)),
      is('the server reads the end: 0 bytes', read, 0),
      same(
        'a FIN and its ACK in each direction',
        seen
          .packets({ protocol: 'tcp', since })
          .filter(({ notes }) => !notes.includes('retransmission'))
          .map(({ host, flags = [] }) => `${host} ${flags.join()}`),
        ['client FIN,ACK', 'server ACK', 'server FIN,ACK', 'client ACK'],
      ),
      inOrder('the client, who closed first', seen.states('client'), [
        'FIN-WAIT-1',
        'FIN-WAIT-2',
        'TIME-WAIT',
      ]),
      inOrder('the server, who closed second', seen.states('server'), ['CLOSE-WAIT', 'LAST-ACK', 'CLOSED']),
      is('left at the client', atClient, 'TIME-WAIT'),
      is('left at the server', atServer, ''),
    ],
    moment: (_, seen) => seen.calls({ host: 'client', name: 'close' })[0],
    explanation:
      'close gives the connection to the kernel and returns: it does not wait, and its 0 says nothing about the other side. Each direction ends on its own, with a FIN that is acknowledged. The server’s program learns of it by reading 0 bytes; its own close ends the other direction. Who closed first keeps the connection in TIME_WAIT for a minute, in case its last ACK was lost; who closed second is done when that ACK arrives.',
    remedy:
      'Nothing to repair. Who must know that the other side has read everything calls shutdown(SHUT_WR) and reads until 0 before close. SO_LINGER with some seconds makes close wait for the other kernel’s ACK, which is less than that.',
    references: ['RFC 9293 section 3.6', 'close(2)', 'socket(7), SO_LINGER'],
    twin: {
      title: 'With SO_LINGER of 5 s, close waits until the other kernel has confirmed the FIN.',
      knobs: { lingers: true },
      expect: ({ ms, atServer }, seen) => [
        lasts('close takes one round trip', ms, 200, 200),
        inOrder('the client', seen.states('client'), ['FIN-WAIT-1', 'FIN-WAIT-2', 'TIME-WAIT']),
        is('left at the server', atServer, ''),
      ],
    },
  },
);
