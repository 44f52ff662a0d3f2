/** `sockscope serve KIND`: servers of every kind, which can misbehave on purpose. */
import type { Command } from 'commander';
import { SockscopeError } from '../errors.ts';
import type { AnyKind } from '../make/serve/kind.ts';
import { kinds } from '../make/serve/kinds.ts';
import { nearMisses } from '../session/near.ts';
import type { ServeFlags } from './serve-flags.ts';

const LONGEST_SHOWN = 40;

export async function define(command: Command): Promise<Command> {
  command.usage('KIND [words] [options]').addHelpText('after', EXAMPLES);
  const named = process.argv.slice(process.argv.indexOf('serve') + 1).find((word) => !word.startsWith('-'));
  const last = process.argv.at(-1);
  const asked = named !== 'help' ? named : last === 'help' ? undefined : last;
  for (const { name, about, load } of kinds) {
    const own = command.command(name).summary(about).description(about);
    if (name === asked) {
      defineKind(own, (await load()).kind);
    }
  }
  // Without a kind: what there is.
  command.action((_flags, self: Command) => {
    if (asked !== undefined) {
      throw unknownKind(asked);
    }
    self.outputHelp();
  });
  // What is wrong is the kind, not the options of a kind that there is not.
  return command
    .helpCommand(true)
    .allowExcessArguments()
    .allowUnknownOption(asked !== undefined && kinds.every(({ name }) => name !== asked));
}

function unknownKind(typed: string): SockscopeError {
  const near = nearMisses(
    typed,
    kinds.map(({ name }) => name),
  ).slice(0, 3);
  const shown = typed.length > LONGEST_SHOWN ? `${typed.slice(0, LONGEST_SHOWN)}…` : typed;
  return new SockscopeError(
    'SERVE_KIND',
    `There is no kind of server called ${JSON.stringify(shown)}.`,
    near.length === 0
      ? '`sockscope serve --help` lists them.'
      : `Did you mean ${near.join(' or ')}? \`sockscope serve --help\` lists them.`,
    2,
  );
}

function defineKind(command: Command, kind: AnyKind): void {
  const takesAddress = !kind.words.endsWith('...>');
  command
    .argument('[words...]', `${kind.words}${takesAddress ? ' [address]' : ''}`.trim())
    .usage(`${kind.words}${takesAddress ? ' [address]' : ''} [options]`.trim())
    .showHelpAfterError(`(sockscope serve ${kind.name} --help lists the options)`);
  for (const { flags, about, many } of kind.options) {
    if (many === true) {
      command.option(flags, about, gather);
    } else {
      command.option(flags, about);
    }
  }
  command
    .option('-l, --listen <address>', `8080, :8080, 0.0.0.0:8080, unix:/tmp/x.sock${over(kind)}`)
    .option('--json', 'one event per line')
    .option('-q, --quiet', 'no access lines: on a terminal one live line of statistics')
    .option('--workers <number>', 'threads that share the port (SO_REUSEPORT)', '1')
    .option('--max-connections <number>', 'more than that wait to be accepted')
    .option('--idle-timeout <time>', 'end connections on which nothing happens for so long')
    .option('--max-body <size>', 'the longest body or line of a request')
    .option('--rate <number/s>', 'requests of one client address: 100/s')
    .option('--drain <time>', 'how long to wait for clients at the end', '10s')
    .option('--sockopt <list>', 'socket options by name: nodelay=0,rcvbuf=4096,keepidle=5,user-timeout=2000')
    .option('--show-syscalls', 'socket, bind, listen, accept… as they happen, with their results')
    .option('--leak', 'never close a connection: CLOSE_WAIT and descriptors grow')
    .option('--no-accept', 'listen, and accept nobody')
    .option('--no-read', "read nothing: the client's window closes")
    .option('--slow <rate>', 'answers leave so slowly: 10B/s')
    .option('--close-after <limit>', 'close after so many bytes of answers, or so long: 1kB, 5s, 0')
    .option('--reset-after <limit>', 'the same with RST')
    .option('--half-close', 'send FIN as soon as a connection stands; answer nothing')
    .option('--backlog <number>', 'how many may wait to be accepted')
    .option('--die-after <time>', 'the process is killed after so long, as by kill -9');
  if (kind.tls) {
    command.option('--tls', 'speak TLS, with a certificate of the local authority');
  }
  if (kind.guarded === true) {
    command.option('--yes', 'listen on an address that others can reach');
  }
  command
    .addHelpText('after', `\nExamples:\n${kind.examples.map((line) => `  ${line}\n`).join('')}`)
    .action(async (words: string[], flags: ServeFlags) => {
      const { runServe } = await import('./serve-run.ts');
      await runServe(kind, words, flags);
    });
}

function over(kind: AnyKind): string {
  return kind.over.includes('udp') ? ', udp:8080' : '';
}

function gather(text: string, before: string[] = []): string[] {
  return [...before, text];
}

const EXAMPLES = `
A server listens on 127.0.0.1, on the next free port from its usual one on, unless an address is given.
Ctrl-C drains: nobody new is let in, what was asked is answered, then it ends; a second Ctrl-C leaves at once.

Examples:
  sockscope serve echo                            says where it listens, and how to try it
  sockscope serve hello :8080 --workers 2
  sockscope serve files . --tls
  sockscope serve proxy localhost:3000 --cache 64MB
  sockscope serve line --leak                     watch it with: sockscope limits
  sockscope serve hello --reset-after 100B        a client that must survive it
`;
