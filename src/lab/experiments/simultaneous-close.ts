/** Two FINs that meet on the way. */
import { inOrder, is } from '../checks.ts';
import { defineExperiment } from '../experiment.ts';

export const experiment = defineExperiment(
  { together: true },
  {
    name: 'simultaneous-close',
    theme: 'closing',
    asks: 'Both sides close at once. Who has the TIME_WAIT?',
    question:
      'Both programs close at the same moment; the network takes 100 ms each way, so their FINs cross. Who is in TIME_WAIT afterwards?',
    answers: {
      a: 'Nobody: both closed first, both know it.',
      b: 'The one whose FIN was a little earlier.',
      c: 'Both.',
      d: 'Neither; the FINs do not fit, and both send RST.',
    },
    answer: 'c',
    seconds: 1,
    shortened: 'TIME_WAIT takes its 60 s; the story ends when it begins.',
    stage: () => ({ wire: { delayMs: 100 } }),
    async story({ client, server, stage, say }, { together }) {
      await say('The two are connected.');
      const listener = await server.listening('*:80');
      const c = await client.connected('server:80');
      const s = await server.accepted(listener);

      if (together) {
        await say('Both close.');
        await Promise.all([client.close(c), server.close(s)]);
      } else {
        await say('The client closes; the server reads the end, and closes then.');
        await client.close(c);
        await server.recv(s);
        await server.close(s);
      }
      const over = (host: string) => ['TIME-WAIT', 'CLOSED'].includes(stage.seen.states(host).at(-1) ?? '');
      await stage.until('the end of both', () => over('client') && over('server'));
      const left = async (host: typeof client) =>
        (await host.sockets()).map(({ state }) => state).filter((state) => state !== 'LISTEN');
      return { atClient: (await left(client)).join(), atServer: (await left(server)).join() };
    },
    expect: ({ atClient, atServer }, seen) => [
      ...(['client', 'server'] as const).map((host) =>
        inOrder(`the ${host}`, seen.states(host), ['ESTABLISHED', 'FIN-WAIT-1', 'CLOSING', 'TIME-WAIT']),
      ),
      is('left at the client', atClient, 'TIME-WAIT'),
      is('left at the server', atServer, 'TIME-WAIT'),
      is('no RST', seen.packets({ flags: 'R' }).length, 0),
    ],
    moment: (_, seen) => seen.events.find((event) => event.type === 'state' && event.to === 'CLOSING'),
    explanation:
      'Each side has sent its FIN and waits for the ACK, and gets the other’s FIN instead. That is CLOSING: both directions are over, and its own FIN is not confirmed yet. Each confirms the other’s FIN, and since each of them may have to repeat that last ACK, both keep the connection in TIME_WAIT. Nobody was in CLOSE_WAIT, because neither program was told before it closed.',
    remedy:
      'Nothing to repair. It happens when two idle timeouts are equal: client and server both close after 60 s. Make them different, so that it is clear who closes first; the other one then reads the end and closes too.',
    references: ['RFC 9293 section 3.6, figure 13'],
    twin: {
      title: 'The server closes when it has read the end.',
      knobs: { together: false },
      expect: ({ atClient, atServer }, seen) => [
        inOrder('the client', seen.states('client'), ['ESTABLISHED', 'FIN-WAIT-1', 'TIME-WAIT']),
        inOrder('the server', seen.states('server'), ['ESTABLISHED', 'LAST-ACK', 'CLOSED']),
        is('left at the client', atClient, 'TIME-WAIT'),
        is('left at the server', atServer, ''),
      ],
    },
  },
);
