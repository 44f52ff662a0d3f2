/** One connection, four processes that wait for it with epoll: who is woken? */
import type { Call } from '../api.ts';
import { atLeast, holds, is } from '../checks.ts';
import { defineExperiment } from '../experiment.ts';

const WORKERS = 4;

export const experiment = defineExperiment(
  { exclusive: false },
  {
    name: 'thundering-herd',
    theme: 'processes',
    asks: 'Several workers wait on one listener. How many wake up?',
    question: `${WORKERS} worker processes share one listening socket, as after a fork, and each waits for it with an epoll of its own. One client connects. What happens?`,
    answers: {
      a: 'One worker is woken, and accepts: the kernel chooses.',
      b: 'All are woken; one gets the connection, the others EAGAIN.',
      c: 'All are woken, and each gets the connection.',
      d: 'The worker that has waited longest is woken.',
    },
    answer: 'b',
    seconds: 1,
    async story({ client, server, stage, say, waits }, { exclusive }) {
      await say(`A listener, and ${WORKERS} workers that share it.`);
      const parent = await server.program();
      const shared = await parent.listening('*:80', { nonblock: true });
      const workers = [];
      for (let i = 0; i < WORKERS; i++) {
        const worker = await server.program();
        const listener = (await worker.job('take-descriptor', { pid: parent.pid, fd: shared })) as number;
        const { result: epoll } = await worker.epollCreate();
        const events = exclusive ? ['EPOLLIN', 'EPOLLEXCLUSIVE'] : ['EPOLLIN'];
        await worker.epollCtl(epoll, 'add', listener, events);
        workers.push({ worker, listener, epoll });
      }

      await say('Each waits.');
      const woken = new Set<number>();
      const waiting = workers.map(({ worker, epoll }, i) =>
        worker.epollWait(epoll, 1, -1).then(() => woken.add(i)),
      );
      await stage.until(
        'four waiting workers',
        (seen) => seen.calls({ name: 'epoll_wait' }).filter(({ took }) => took === null).length === WORKERS,
      );

      await say('A client connects.');
      await client.connected('server:80');
      await Promise.race(waiting);
      // Nobody accepts yet: whoever is to be woken is woken.
      await waits(Promise.all(waiting), exclusive ? 500 : 5000);

      await say('Those that were woken accept.');
      const accepts: Call[] = [];
      for (const i of woken) {
        const { worker, listener } = workers[i]!;
        accepts.push(await worker.accept(listener));
      }
      return {
        woken: woken.size,
        got: accepts.filter(({ errno }) => errno === null).length,
        inVain: accepts.filter(({ errno }) => errno === 'EAGAIN').length,
      };
    },
    expect: ({ woken, got, inVain }) => [
      is('every worker is woken', woken, WORKERS),
      is('one gets the connection', got, 1),
      is('the others were woken for nothing', inVain, WORKERS - 1),
    ],
    moment: (_, seen) => seen.calls({ host: 'server', name: 'accept4', errno: 'EAGAIN' })[0],
    explanation:
      'A process that sleeps in a blocking accept is woken alone: accept waits exclusively. epoll does not: it watches, and everybody who watches is told that the listener is ready. All of them run, one wins, and the others have been fetched from their sleep for an EAGAIN; with sixty workers that is sixty switches for each connection. In life it is a race, because a quick worker empties the queue before the others look; here nobody accepts until all have looked.',
    remedy:
      'Register the listener with EPOLLEXCLUSIVE (Linux 4.5), or give each worker a socket of its own with SO_REUSEPORT (see `sockscope lab reuseport-balance`); or let one process accept and hand out. A listener that several wait for must be non-blocking, or the losers hang in accept.',
    references: ['epoll_ctl(2), EPOLLEXCLUSIVE', 'epoll(7)', 'accept(2)', 'pidfd_getfd(2)'],
    twin: {
      title: 'With EPOLLEXCLUSIVE.',
      knobs: { exclusive: true },
      expect: ({ woken, got }, seen) => [
        is('one gets the connection', got, 1),
        // The man page promises "one or more".
        atLeast('somebody is woken', woken, 1),
        holds('and not everybody', woken < WORKERS, `${woken} of ${WORKERS}`),
        holds(
          'the others still wait',
          seen.calls({ name: 'epoll_wait' }).filter(({ took }) => took === null).length === WORKERS - woken,
          `${seen.calls({ name: 'epoll_wait' }).filter(({ took }) => took === null).length} waiting`,
        ),
      ],
    },
  },
);
