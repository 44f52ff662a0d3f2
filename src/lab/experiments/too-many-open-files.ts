/** Ten thousand requests at once, and a process that may have a thousand files open. */
import { atLeast, between, is } from '../checks.ts';
import { defineExperiment } from '../experiment.ts';

const REQUESTS = 10_000;
const LIMIT = 1024;

interface Told {
  readonly answered: number;
  readonly failed: Readonly<Record<string, number>>;
  readonly mostOpen: number;
  readonly unfinished: number;
  readonly ms: number;
}

export const experiment = defineExperiment(
  { atOnce: 0, limit: LIMIT },
  {
    name: 'too-many-open-files',
    theme: 'processes',
    question: `A program may have ${LIMIT} files open. It starts ${REQUESTS} GETs at once and waits for all of them. What happens?`,
    answers: {
      a: 'They queue: the kernel opens the next one when one is finished.',
      b: 'The server refuses those above its backlog: ECONNREFUSED.',
      c: 'About a thousand are answered; all the others fail at once with EMFILE, and nothing of them is sent.',
      d: 'The machine runs out of local ports: EADDRNOTAVAIL.',
    },
    answer: 'c',
    seconds: 3,
    shortened:
      'Client and server are two programs on one host: over the simulated wire the 10 000 answered requests of the twin would be 100 000 frames.',
    stage: () => ({ hosts: { machine: {} } }),
    async story({ host, stage, say, skip }, { atOnce, limit }) {
      const machine = host('machine');
      const server = await machine.program();
      const client = await machine.program();
      const listener = await server.listening('*:80', { backlog: 4096, nonblock: true });
      void server.job('many-answers', { listener });
      const allowed = await client.setrlimit('NOFILE', limit);
      if (allowed.errno !== null) {
        skip(`this user may have ${allowed.value} descriptors in a process, and ${limit} are needed`);
      }

      await say(
        atOnce === 0
          ? `${REQUESTS} GETs at once, with ${limit} descriptors.`
          : `${REQUESTS} GETs, ${atOnce} at a time, with ${limit} descriptors.`,
      );
      const told = (await client.job('many-gets', { address: 'machine:80', count: REQUESTS, atOnce })) as never;
      await stage.settled();
      const { failed, ...rest } = told as Told;
      return { ...rest, emfile: failed.EMFILE ?? 0, failures: Object.values(failed).reduce((a, b) => a + b, 0), limit };
    },
    expect: ({ answered, emfile, failures, mostOpen, limit, unfinished }) => [
      between('no more sockets than descriptors were ever open', mostOpen, limit / 2, limit - 1),
      is('those that had one were answered', answered, mostOpen),
      is('all the others failed', failures, REQUESTS - answered),
      is('every one of them with EMFILE', emfile, failures),
      is('and none is left waiting', unfinished, 0),
    ],
    moment: (_, seen) => seen.calls({ name: 'socket', errno: 'EMFILE' })[0],
    explanation:
      '',
    remedy:
      '',
    references: ['getrlimit(2), RLIMIT_NOFILE', 'socket(2), EMFILE', 'limits.conf(5)', 'systemd.exec(5), LimitNOFILE'],
    twin: {
      title: 'The same requests through a queue, 200 at a time.',
      knobs: { atOnce: 200 },
      expect: ({ answered, failures, mostOpen }) => [
        is('every request is answered', answered, REQUESTS),
        is('nothing failed', failures, 0),
        atLeast('never more than 200 at once', 200, mostOpen),
      ],
    },
  },
);
