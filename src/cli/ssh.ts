/** `sockscope ssh`: commands and files over SSH. Only the subcommand that was typed is loaded. */
import type { Command } from 'commander';
import type { Entry } from './entry.ts';

const subcommands: readonly Entry[] = [
  {
    name: 'run',
    summary: 'a command on one host or many, its output and exit status passed on',
    load: () => import('./ssh-run.ts'),
  },
  {
    name: 'copy',
    summary: 'files and directories to a host and from it',
    load: () => import('./ssh-copy.ts'),
  },
];

export function define(command: Command): Command {
  for (const { name, summary } of subcommands) {
    command
      .command(name)
      .summary(summary)
      .description(summary)
      .showHelpAfterError(`(sockscope ssh ${name} --help lists the options)`);
  }
  // commander would show the help of a subcommand that is not loaded: --help loads it.
  return command.helpCommand(false).hook('preSubcommand', async (_group, sub) => {
    const entry = subcommands.find(({ name }) => name === sub.name());
    (await entry?.load())?.define(sub);
  });
}
