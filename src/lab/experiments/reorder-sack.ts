/** Nothing is lost; one segment is overtaken, and taken for lost. */
import { atLeast, is } from '../checks.ts';
import { defineExperiment } from '../experiment.ts';

const BYTES = 10 * 1448;

export const experiment = defineExperiment(
  { patience: 3 },
  {
    name: 'reorder-sack',
    theme: 'loss',
    question: '',
    answers: {},
    answer: 'c',
    seconds: 1,
    stage: ({ patience }) => ({
      wire: { delayMs: 100 },
      sysctl: { 'net.ipv4.tcp_reordering': patience },
    }),
    async story({ client, server, stage, say }) {
      const listener = await server.listening('*:80');
      const c = await client.connected('server:80');
      const s = await server.accepted(listener);
      await say('Ten segments. The third is 15 ms late: the others overtake it.');
      await stage.wire.rule({ do: 'delay', ms: 15 }, { from: 'client', data: true, nth: 3 });
      await client.send(c, BYTES);
      await server.received(s, BYTES);
      await stage.pass(600);
      await stage.settled();
      return { c };
    },
    expect: ({ c }) => [is('', c, 1), atLeast('', c, 1)],
    explanation: '',
    remedy: '',
    references: [],
    twin: { title: '', knobs: { patience: 100 }, expect: () => [] },
  },
);
