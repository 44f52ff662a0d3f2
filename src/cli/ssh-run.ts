/** `sockscope ssh run HOST -- CMD`. */
import type { Command } from 'commander';
import { addSshOptions, gather, milliseconds } from './ssh-flags.ts';
import type { SshRunFlags } from './ssh-run-hosts.ts';

export function define(command: Command): Command {
  return addSshOptions(
    command
      .argument('<hosts>', '[user@]host[:port] or ssh://…; several with commas between them')
      .argument('<command...>', 'behind --')
      .option('--host <host>', 'one more; may be given several times', gather)
      .option('-t, --tty', 'a terminal on the other side')
      .option('--deadline <time>', 'then the command is ended; status 124', milliseconds)
      .option('--json', 'one JSON object per line'),
  )
    .addHelpText('after', EXAMPLES)
    .action(async (hosts: string, words: string[], flags: SshRunFlags) => {
      const { runOnHosts } = await import('./ssh-run-hosts.ts');
      await runOnHosts(hosts, words, flags);
    });
}

const EXAMPLES = `
The words behind -- are joined with spaces and given to the shell of the other side, as ssh does: quote once more what must
stay together there. Standard input is passed on when it is no terminal, or with -t.

Examples:
  sockscope ssh run web1 -- uptime
  sockscope ssh run web1,web2 --host admin@10.0.0.7:2222 -- df -h /     a prefix per line, then a summary
  sockscope ssh run web1 -- 'cd /srv && ls *.log | wc -l'               one word: the other side's shell reads it all
  tar c src | sockscope ssh run web1 -- tar x -C /srv
  sockscope ssh run web1 -t -- htop
  sockscope ssh run web1 --deadline 10s -- ./migrate

Exit status: the command's; 128 and the signal's number; 124 after the deadline; 255 when the host could not be reached, did
not let us in, or the connection was lost. With several hosts the highest of them.
`;
