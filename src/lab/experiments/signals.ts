/** Three signals that end a server, and what its clients are told. */
import type { Seen } from '../api.ts';
import { is, same } from '../checks.ts';
import { defineExperiment } from '../experiment.ts';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGKILL'] as const;
const REQUEST = 'GET / HTTP/1.1';
const ANSWER = 'HTTP/1.1 204';

export const experiment = defineExperiment(
  { drains: false },
  {
    name: 'signals',
    theme: 'processes',
    asks: 'Ctrl-C, SIGTERM, kill -9: what does each do to the connections?',
    question:
      'A server is ended by Ctrl-C (SIGINT), by a service manager (SIGTERM), and by kill -9. It has one idle client, and one whose request it has not read yet. What do the clients see?',
    answers: {
      a: 'A FIN after SIGINT and SIGTERM; nothing at all after SIGKILL, because the program could not close.',
      b: 'A FIN after SIGINT and SIGTERM; a RST after SIGKILL.',
      c: 'The same after all three: the idle one reads the end, the one with the request is reset.',
      d: 'The answer to the request after SIGTERM: the default is to finish first.',
    },
    answer: 'c',
    seconds: 2,
    async story({ client, server, stage, say }, { drains }) {
      const told: { idle: string; asking: string; exit: string }[] = [];
      for (const [i, signal] of SIGNALS.entries()) {
        const at = `server:${80 + i}`;
        const program = await server.program();
        const listener = await program.listening(`*:${80 + i}`);
        const idle = await client.connected(at);
        const s = await program.accepted(listener);
        const asking = await client.connected(at);
        const t = await program.accepted(listener);
        await client.send(asking, REQUEST);
        await program.poll({ [t]: ['POLLIN'] }, 5000);
        const handled = drains && signal !== 'SIGKILL' ? program.job('signal-handler', { signal }) : null;
        if (handled !== null) {
          await stage.until(
            'the handler',
            (seen) => seen.calls({ pid: program.pid, name: 'rt_sigaction' }).length > 0,
          );
        }

        await say(`${signal}${handled === null ? '.' : ', and the handler finishes what was begun.'}`);
        await program.kill(signal);
        if (handled !== null) {
          await handled;
          await program.close(listener);
          await program.received(t, REQUEST.length);
          await program.send(t, ANSWER);
          await program.close(t);
          await program.close(s);
          await program.exit(0);
        }
        const exit = await program.exited;
        const first = await client.recv(asking);
        told.push({
          idle: outcome(await client.recv(idle)),
          asking: outcome(first),
          exit: exit.signal ?? String(exit.code),
        });
      }
      await stage.settled();
      return { told };
    },
    expect: ({ told }, seen) => [
      same(
        'each signal ended its program',
        told.map(({ exit }) => exit),
        SIGNALS,
      ),
      same(
        'the idle clients read the end',
        told.map(({ idle }) => idle),
        ['the end', 'the end', 'the end'],
      ),
      same(
        'the asking clients are reset',
        told.map(({ asking }) => asking),
        ['ECONNRESET', 'ECONNRESET', 'ECONNRESET'],
      ),
      is('a FIN for each idle one', connectionsWith(seen, 'FA'), SIGNALS.length),
      is('a RST for each asking one', connectionsWith(seen, 'RA'), SIGNALS.length),
      is('and no program called close', seen.calls({ host: 'server', name: 'close' }).length, 0),
    ],
    moment: (_, seen) => seen.calls({ host: 'client', name: 'recv', errno: 'ECONNRESET' })[0],
    explanation:
      'A signal that nobody handles ends the process at once, and closing its descriptors is the kernel’s work, not the program’s: so SIGKILL leaves exactly the same on the wire as Ctrl-C. Each socket is closed as any other: with a FIN, or with a RST when received bytes were not read, because a FIN would claim that all is well. Only a machine that loses its power says nothing. SIGKILL differs in one thing: it cannot be handled, so nobody can finish first.',
    remedy:
      'Handle SIGTERM (and SIGINT): stop accepting, read what has arrived, answer it, close, and exit with 0; `sockscope lab graceful-shutdown` shows the order. Give the service manager enough time before it sends SIGKILL. On the client, treat ECONNRESET and an early end alike, and repeat only what may be repeated.',
    references: ['signal(7)', '_exit(2)', 'RFC 2525 section 2.17', 'RFC 9293 section 3.6.1'],
    twin: {
      title: 'A handler finishes what was begun; SIGKILL never asks it.',
      knobs: { drains: true },
      expect: ({ told }, seen) => [
        same(
          'after SIGINT and SIGTERM the answer comes; after SIGKILL a reset',
          told.map(({ asking }) => asking),
          [ANSWER, ANSWER, 'ECONNRESET'],
        ),
        same(
          'two programs end well',
          told.map(({ exit }) => exit),
          ['0', '0', 'SIGKILL'],
        ),
        is('one RST is left', connectionsWith(seen, 'RA'), 1),
      ],
    },
  },
);

function outcome({ errno, text, result }: { errno: string | null; text: string; result: number }): string {
  return errno ?? (result === 0 ? 'the end' : text);
}

/** A FIN whose acknowledgement is late is sent again: the connections count, not the segments. */
function connectionsWith(seen: Seen, flags: string): number {
  return new Set(seen.packets({ from: 'server', flags }).map(({ connection }) => connection)).size;
}
