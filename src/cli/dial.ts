/** `sockscope dial ADDRESS`: one end of a conversation, and what happened to it. Clients of protocols are its subcommands. */
import type { Command } from 'commander';
import type { DialFlags } from './dial-flags.ts';
import type { Entry } from './entry.ts';

/** Clients of protocols; only the one that was typed is loaded. */
const clients: readonly Entry[] = [
  {
    name: 'http',
    summary: 'a request over HTTP, and where its time went (curl)',
    load: () => import('./dial-http.ts'),
  },
  {
    name: 'rpc',
    summary: 'a call over JSON-RPC',
    load: () => import('./dial-rpc.ts'),
  },
  {
    name: 'dns',
    summary: 'a question to a DNS server, over UDP and TCP (dig)',
    load: () => import('./dial-dns.ts'),
  },
];

export function define(command: Command): Command {
  command
    // What stands behind a subcommand is its own: -s means something else to each.
    .enablePositionalOptions()
    .argument(
      '<address>',
      'localhost:8080, :8080, udp://h:53, unix:/x.sock, tls://h:443, telnet://h, ws://h/path',
    )
    .argument('[port]', 'as nc has it: host and port apart')
    .option('-4, --ipv4', 'IPv4 only')
    .option('-6, --ipv6', 'IPv6 only')
    .option('-u, --udp', 'datagrams')
    .option('-U, --unix', 'the address is the path of a UNIX socket')
    .option('-N, --half-close', 'FIN at the end of input; the default')
    .option('--keep-open', 'stay at the end of input, until the peer ends')
    .option('--then-half-close', 'the same as -N')
    .option('--then-close', 'at the end of input close both directions')
    .option('--then-reset', 'at the end of input send RST')
    .option('--linger0', 'closing sends RST (SO_LINGER 0)')
    .option('-q, --quit-after <time>', 'leave so long after the end of input')
    .option('-w, --wait <time>', 'how long to try to connect (10s), and then how long nothing may happen')
    .option('-z, --scan', 'connect, say so, and leave')
    .option('-v, --verbose', 'names, every try, negotiation, ping times')
    .option('-p, --source-port <port>', 'from this port')
    .option('-s, --source <address[:port]>', 'from this address')
    .option('--sockopt <list>', 'socket options: rcvbuf=4096,nodelay; shown as the kernel took them')
    .option('--send <text>', 'say this first; \\r \\n \\t \\0 \\xHH are understood', gather)
    .option('-C, --crlf', 'line ends become CR LF')
    .option('-x, --hex', 'both directions in hex and ASCII')
    .option('--binary', 'ws: messages are bytes, not lines')
    .option('--sni <name>', 'tls: the name to ask for')
    .option('--alpn <list>', 'tls: protocols to offer: h2,http/1.1')
    .option('--ca <file>', "tls: who may sign the server's certificate")
    .option('--insecure', "tls: do not check the server's certificate")
    .option('--cert <file>', 'tls: our certificate (PEM)')
    .option('--key <file>', 'tls: and its key, when it is not in the same file')
    .option('--json', 'one event per line instead of the bytes')
    .addHelpText('after', EXAMPLES)
    .enablePositionalOptions()
    .action(async (address: string, port: string | undefined, flags: DialFlags) => {
      const { runDial } = await import('./dial-run.ts');
      process.exitCode = await runDial(port === undefined ? [address] : [address, port], flags);
    });
  for (const { name, summary } of clients) {
    command
      .command(name)
      .summary(summary)
      .description(summary)
      .showHelpAfterError(`(sockscope dial ${name} --help lists the options)`);
  }
  return command.hook('preSubcommand', async (_group, sub) => {
    const entry = clients.find(({ name }) => name === sub.name());
    (await entry?.load())?.define(sub);
  });
}

function gather(text: string, before: string[] = []): string[] {
  return [...before, text];
}

const EXAMPLES = `
In a pipe it is a filter: standard input goes to the peer and what the peer says to standard output, byte by byte;
everything else is said on standard error. On a terminal Ctrl-D half-closes, Ctrl-C ends.

Exit code: 0 fine; 1 not connected, or reset; 2 usage.

Examples:
  sockscope dial localhost:6379                   type to Redis, line by line
  echo PING | sockscope dial :6379                a filter; FIN is sent at the end of input
  sockscope dial -z :8080                         is anybody there, and over which address?
  sockscope dial tls://example.com:443 --alpn h2  who it is, which TLS, until when
  sockscope dial telnet://host                    with the negotiation done right
  sockscope dial ws://localhost:3000/live         a line is a message
  sockscope dial :8080 --send 'GET / HTTP/1.0\\r\\n\\r\\n' --then-reset
  sockscope dial udp://localhost:53 -x < query.bin
`;
