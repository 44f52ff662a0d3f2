/** Ten thousand requests at once, and a process that may have a thousand files open. */
import { between, holds, is } from '../checks.ts';
import { defineExperiment } from '../experiment.ts';

const REQUESTS = 10_000;
const LIMIT = 1024;
const POOL = 200;

interface Told {
  readonly answered: number;
  /** By errno. */
  readonly failed: Readonly<Record<string, number>>;
  readonly opened: number;
  readonly unfinished: number;
}

export const experiment = defineExperiment(
  { connections: REQUESTS, limit: LIMIT },
  {
    name: 'too-many-open-files',
    theme: 'processes',
    asks: 'Thousands of GETs at once against the limit of open files.',
    question: `A program may have ${LIMIT} files open. It starts ${REQUESTS} GETs at once, each on a connection of its own, and waits for all. What happens?`,
    answers: {
      a: 'They queue: the kernel opens the next one when one is finished.',
      b: 'The server refuses those that are above its backlog: ECONNREFUSED.',
      c: 'About a thousand are answered; the others fail at once with EMFILE, and nothing of them is sent.',
      d: 'It runs out of local ports: EADDRNOTAVAIL.',
    },
    answer: 'c',
    seconds: 2,
    shortened:
      'Client and server are two programs on one host: the simulated wire would carry a hundred thousand frames.',
    stage: () => ({ hosts: { machine: {} } }),
    async story({ host, stage, say, skip }, { connections, limit }) {
      const machine = host('machine');
      const server = await machine.program();
      const client = await machine.program();
      const listener = await server.listening('*:80', { backlog: 4096, nonblock: true });
      void server.job('many-answers', { listener });
      const allowed = await client.setrlimit('NOFILE', limit);
      if (allowed.errno !== null) {
        skip(`a process of this user may have ${allowed.value} descriptors; ${limit} are needed`);
      }

      await say(`${REQUESTS} GETs, on ${connections} connections, with ${limit} descriptors.`);
      const asked = { address: 'machine:80', requests: REQUESTS, connections };
      const { failed, ...rest } = (await client.job('many-gets', asked)) as unknown as Told;
      const failures = Object.values(failed).reduce((sum, count) => sum + count, 0);
      await stage.settled();
      return { ...rest, emfile: failed.EMFILE ?? 0, failures, limit };
    },
    expect: ({ answered, emfile, failures, opened, limit, unfinished }) => [
      between('as many sockets were opened as there were descriptors left', opened, limit / 2, limit - 1),
      holds('not as many as were wanted', opened < REQUESTS, `${opened} of ${REQUESTS}`),
      is('their requests were answered', answered, opened),
      is('all the others failed', failures, REQUESTS - opened),
      is('every one with EMFILE', emfile, failures),
      is('and none waits any more', unfinished, 0),
    ],
    moment: (_, seen) => seen.calls({ name: 'socket', errno: 'EMFILE' })[0],
    explanation:
      'A descriptor is an entry in a table of the process, and its soft limit RLIMIT_NOFILE is 1 024 on most machines; the program’s own files, its epoll and its pipes count too. When the table is full, socket(2) fails at once with EMFILE: nothing is sent, nothing waits, and the server never hears of it. The kernel does not queue for you, because it cannot know that you would rather wait. `Promise.all` over ten thousand fetches is just this: thousands of sockets asked for before the first answer can give one back. (ENFILE is something else: the whole machine is out of files.)',
    remedy:
      'Put a queue in front: so many at once, the next when one is done, on connections that are used again (in Node, an http.Agent with keepAlive and maxSockets). Or raise the limit, which most services may do themselves up to the hard limit: `ulimit -n`, LimitNOFILE= in systemd; Node does so when it starts. Never use select(2) beyond 1 024. `sockscope limits` shows used and allowed descriptors of each process.',
    references: [
      'socket(2), EMFILE',
      'getrlimit(2), RLIMIT_NOFILE',
      'systemd.exec(5), LimitNOFILE',
      'select(2), BUGS',
    ],
    twin: {
      title: `The same requests in a queue, over ${POOL} connections that are used again.`,
      knobs: { connections: POOL },
      expect: ({ answered, failures, opened }) => [
        is('every request is answered', answered, REQUESTS),
        is('nothing failed', failures, 0),
        is('the pool was all that was opened', opened, POOL),
      ],
    },
  },
);
