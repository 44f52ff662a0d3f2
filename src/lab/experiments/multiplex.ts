/** A process for every connection, or one thread for all of them: what each costs. */
import { atLeast, between, is } from '../checks.ts';
import { defineExperiment } from '../experiment.ts';

const ROUNDS = 5;
const FEW = 200;
const MANY = 2000;
const KIB = 1024;
/** No machine is so busy that something is meant to take longer than this. */
const SLOW_MS = 100;

interface Cost {
  readonly processes: number;
  readonly threads: number;
  readonly memory: number;
}

interface Echoed {
  readonly connections: number;
  readonly readyMs: number;
  readonly eachUs: number;
}

export const experiment = defineExperiment(
  { each: true, connections: FEW },
  {
    name: 'multiplex',
    theme: 'processes',
    asks: 'Thousands of connections: a process each, or one thread for all?',
    question: `An echo server starts a small process (cat) for each of ${FEW} connections. Another one serves ${MANY} connections on a single thread with epoll. Where is the difference?`,
    answers: {
      a: 'In speed: on the single thread everybody waits for everybody, so an echo takes many times as long.',
      b: 'In processes, threads and memory; an echo takes some tens of microseconds in both.',
      c: 'Hardly anywhere: the processes share their memory.',
      d: 'One thread cannot do it: each connection needs somebody who waits for it.',
    },
    answer: 'b',
    seconds: 3,
    shortened:
      'Client and server are two programs on one host: the simulated wire would be slower than what is measured.',
    stage: () => ({ hosts: { machine: {} } }),
    async story({ host, say, skip }, { each, connections }) {
      const machine = host('machine');
      const server = await machine.program();
      const client = await machine.program();
      const room = await server.setrlimit('NOFILE', connections + 200);
      if (room.errno !== null) {
        skip(`a process of this user may have ${room.value} descriptors; ${connections + 200} are needed`);
      }

      await say(each ? 'A process for each connection.' : 'One thread for all connections.');
      const listener = await server.listening('*:80', { backlog: 4096, nonblock: true });
      void server.job('echo-server', { listener, each });
      const cost = async (): Promise<Cost> =>
        (await client.job('cost', { pid: server.pid })) as unknown as Cost;
      const echoes = async (count: number, rounds: number): Promise<Echoed> =>
        (await client.job('echo-clients', {
          address: 'machine:80',
          connections: count,
          rounds,
        })) as unknown as Echoed;
      // Everything that a server needs once is there after one connection.
      await echoes(1, 1);
      const before = await cost();

      await say(`${connections} connections, and a line echoed ${ROUNDS} times on each.`);
      const { readyMs, eachUs } = await echoes(connections, ROUNDS);
      const after = await cost();
      return {
        connections,
        processes: after.processes - before.processes,
        threads: after.threads - before.threads,
        perConnection: (after.memory - before.memory) / KIB / connections,
        readyMs,
        eachUs,
      };
    },
    expect: ({ connections, processes, threads, perConnection, readyMs, eachUs }) => [
      is('a process for each connection', processes, connections),
      is('with a thread each', threads, connections),
      atLeast('KiB of memory for each connection', Math.round(perConnection), 24),
      between('ms for each until it is served', hundredths(readyMs / connections), 0.1, SLOW_MS),
      between('ms for one echo', hundredths(eachUs / 1000), 0, SLOW_MS),
    ],
    moment: (_, seen) => seen.events.find((event) => event.type === 'step' && event.text.includes('echoed')),
    explanation:
      'To the kernel’s TCP a connection costs the same in both. A process for each costs a fork and an exec, a stack and page tables of its own, and a place in the scheduler: more than a hundred KiB that cat does not share, and for a worker that runs an interpreter it is tens of MiB. epoll turns it around: the kernel keeps a list of the sockets that have something, one epoll_wait fetches all of them, and those that are silent cost nothing; poll and select look through all of them in every call. The price is that everybody does wait while one is being served: a handler that computes for 50 ms holds up all the others. Processes run on all cores at once, and one may crash alone.',
    remedy:
      'For many connections that are mostly silent, one thread with epoll for each core: that is what Node, nginx and every async runtime are. Never let a handler compute or block on that thread; give it to others. A process or thread each is a good choice for few connections that work hard, or that must not hurt each other.',
    references: ['epoll(7)', 'fork(2)', 'inetd(8)', 'proc_pid_smaps(5), Pss'],
    twin: {
      title: `${MANY} connections on one thread, with epoll.`,
      knobs: { each: false, connections: MANY },
      expect: ({ processes, threads, perConnection, readyMs, eachUs, connections }) => [
        is('connections', connections, MANY),
        is('no further process', processes, 0),
        is('no further thread', threads, 0),
        // A collection of garbage in between may give back more than the connections took.
        between('KiB of memory for each connection', Math.round(perConnection), -16, 16),
        between('ms for each until it is served', hundredths(readyMs / connections), 0, SLOW_MS),
        between('ms for one echo', hundredths(eachUs / 1000), 0, SLOW_MS),
      ],
    },
  },
);

function hundredths(ms: number): number {
  return Math.round(ms * 100) / 100;
}
