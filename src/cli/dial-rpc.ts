/** `sockscope dial rpc ADDRESS Method [JSON…]`: a call, and its result. */
import type { Command } from 'commander';
import { processIo } from './dial-io.ts';
import type { RpcFlags } from './dial-rpc-run.ts';

export function define(command: Command): Command {
  return command
    .argument('<address>', 'localhost:1234, unix:/x.sock, tls://h:1234, http://h/path, ws://h/path')
    .argument('[words...]', 'the method, and its arguments as JSON')
    .option('--v1', 'JSON-RPC 1.0, as Go speaks it; the default over a stream')
    .option('--v2', 'JSON-RPC 2.0; the default over HTTP and WebSocket')
    .option('--notify', 'want no answer')
    .option('--batch <file>', 'calls from a file (- is standard input), one on each line: Method JSON')
    .option('--timeout <time>', 'how long to connect, and how long to wait for each answer (10s)')
    .option('--repeat <n>', 'call so often over one connection, and say how long it took')
    .option('-k, --insecure', "do not check the server's certificate")
    .option('--cacert <file>', "who alone may sign the server's certificate (PEM)")
    .option('--json', 'one line of JSON for each answer')
    .option('-s, --silent', 'no times')
    .addHelpText('after', EXAMPLES)
    .action(async (address: string, words: string[], flags: RpcFlags) => {
      const { runRpc } = await import('./dial-rpc-run.ts');
      process.exitCode = await runRpc([address, ...words], flags, processIo());
    });
}

const EXAMPLES = `
Exit code: 0 all calls have results; 1 an error was answered, or nothing; 2 usage.

Examples:
  sockscope dial rpc :1234 Arith.Multiply '{"A":7,"B":8}'
  sockscope dial rpc unix:/tmp/rpc.sock Echo.Echo '"hi"'
  sockscope dial rpc http://localhost:1234/ Arith.Add '{"A":1,"B":2}'
  printf 'Arith.Add {"A":1,"B":2}\\nTime.Now\\n' | sockscope dial rpc :1234 --v2 --batch -
`;
