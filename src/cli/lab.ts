/** `sockscope lab`: experiments that make connections fail on purpose, on real kernels. */
import type { Command } from 'commander';
import type { LabFlags } from './lab-flags.ts';

export function define(command: Command): Command {
  return command
    .argument('[names...]', 'experiments, one after the other; `all` is every one of them')
    .option('--twin', 'the healthy twin: the same story with the remedy')
    .option('--predict <letter>', 'your answer, without being asked')
    .option('--no-ask', 'do not ask for a prediction')
    .option('--explain-only', 'question, answer and explanation; nothing is run')
    .option('--grep <word>', 'only experiments that speak of it')
    .option('--steps', 'wait for Enter before each step')
    .option('--speed <factor>', 'draw afterwards: 1 as fast as it was, 0.1 ten times slower, 0 at once')
    .option('--set <name=value>', 'a knob of the experiment, or a sysctl of every host', gather)
    .option('--seed <number>', 'of every random choice of the wire', '1')
    .option('--json', 'one event per line, then the outcome')
    .option('-w, --write <file.pcapng>', 'record packets, system calls and states; Wireshark opens it')
    .addHelpText('after', EXAMPLES)
    .action(async (names: string[], flags: LabFlags) => {
      const { runLab } = await import('./lab-run.ts');
      await runLab(names, flags);
    });
}

function gather(text: string, before: string[] = []): string[] {
  return [...before, text];
}

const EXAMPLES = `
Examples:
  sockscope lab                            every experiment, by theme
  sockscope lab close-wait                 what do you expect? then see it happen, and why
  sockscope lab close-wait --twin          the same, done right
  sockscope lab close-wait --steps         one step at a time
  sockscope lab close-wait --speed 0.1     drawn ten times slower
  sockscope lab --grep TIME-WAIT           the experiments that speak of it
  sockscope lab puzzler-2 --set tcp_retries2=5
  sockscope lab handshake -w h.pcapng      system calls and states between Wireshark's packets
  sockscope lab all                        a self-test of every experiment and its twin

Nothing outside is touched: the hosts live in namespaces of their own and are gone afterwards.
Exit status: 0 as it should be, 1 something else was seen, 2 usage, 3 not possible here.
`;
