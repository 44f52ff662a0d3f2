/** `sockscope run -- CMD`: a program's system calls on sockets, the states and the packets of its connections. */
import type { Command } from 'commander';
import type { RunFlags } from './run-run.ts';

export function define(command: Command): Command {
  return command
    .argument('<command...>', 'a program and its arguments, behind --')
    .option('--json', 'one event per line, on standard error as well')
    .option('-w, --write <file.pcapng>', 'record packets, calls and states: Wireshark opens it')
    .addHelpText('after', EXAMPLES)
    .action(async (words: string[], flags: RunFlags) => {
      const { runProgram } = await import('./run-run.ts');
      await runProgram(words, flags);
    });
}

const EXAMPLES = `
The program keeps its terminal, input and output; what is seen goes to standard error. Its exit status is ours.
Tracing makes each of its system calls slower by some microseconds.

Examples:
  sockscope run -- curl -s http://localhost:8080/
  sockscope run -- curl -s http://localhost:8080/ | jq    our lines are not in the pipe
  sockscope run -- sh -c 'nc -z localhost 22 && echo open'
  sockscope run --json -- python3 client.py 2>calls.ndjson
`;
