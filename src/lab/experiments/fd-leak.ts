/** A server that never closes runs out of descriptors; its kernel goes on saying yes. */
import { atLeast, is, same } from '../checks.ts';
import { defineExperiment } from '../experiment.ts';

const LIMIT = 64;
const CLIENTS = 64;
const REQUEST = 'GET / HTTP/1.1';
const ANSWER = 'HTTP/1.1 204';

interface Told {
  readonly accept: string | null;
  readonly sent: number;
  readonly leaked: number;
  /** What arrived, at the server late or at the client. */
  readonly text: string;
  readonly stuck?: {
    readonly again: string | null;
    readonly ready: number;
    readonly waiting: boolean;
    readonly queued: number | undefined;
    readonly states: readonly string[];
    readonly ended: number;
  };
}

export const experiment = defineExperiment(
  { closes: false },
  {
    name: 'fd-leak',
    theme: 'processes',
    asks: 'A server has run out of descriptors. What does its next client see?',
    question:
      'A server reads the end of each connection and forgets to close its socket, until it has as many descriptors as it may have. What does the next client see?',
    answers: {
      a: 'ECONNREFUSED: the server’s accept fails, so the connection is refused.',
      b: 'ECONNRESET: the kernel throws away what the server cannot take.',
      c: 'A connect that hangs until the server has a descriptor again.',
      d: 'Nothing wrong: it connects, its request is acknowledged, and no answer comes.',
    },
    answer: 'd',
    seconds: 1,
    shortened: `${LIMIT} descriptors stand for the usual 1 024.`,
    async story({ client, server, stage, say, waits }, { closes }): Promise<Told> {
      const listener = await server.listening('*:80');
      await server.setrlimit('NOFILE', LIMIT);

      await say(`Clients come and go. The server reads the end of each${closes ? ', and closes.' : ' …'}`);
      const kept: number[] = [];
      let c = await client.connected('server:80');
      let accept = await server.accept(listener);
      for (let i = 1; i < CLIENTS && accept.errno === null; i++) {
        await client.close(c);
        await server.recv(accept.result);
        if (closes) {
          await server.close(accept.result);
        } else {
          kept.push(accept.result);
        }
        c = await client.connected('server:80');
        accept = await server.accept(listener);
      }

      await say('The last one sends its request.');
      const sent = await client.send(c, REQUEST);
      const answer = client.recv(c);
      const plain = { accept: accept.errno, sent: sent.result, leaked: kept.length };
      if (accept.errno === null) {
        await server.recv(accept.result);
        await server.send(accept.result, ANSWER);
        return { ...plain, text: (await answer).text };
      }
      await stage.settled();
      const { connection } = stage.seen.calls({ host: 'client', name: 'send' }).at(-1) ?? {};
      await stage.until('the acknowledgement of the request', (seen) =>
        seen
          .packets({ from: 'server', flags: 'A', since: sent.at })
          .some((packet) => packet.connection === connection),
      );
      const ready = await server.poll({ [listener]: ['POLLIN'] }, 5000);
      const again = await server.accept(listener);
      const waiting = await waits(answer, 300);
      await stage.settled();
      const until = stage.seen.end;
      const queue = (await server.sockets()).filter(({ state }) => state === 'LISTEN');

      await say('The server closes one of those that it had forgotten, and accepts.');
      await server.close(kept[0]!);
      const s = await server.accepted(listener);
      const { text } = await server.received(s, REQUEST.length);
      await server.send(s, ANSWER);
      await answer;
      const states = (['client', 'server'] as const).map(
        (host) => stage.seen.states(host, connection).at(-1) ?? '',
      );
      const ended = ['FA', 'R', 'RA'].flatMap((flags) =>
        stage.seen.packets({ from: 'server', flags, until }),
      ).length;
      return {
        ...plain,
        text,
        stuck: {
          again: again.errno,
          ready: ready.result,
          waiting,
          queued: queue[0]?.accept?.used,
          states,
          ended,
        },
      };
    },
    expect: ({ accept, sent, leaked, text, stuck }) => [
      is('accept fails', accept, 'EMFILE'),
      atLeast('because of sockets that nobody closed', leaked, 1),
      is('the kernel took the client’s request', sent, REQUEST.length),
      same('both ends are connected', stuck?.states ?? [], ['ESTABLISHED', 'ESTABLISHED']),
      is('the connection waits in the accept queue', stuck?.queued, 1),
      is('poll goes on saying that the listener is ready', stuck?.ready, 1),
      is('and accept fails again', stuck?.again, 'EMFILE'),
      is('the client waits', stuck?.waiting, true),
      is('the server sent neither FIN nor RST', stuck?.ended, 0),
      is('after one close, the request is there', text, REQUEST),
    ],
    moment: (_, seen) => seen.calls({ host: 'server', name: 'accept4', errno: 'EMFILE' })[0],
    explanation:
      'The kernel makes connections, not the program: it shakes hands, acknowledges data and queues the connection for accept, all without a descriptor. accept takes the descriptor first, fails with EMFILE, and leaves the connection in the queue, so that nothing is lost and nobody is told. The client sees a healthy connection that never answers; only its own timeout helps it. A server that waits with poll or epoll is told again and again that the listener is ready, and burns a whole core in the loop.',
    remedy:
      'Close in every path; the CLOSE_WAIT sockets of `sockscope ls state close-wait` are the leak, and `sockscope limits` shows how many descriptors a process has left. When accept says EMFILE, stop watching the listener until something was closed, or keep one spare descriptor to accept and close with. A higher ulimit only postpones it.',
    references: ['accept(2), EMFILE', 'getrlimit(2), RLIMIT_NOFILE', 'listen(2)'],
    twin: {
      title: 'The server closes each socket when it has read the end.',
      knobs: { closes: true },
      expect: ({ accept, leaked, text }, seen) => [
        is(`accept succeeds for client ${CLIENTS}`, accept, null),
        is('nothing is kept', leaked, 0),
        is('no accept ever failed', seen.calls({ name: 'accept4', errno: 'EMFILE' }).length, 0),
        is('the client has its answer', text, ANSWER),
      ],
    },
  },
);
