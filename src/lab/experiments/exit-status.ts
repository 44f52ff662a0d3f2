/** How a program ended: what its parent is told, what a shell makes of it, and what the peer sees. */

import type { Host, Seen } from '../api.ts';
import { is, same } from '../checks.ts';
import { defineExperiment } from '../experiment.ts';

/** What `$?` is after each. The inner shell is the program, the outer one tells. */
const ENDINGS = {
  'exit 0': 'exit 0',
  'exit 3': 'exit 3',
  'exit 259': 'exit 259',
  'killed by 9': 'kill -9 $$',
  'exit 137': 'exit 137',
  'not executable': 'exec /dev/null',
  'not there': 'exec /no/such/program',
} as const;

export const experiment = defineExperiment(
  { handler: false },
  {
    name: 'exit-status',
    theme: 'processes',
    asks: '137: how did that program end?',
    question:
      'A shell (or a container) says that a program ended with 137, and its peer saw the connection end. What has happened?',
    answers: {
      a: 'The program called exit(137): it is its own error code, see its documentation.',
      b: 'Most likely signal 9 ended it: the shell says 128 + 9. The peer cannot tell that from a normal end.',
      c: 'It crashed, and the peer saw a RST for that reason.',
      d: 'Signal 9 ended it, and the kernel told the peer so.',
    },
    answer: 'b',
    seconds: 1,
    async story({ client, server, stage, say }, { handler }) {
      await say('Three programs with a connection each: one exits with 0, one with 3, one is killed.');
      const exits: string[] = [];
      const reads: number[] = [];
      for (const [i, how] of (['0', '3', 'SIGKILL'] as const).entries()) {
        const program = await server.program();
        const listener = await program.listening(`*:${80 + i}`);
        const c = await client.connected(`server:${80 + i}`);
        await program.accepted(listener);
        await (how === 'SIGKILL' ? program.kill(how) : program.exit(Number(how)));
        const { code, signal } = await program.exited;
        exits.push(signal ?? String(code));
        reads.push((await client.recv(c)).result);
      }
      await stage.settled();

      await say('A shell is asked the same.');
      const said: Record<string, number> = {};
      for (const [name, ending] of Object.entries(ENDINGS)) {
        said[name] = await status(server, ending);
      }
      await say('SIGTERM, as service managers send it.');
      const term = await status(server, `${handler ? "trap 'exit 0' TERM; " : ''}kill -15 $$; exit 1`);
      return { exits, reads, said, term };
    },
    expect: ({ exits, reads, said, term }, seen) => [
      same('a parent is told which it was', exits, ['0', '3', 'SIGKILL']),
      same('the peer reads the same end of all three', reads, [0, 0, 0]),
      is('each was sent a FIN', connectionsWith(seen, 'FA'), 3),
      is('and none a RST', connectionsWith(seen, 'RA'), 0),
      is('a shell says 137 of signal 9', said['killed by 9'], 137),
      is('and 137 of exit(137)', said['exit 137'], 137),
      is('143 of signal 15', term, 143),
      is('126: found and not executable', said['not executable'], 126),
      is('127: not found', said['not there'], 127),
      is('exit(259) is 3: eight bits are kept', said['exit 259'], 3),
    ],
    moment: (_, seen) => seen.packets({ from: 'server', flags: 'FA' })[2],
    explanation:
      'A parent is told by waitpid either an exit status of eight bits, or the signal that ended its child: two different things. A shell has one number for both and says 128 + the signal: 137 is 128 + 9, 143 is 128 + 15. A program that calls exit(137) looks just like it. 126 and 127 come from the shell itself, which found the program not executable, or not at all. The peer is told nothing of this: the kernel closes the descriptors of every process that ends, however it ended, and sends the same FIN.',
    remedy:
      'For 137, look who sends SIGKILL: the kernel when memory is short (`dmesg`, the OOM killer), or a service manager whose patience with SIGTERM ended. For 143, nobody handled SIGTERM: install a handler that finishes and exits with 0. Tell the peer in your protocol that an answer is complete, because the end of the stream does not.',
    references: ['wait(2)', 'exit(3)', 'bash(1), EXIT STATUS', 'RFC 9293 section 3.6'],
    twin: {
      title: 'The program handles SIGTERM, and exits with 0.',
      knobs: { handler: true },
      expect: ({ said, term }) => [
        is('SIGTERM ends it with 0', term, 0),
        is('SIGKILL cannot be handled', said['killed by 9'], 137),
      ],
    },
  },
);

async function status(host: Host, program: string): Promise<number> {
  const shell = await host.start('sh', ['-c', 'sh -c "$0"; echo "status $?"', program]);
  const told = await shell.prints(/status \d+/);
  await shell.exited;
  return Number(/status (\d+)/.exec(told)?.[1]);
}

/** A FIN whose acknowledgement is late is sent again: the connections count, not the segments. */
function connectionsWith(seen: Seen, flags: string): number {
  return new Set(seen.packets({ from: 'server', flags }).map(({ connection }) => connection)).size;
}
