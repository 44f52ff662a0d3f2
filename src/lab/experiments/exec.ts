/** A process becomes another program; its connection is asked whether it comes along. */
import { atLeast, is } from '../checks.ts';
import { defineExperiment } from '../experiment.ts';

/** Answers on a descriptor that it never opened, and says who it is. */
const successor = (fd: number): string =>
  `const s = new (require('node:net').Socket)({ fd: ${fd} }); s.on('data', (d) => s.write(process.pid + ' heard ' + d));`;

export const experiment = defineExperiment(
  { cloexec: false },
  {
    name: 'exec',
    theme: 'processes',
    asks: 'The server becomes another program. What does its client notice?',
    question:
      'A server with an open connection calls execve: the process becomes another program, which has never heard of the client. What does the client notice?',
    answers: {
      a: 'A FIN: exec closes what the old program had open.',
      b: 'A RST: the new program does not know the connection.',
      c: 'Nothing: the new program can read and write it under the old number.',
      d: 'Nothing, but nobody answers any more: the connection belonged to the old process.',
    },
    answer: 'c',
    seconds: 1,
    async story({ client, server, stage, say }, { cloexec }) {
      await say('The two are connected. The server’s listener is close-on-exec.');
      const program = await server.program();
      const listener = await program.listening('*:80');
      const c = await client.connected('server:80');
      const { result: s } = await program.accept(listener, { inherit: !cloexec });
      const answer = client.recv(c);

      await say('The server becomes another program.');
      await program.exec(process.execPath, ['-e', successor(s)]);
      if (!cloexec) {
        await say('The client asks.');
        await client.send(c, 'hello');
      }
      const { text, result } = await answer;
      const { result: d } = await client.socket();
      const connect = await client.connect(d, 'server:80');
      await stage.settled();
      return {
        text,
        read: result,
        pid: program.pid,
        connect: connect.errno,
        closing: stage.seen.packets({ from: 'server', flags: 'FA' }).length,
        states: (await client.sockets()).map(({ state }) => state).join(),
      };
    },
    expect: ({ text, pid, connect, closing, states }, seen) => [
      is('the new program answers on the connection, under the old pid', text, `${pid} heard hello`),
      is('no FIN was sent', closing, 0),
      is('the client is still connected', states, 'ESTABLISHED'),
      is('one connection is all that there was', seen.calls({ name: 'accept4' }).length, 1),
      is('the listener, close-on-exec, is gone', connect, 'ECONNREFUSED'),
    ],
    moment: (_, seen) => seen.calls({ name: 'execve' })[0],
    explanation:
      'execve replaces the program and keeps the process: the pid, the descriptors and what they stand for stay. A connection belongs to the kernel, and a descriptor is only a number for it; what the peer sends in between waits in the socket’s queue. What is marked close-on-exec is closed at that moment, and for the peer it looks like any other close: a FIN, or a RST when data was left unread. Signal handlers are gone after exec, because their code is; ignored signals stay ignored.',
    remedy:
      'Mark what the next program must not have with SOCK_CLOEXEC, and only that: a server that execs its new version hands its listener and its connections over so, by number (systemd’s socket activation and nginx’s binary upgrade do). `sockscope ls` shows the new program’s name beside the old connection.',
    references: ['execve(2)', 'fcntl(2), FD_CLOEXEC', 'accept4(2), SOCK_CLOEXEC', 'sd_listen_fds(3)'],
    twin: {
      title: 'The connection is close-on-exec.',
      knobs: { cloexec: true },
      expect: ({ read, connect, closing }, seen) => [
        is('the client reads the end', read, 0),
        atLeast('a FIN was sent', closing, 1),
        is('nobody called close', seen.calls({ host: 'server', name: 'close' }).length, 0),
        is('the listener is gone too', connect, 'ECONNREFUSED'),
      ],
    },
  },
);
