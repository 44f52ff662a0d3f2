/** `sockscope load KIND TARGET`: many connections and requests, and why it stopped. */
import type { Command } from 'commander';
import { kinds } from '../make/load/kinds.ts';
import type { LoadFlags } from './load-flags.ts';

const collect = (value: string, before: readonly string[]): readonly string[] => [...before, value];

export function define(command: Command): Command {
  return command
    .argument('<kind>', kinds.map(({ name }) => name).join(', '))
    .argument('[target]', 'host:port, or a URL for http')
    .option('-c, --connections <n>', 'connections at a time', '10')
    .option('-d, --duration <time>', 'how long: 10s, 500ms, 2m (10s, or until -n is reached)')
    .option('-n, --requests <n>', 'so many requests in all')
    .option('-R, --rate <n>', 'requests per second, each counted from when it was due')
    .option('-t, --threads <n>', 'threads', '1')
    .option('-p, --pipeline <n>', 'requests on their way on each connection', '1')
    .option('-m, --method <method>', 'http: the method', 'GET')
    .option('-H, --header <name: value>', 'http: a header; may be repeated', collect, [])
    .option('-b, --body <text>', 'http: the body')
    .option('--body-file <file>', 'http: the body, from a file')
    .option('--command <words>', 'redis: GET key; rpc: METHOD PARAMS as JSON; line: the line')
    .option('--size <bytes>', 'tcp, udp: bytes of a request', '64')
    .option('--close-by <side>', 'connect: who closes first, client or server', 'client')
    .option('--no-keepalive', 'a connection for each request')
    .option('--compare', 'twice: over kept connections, and with one for each request')
    .option('--timeout <time>', 'a connect or a request that takes longer is an error', '5s')
    .option(
      '--sockopt <list>',
      'socket options on every connection: nodelay,rcvbuf=4096; shown as the kernel took them',
    )
    .option('--latency', 'the distribution of latencies as well')
    .option('--json', 'one object per line: each second, and the result (times in nanoseconds)')
    .option('--no-live', 'only the result')
    .option('--really', 'connect: on this machine’s own ports; connect and hold: a public target')
    .option('--yes', 'a target that is not this machine’s or a private one')
    .addHelpText(
      'after',
      `\nKinds:\n${kinds.map(({ name, about }) => `  ${name.padEnd(9)}${about}`).join('\n')}\n${EXAMPLES}`,
    )
    .action(async (kind: string, target: string | undefined, flags: LoadFlags) => {
      const { load } = await import('./load-run.ts');
      await load(kind, target, flags);
    });
}

const EXAMPLES = `
Ctrl-C ends it and shows what was found; a second one leaves at once.

Examples:
  sockscope load http http://localhost:8080/ -c 64 -d 10s
  sockscope load http localhost:8080 -R 2000 --latency     at a fixed rate: no coordinated omission
  sockscope load http localhost:8080 --compare             what keeping connections is worth
  sockscope load redis localhost:6379 -p 16 --command 'GET greeting'
  sockscope load rpc localhost:1234 --command 'Arith.Multiply [{"A":7,"B":8}]'
  sockscope load hold localhost:8080 -c 10000              what an idle connection costs
  sockscope load connect                                   use up all ports, where nobody is hurt
`;
