/** `sockscope dial http URL`: a request, and where its time went. */
import type { Command } from 'commander';
import type { HttpFlags } from './dial-http-flags.ts';
import { processIo } from './dial-io.ts';

export function define(command: Command): Command {
  return command
    .argument('[urls...]', 'http://localhost:8080/path; without a scheme it is http; several with -I')
    .option('-X, --method <word>', 'the method; otherwise GET, or POST with a body')
    .option('-H, --header <line>', "'Name: value'; 'Name:' leaves one out, 'Name;' sends it empty", gather)
    .option('-d, --data <text>', 'the body, as a form: text, @file or @- ; several are joined by &', gather)
    .option('--json-body <text>', 'the body, as JSON')
    .option('-I, --head', 'HEAD: the head alone; with several addresses a check of them all')
    .option('--urls <file>', 'with -I: a file with an address on each line')
    .option('-i, --include', 'the head of the answer before its body')
    .option('-o, --output <file>', 'the body into a file, which is there whole or not at all')
    .option('-L, --location', 'follow redirects')
    .option('--max-redirects <n>', 'so many at most (10)')
    .option('-f, --fail', 'exit code 1 and no body for a status from 400 on')
    .option('-k, --insecure', "do not check the server's certificate")
    .option('--cacert <file>', "who alone may sign the server's certificate (PEM)")
    .option('--cert <file>', 'our certificate (PEM)')
    .option('--key <file>', 'and its key, when it is not in the same file')
    .option('--http1.1', 'HTTP/1.1 and nothing else')
    .option('--http2', 'HTTP/2 where the server agrees; the default with https')
    .option('--http2-prior-knowledge', 'HTTP/2 from the first byte')
    .option('-4, --ipv4', 'IPv4 only')
    .option('-6, --ipv6', 'IPv6 only')
    .option('--resolve <host:port:addr>', 'this is the address of that name', gather)
    .option('--unix-socket <path>', 'over a UNIX socket')
    .option('-u, --user <user:pass>', 'basic authentication')
    .option('-x, --proxy <url>', 'through this proxy: CONNECT for https, absolute form for http')
    .option('--compressed', 'ask for gzip, deflate or br, and undo it')
    .option('-A, --user-agent <text>', 'who we say we are (sockscope)')
    .option('-e, --referer <url>', 'where we say we come from')
    .option('-b, --cookie <name=value>', 'cookies')
    .option('--repeat <n>', 'ask so often, one after the other')
    .option('--no-keepalive', 'a new connection each time')
    .option('--timeout <time>', 'for the whole, redirects included: 10s')
    .option('--resolve-timeout <time>', 'for the name')
    .option('--connect-timeout <time>', 'for the connection')
    .option('--tls-timeout <time>', 'for the TLS handshake')
    .option('--first-byte-timeout <time>', 'from the end of the request to the first byte of the answer')
    .option('--body-timeout <time>', 'from there to its end')
    .option('--sockopt <list>', 'socket options: rcvbuf=4096,nodelay; shown as the kernel takes them')
    .option('--json', 'an event per line instead of the body')
    .option('-s, --silent', 'say nothing but errors')
    .option('-v, --verbose', 'the phases of every hop and every repetition')
    .addHelpText('after', EXAMPLES)
    .action(async (urls: string[], flags: HttpFlags) => {
      const { runHttp } = await import('./dial-http-run.ts');
      process.exitCode = await runHttp(urls, flags, processIo());
    });
}

function gather(text: string, before: string[] = []): string[] {
  return [...before, text];
}

const EXAMPLES = `
The body goes to standard output, everything else to standard error.

Exit code: 0 answered; 1 not answered, or with --fail a status from 400 on; 2 usage.

Examples:
  sockscope dial http :8080/                             where the time goes
  sockscope dial http https://localhost:8443/ -L -v      every hop, and what is stripped on the way
  sockscope dial http :8080/ --json-body '{"a":1}'       POST
  sockscope dial http :8080/slow --first-byte-timeout 2s
  sockscope dial http :8080/ --repeat 20                 what keeping the connection is worth
  sockscope dial http -I --urls list.txt                 a check of many addresses
`;
