/** The server is dead, and its port is taken: by a child that never heard of it. */
import { holds, is } from '../checks.ts';
import { defineExperiment } from '../experiment.ts';

interface Told {
  readonly listening: number;
  readonly connect: string | null;
  readonly waiting: boolean;
  readonly bind: string | null;
  /** Where bind succeeded. */
  readonly listen?: string | null;
  /** What the client reads in the end, and whether bind succeeds then. */
  readonly end?: string | null;
  readonly free?: string | null;
}

export const experiment = defineExperiment(
  { cloexec: false },
  {
    name: 'listener-leaked-to-child',
    theme: 'processes',
    asks: 'The server is gone and its port is taken. By whom?',
    question:
      'A server starts a helper program, here `sleep`, and dies. The helper goes on. A new server wants the port, and a client connects. What happens?',
    answers: {
      a: 'bind succeeds: the process that had the port is dead.',
      b: 'bind fails with EADDRINUSE, and clients are refused: nobody listens.',
      c: 'bind fails with EADDRINUSE, and clients connect: `sleep` is the listener now, and never accepts.',
      d: 'bind succeeds with SO_REUSEADDR, and both listen.',
    },
    answer: 'c',
    seconds: 1,
    async story({ client, server, stage, say, waits }, { cloexec }): Promise<Told> {
      await say('A server listens, and starts a helper.');
      const old = await server.program();
      const { result: listener } = await old.socket('tcp', { inherit: !cloexec });
      await old.setsockopt(listener, 'SO_REUSEADDR', 1);
      await old.bind(listener, '*:80');
      await old.listen(listener);
      const helper = await old.spawn('sleep', ['1000']);

      await say('The server is killed. The helper goes on.');
      await old.kill('SIGKILL');
      await old.exited;
      await stage.settled();
      const listening = (await server.sockets()).filter(({ state }) => state === 'LISTEN').length;

      await say('A client connects.');
      const { result: c } = await client.socket();
      const connect = await client.connect(c, 'server:80');
      const answer = client.recv(c);
      const waiting = connect.errno === null && (await waits(answer, 200));

      await say('A new server wants the port.');
      const { result: again } = await server.socket();
      await server.setsockopt(again, 'SO_REUSEADDR', 1);
      const bind = await server.bind(again, '*:80');
      const plain = { listening, connect: connect.errno, waiting, bind: bind.errno };
      if (bind.errno === null) {
        return { ...plain, listen: (await server.listen(again)).errno };
      }

      await say('Somebody finds the helper, and ends it.');
      const killer = await server.start('sh', ['-c', `kill -9 ${helper.pid}`]);
      await killer.exited;
      const end = await answer;
      await stage.until('the end of the old listener', (seen) =>
        seen.events.some((event) => event.type === 'state' && event.from === 'LISTEN'),
      );
      const free = await server.bind(again, '*:80');
      return { ...plain, end: end.errno, free: free.errno };
    },
    expect: ({ listening, connect, waiting, bind, end, free }) => [
      is('the port still listens, without its server', listening, 1),
      is('a client connects', connect, null),
      is('and waits for an answer', waiting, true),
      is('bind fails, with SO_REUSEADDR too', bind, 'EADDRINUSE'),
      is('when the helper ends, the client is reset', end, 'ECONNRESET'),
      is('and the port is free', free, null),
    ],
    moment: (_, seen) => seen.calls({ host: 'server', name: 'bind', errno: 'EADDRINUSE' })[0],
    explanation:
      'fork copies every descriptor, and exec keeps those that are not marked close-on-exec. The listening socket belongs to nobody in particular: it lives until the last descriptor for it is closed, and one of them is in `sleep`, which does not know. Its kernel goes on shaking hands and filling the accept queue, so clients connect and wait for a program that will never call accept. SO_REUSEADDR does not help, because the port is not left over from old connections: it is being listened on.',
    remedy:
      'Ask for SOCK_CLOEXEC with every socket and accept4; most runtimes do, C and shells do not, and a library need only forget it once. `sockscope ls --listening` names the process that holds the port: when it is a shell, a helper or an old worker, it was inherited.',
    references: ['execve(2)', 'socket(2), SOCK_CLOEXEC', 'fcntl(2), FD_CLOEXEC', 'bind(2), EADDRINUSE'],
    twin: {
      title: 'The listener is close-on-exec.',
      knobs: { cloexec: true },
      expect: ({ listening, connect, bind, listen }, seen) => [
        is('nothing listens when the server is dead', listening, 0),
        is('a client is refused', connect, 'ECONNREFUSED'),
        is('bind succeeds', bind, null),
        is('listen succeeds', listen, null),
        holds(
          'the helper ran all the same',
          seen.calls({ name: 'execve' }).some(({ result }) => Number(result) > 0),
          `${seen.calls({ name: 'execve' }).length} started`,
        ),
      ],
    },
  },
);
