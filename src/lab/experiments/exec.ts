/** A process becomes another program; its connections are asked whether they come along. */
import { inOrder, is } from '../checks.ts';
import { defineExperiment } from '../experiment.ts';

/** Reads a line from a descriptor that it never opened, and says who it is. */
const successor = (fd: number): string =>
  `const s = new (require('node:net').Socket)({ fd: ${fd} }); s.on('data', (d) => s.write(process.pid + ' heard ' + d));`;

export const experiment = defineExperiment(
  { cloexec: false },
  {
    name: 'exec',
    theme: 'processes',
    question:
      'A server with an open connection calls exec: the process becomes another program, which has never heard of the client. What does the client notice?',
    answers: {
      a: 'A FIN: exec closes what the old program had open.',
      b: 'A RST: the new program does not know the connection.',
      c: 'Nothing: the connection goes on, and the new program can read and write it under the old number.',
      d: 'Nothing, but the connection is dead: it belonged to the old pid.',
    },
    answer: 'c',
    seconds: 1,
    async story({ client, server, stage, say, waits }, { cloexec }) {
      await say('The two are connected.');
      const listener = await server.listening('*:80');
      const c = await client.connected('server:80');
      const old = await server.program();
      const own = await old.listening('*:81');
      const kept = await client.connected('server:81');
      const { result: s } = await old.accept(own, { inherit: !cloexec });
      await server.accepted(listener);
      return { c, kept, s, waits, stage };
    },
    expect: () => [inOrder('', [], []), is('', 1, 1)],
    explanation: '',
    remedy: '',
    references: [],
    twin: { title: '', knobs: { cloexec: true }, expect: () => [] },
  },
);
