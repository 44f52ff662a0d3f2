/** `sockscope run -- CMD`: a program's system calls on sockets, and the states of its connections. */
import type { Command } from 'commander';

export function define(command: Command): Command {
  return command
    .argument('<command...>', 'a program and its arguments, behind --')
    .option('--json', 'one event per line, on standard error as well')
    .addHelpText('after', EXAMPLES)
    .action(async (words: string[], flags: { readonly json?: boolean }) => {
      const { runProgram } = await import('./run-run.ts');
      await runProgram(words, flags.json === true);
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
