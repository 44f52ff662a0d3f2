/** The program. Only the command that was typed is loaded: start-up is a feature. */
import * as module from 'node:module';
import { Command, CommanderError } from 'commander';
import { SockscopeError } from '../errors.ts';
import { commands } from './commands.ts';
import { paint, print } from './output.ts';
import { version } from './version.ts';

interface MaybeCompileCache {
  enableCompileCache?: () => unknown;
}

/** Node ≥ 22.1 keeps compiled code between runs. */
(module as MaybeCompileCache).enableCompileCache?.();

const EXAMPLES = `
Examples:
  sockscope                      an overview of this machine
  sockscope ls :8080             who is on port 8080, both sides
  sockscope ls close-wait        connections that the program forgot to close
  sockscope watch port 5432      packets and, under them, what was said
  sockscope watch -m http        requests and replies with their times
  sockscope open crash.pcapng    the same of a recording
  sockscope tap 6379             a proxy before Redis: every command and reply, or break it
  sockscope tap -- npm test      the same for whatever a program connects to
  sockscope kill :3000           end what listens on port 3000, and say whether the port is free
  sockscope limits               what runs out first
  sockscope addr localhost:3000  why "localhost" is refused
`;

async function program(argv: readonly string[]): Promise<Command> {
  const root = new Command('sockscope');
  root
    .description(
      'See the network connections of this machine, who holds them, what they say, and what is wrong with them.',
    )
    .version(version, '-V, --version')
    .helpOption('-h, --help', 'this help')
    .showHelpAfterError('(sockscope --help lists the commands)')
    .showSuggestionAfterError()
    .enablePositionalOptions()
    .addHelpText('after', EXAMPLES)
    .exitOverride()
    .configureOutput({ writeOut: print });
  const typed = argv.find((word) => !word.startsWith('-'));
  const named = typed === 'help' ? argv[argv.indexOf('help') + 1] : typed;
  for (const { name, summary, load } of commands) {
    const command = root
      .command(name)
      .summary(summary)
      .description(summary)
      .showHelpAfterError(`(sockscope ${name} --help lists the options)`);
    if (name === named) {
      await (await load()).define(command);
    }
  }
  root.action(async (_options, self: Command) => {
    const [unknown] = self.args;
    if (unknown !== undefined) {
      self.error(`error: unknown command '${unknown}'${nearest(unknown)}`);
    }
    await (await import('./overview.ts')).overview();
  });
  root.allowExcessArguments().helpCommand('help [command]', 'the help of a command');
  return root;
}

/** The command that starts alike, for a slip of the finger. */
function nearest(word: string): string {
  const found = commands.find(({ name }) => name[0] === word[0] && Math.abs(name.length - word.length) <= 2);
  return found === undefined ? '' : `\n(Did you mean ${found.name}?)`;
}

async function main(): Promise<void> {
  let argv = process.argv.slice(2);
  if (argv[0] === 'ls') {
    argv = (await import('./ls-words.ts')).lsWords(argv);
  }
  try {
    const root = await program(argv);
    await root.parseAsync(argv, { from: 'user' });
  } catch (error) {
    process.exitCode = report(error);
  }
}

const USAGE = 2;

/** By its name: the live screen is a bundle of its own, with its own copy of the class. */
function isOurs(error: unknown): error is SockscopeError {
  return error instanceof Error && error.name === SockscopeError.name;
}

function report(error: unknown): number {
  if (error instanceof CommanderError) {
    return error.exitCode === 0 ? 0 : USAGE;
  }
  if (isOurs(error)) {
    process.stderr.write(`${paint.bold('sockscope:')} ${error.message}\n${error.hint}\n`);
    return error.exit;
  }
  process.stderr.write(
    `sockscope: this is a bug, please report it.\n${error instanceof Error ? error.stack : String(error)}\n`,
  );
  return 70;
}

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') {
    process.exit(0);
  }
  throw error;
});

// Everything was written synchronously by then. Leaving at once spares Node the orderly teardown of its heap: 15 ms.
main().then(() => process.exit());
