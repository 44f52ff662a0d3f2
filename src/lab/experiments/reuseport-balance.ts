/** Workers that share a port with SO_REUSEPORT: who gets which connection, and what becomes of a worker's queue when it ends. */
import type { Host, Program, Stage } from '../api.ts';
import { atLeast, holds, is, same } from '../checks.ts';
import { defineExperiment } from '../experiment.ts';

const WORKERS = 3;
const CLIENTS = 24;
const AGAIN = 3;

export const experiment = defineExperiment(
  { migrates: false },
  {
    name: 'reuseport-balance',
    theme: 'ports',
    asks: 'Several listeners on one port. Who gets the connections?',
    question: `Three workers listen on one port, each with a socket of its own and SO_REUSEPORT. ${CLIENTS} clients have connected, and no worker has accepted yet. Now one worker is restarted, and closes its listener. What becomes of the clients?`,
    answers: {
      a: 'Nothing: the workers share one queue, and the other two accept all of them.',
      b: 'Those in its queue are given to the other two.',
      c: 'Those in its queue wait until it listens again.',
      d: 'Those in its queue are reset, although their connect had succeeded.',
    },
    answer: 'd',
    seconds: 1,
    stage: ({ migrates }) => ({
      hosts: { client: {}, server: { sysctl: { 'net.ipv4.tcp_migrate_req': migrates ? 1 : 0 } } },
    }),
    async story({ client, server, stage, say }, { migrates }) {
      await say('Three workers listen on port 80.');
      const workers = await Promise.all(Array.from({ length: WORKERS }, () => server.program()));
      const listeners: number[] = [];
      for (const worker of workers) {
        const options = { SO_REUSEPORT: 1 };
        listeners.push(await worker.listening('*:80', { options, nonblock: true }));
      }

      await say(`The same address and port connects ${AGAIN} times.`);
      for (let i = 0; i < AGAIN; i++) {
        const c = await client.connected('server:80', { from: '*:20000', options: { SO_LINGER: 0 } });
        await client.close(c);
      }
      await queued(stage, server, AGAIN);
      const fromOne = await acceptAll(workers, listeners);

      await say(`${CLIENTS} clients connect. Nobody accepts.`);
      const clients: number[] = [];
      for (let i = 0; i < CLIENTS; i++) {
        clients.push(await client.connected('server:80'));
      }
      const before = await queued(stage, server, CLIENTS);

      await say('The first worker closes its listener.');
      const closed = await workers[0]!.close(listeners[0]!);
      const after = await queuesOf(server);
      const inItsQueue = [...before].find(([cookie]) => !after.has(cookie))?.[1] ?? 0;
      if (!migrates) {
        await stage.until(
          'the resets',
          ({ events }) =>
            events.filter(
              (one) =>
                one.type === 'state' &&
                one.host === 'client' &&
                one.to === 'CLOSED' &&
                one.from === 'ESTABLISHED' &&
                one.at > closed.at,
            ).length >= inItsQueue,
        );
      }
      const reads = [];
      for (const c of clients) {
        reads.push((await client.recv(c, 1, ['MSG_DONTWAIT'])).errno);
      }

      await say('The others accept what they have.');
      const accepted = await acceptAll(workers.slice(1), listeners.slice(1));
      const counters = await server.counters();
      return {
        fromOne,
        queues: [...before.values()],
        inItsQueue,
        reset: reads.filter((errno) => errno === 'ECONNRESET').length,
        accepted: sum(accepted),
        migrated: counters['TcpExt.TCPMigrateReqSuccess'] ?? 0,
      };
    },
    expect: ({ fromOne, queues, inItsQueue, reset, accepted, migrated }, seen) => [
      same('the same address and port always meets the same worker', sorted(fromOne), [0, 0, AGAIN]),
      holds(`the ${CLIENTS} clients are spread over all three`, everyone(queues), queues.join(' + ')),
      atLeast('there were clients in the queue of the one that closed', inItsQueue, 1),
      is('all of these are reset', reset, inItsQueue),
      is('by a RST each', seen.packets({ from: 'server', flags: 'R' }).length, inItsQueue),
      is('the others are accepted', accepted, CLIENTS - inItsQueue),
      is('none was migrated', migrated, 0),
    ],
    moment: (_, seen) => seen.packets({ from: 'server', flags: 'R' })[0],
    explanation:
      'With SO_REUSEPORT every listener has an accept queue of its own. The kernel chooses one by a hash of the addresses and ports when the SYN comes, whether that worker is busy or not. So one address and port meets the same worker again, the spread is only as even as chance, and a worker that hangs takes its share with it. What waits in a queue belongs to that listener: when it is closed, everyone in it is reset, and those clients have long been told that they are connected.',
    remedy:
      'Before a worker ends, take it out first, then accept until EAGAIN, then close. Or set net.ipv4.tcp_migrate_req=1 (Linux 5.14), which gives its queue to the others. Or let the workers share one listener (inherited from one parent, EPOLLEXCLUSIVE): there nothing is lost, and who is free takes the next. `sockscope ls :80` shows the queue of each.',
    references: ['socket(7), SO_REUSEPORT', 'ip-sysctl: tcp_migrate_req', 'net/core/sock_reuseport.c'],
    twin: {
      title: 'With tcp_migrate_req=1.',
      knobs: { migrates: true },
      expect: ({ queues, inItsQueue, reset, accepted, migrated }, seen) => [
        holds('the clients are spread over all three', everyone(queues), queues.join(' + ')),
        atLeast('there were clients in the queue of the one that closed', inItsQueue, 1),
        is('no client is reset', reset, 0),
        is('no RST was sent', seen.packets({ from: 'server', flags: 'R' }).length, 0),
        is('the other two accept all', accepted, CLIENTS),
        is('the kernel counts those that it gave away', migrated, inItsQueue),
      ],
    },
  },
);

/** How many wait at each listener, by its cookie. */
async function queuesOf(server: Host): Promise<Map<string, number>> {
  const listening = (await server.sockets()).filter(({ state }) => state === 'LISTEN');
  return new Map(listening.map(({ cookie, accept }) => [cookie, accept?.used ?? 0]));
}

/** The same, as soon as there are so many in all: the client is connected before the server's kernel knows. */
async function queued(stage: Stage, server: Host, total: number): Promise<Map<string, number>> {
  let queues = await queuesOf(server);
  while (sum([...queues.values()]) < total) {
    await stage.pass(5);
    queues = await queuesOf(server);
  }
  return queues;
}

/** How many connections each worker had; it closes them. */
async function acceptAll(workers: readonly Program[], listeners: readonly number[]): Promise<number[]> {
  const counts: number[] = [];
  for (const [i, worker] of workers.entries()) {
    let count = 0;
    let call = await worker.accept(listeners[i]!);
    while (call.errno === null) {
      count += 1;
      await worker.close(call.result);
      call = await worker.accept(listeners[i]!);
    }
    counts.push(count);
  }
  return counts;
}

const sum = (counts: readonly number[]): number => counts.reduce((a, b) => a + b, 0);
const sorted = (counts: readonly number[]): number[] => [...counts].sort((a, b) => a - b);
const everyone = (queues: readonly number[]): boolean =>
  queues.length === WORKERS && sum(queues) === CLIENTS && queues.every((count) => count > 0);
