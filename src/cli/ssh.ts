/** `sockscope ssh`: commands and files over SSH. Only the subcommand that was typed is loaded. */
import type { Command } from 'commander';
import type { Entry } from './commands.ts';

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
  return command.hook('preSubcommand', async (_group, sub) => {
    const entry = subcommands.find(({ name }) => name === sub.name());
    (await entry?.load())?.define(sub);
  });
}
