/** `sockscope ssh copy SRC… DST`. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { SshCopyFlags } from './ssh-copy-run.ts';
import { addSshOptions } from './ssh-flags.ts';

export function define(command: Command): Command {
  addSshOptions(command.argument('<from...>', 'files and folders, and last where to: host:path on one side'));
  // As scp has it: -p keeps times, so the port is -P.
  const port = command.options.find(({ long }) => long === '--port');
  if (port !== undefined) {
    port.short = '-P';
    port.flags = '-P, --port <port>';
  }
  return command
    .option('-r, --recursive', 'folders with everything in them')
    .option('-p, --preserve', 'modes and times')
    .option('--links', 'keep symbolic links; without it what they point to is copied (sftp)')
    .addOption(new Option('--protocol <name>', 'how to copy').choices(['sftp', 'scp']).default('sftp'))
    .option('--resume', 'keep a partial file, and go on where one of the same original ends (sftp)')
    .option('--parallel <files>', 'on their way at once', parallel, 64)
    .option('-v, --verbose', 'a line for each file')
    .option('-q, --quiet', 'only what failed')
    .option('--json', 'one JSON object per line')
    .addHelpText('after', EXAMPLES)
    .action(async (paths: string[], flags: SshCopyFlags) => {
      const { runCopy } = await import('./ssh-copy-run.ts');
      await runCopy(paths, flags);
    });
}

const MOST = 1000;

function parallel(text: string): number {
  const number = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (number < 1 || number > MOST) {
    throw new InvalidArgumentError(`A number from 1 to ${MOST}.`);
  }
  return number;
}

const EXAMPLES = `
A place on a host is host:path, user@host:path or scp://user@host:port/path; a path that does not begin with / begins in the
home folder. *, ? and [] in it are matched on the server with sftp; with scp they are taken as they are.
A file is written under another name (.name.sockscope-…) and renamed when it is complete.

Examples:
  sockscope ssh copy notes.txt web1:
  sockscope ssh copy -rp web1:/srv/app ./backup
  sockscope ssh copy 'web1:/var/log/nginx/*.log' logs/
  sockscope ssh copy --resume disk.img admin@10.0.0.7:/data/       again after it broke: goes on
  sockscope ssh copy --protocol scp router:/etc/config .           a server without SFTP

Exit status: 0 all copied, 1 something was not, 2 usage, 130 stopped with Ctrl-C.
`;
