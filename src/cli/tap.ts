/** `sockscope tap`: a proxy that shows what is said through it, and can break it on purpose. */
import { type Command, Option } from 'commander';
import type { TapFlags } from './tap-flags.ts';

export function define(command: Command): Command {
  return command
    .argument(
      '[words...]',
      'TARGET, LISTEN TARGET, or LISTEN=TARGET several times; after --, a program to run inside the tap',
    )
    .option('-l, --listen <address>', 'where to listen: 9999, 127.0.0.1:9999, unix:/x.sock', gather)
    .option('-r, --remote <address>', 'what stands behind it: 6379, localhost:80, unix:/run/x.sock', gather)
    .option('--config <file>', 'taps, rules and faults from JSON or YAML; SIGHUP reads it again')
    .option('-v, --verbose', 'every field of each message; -vv the bytes as well', louder, 0)
    .option('-x, --hex', 'the bytes as well, in hex and ASCII')
    .option('--messages', 'what was said (layer 7); the default')
    .option('--bytes', 'what was sent, chunk by chunk (layer 4)')
    .option('-q, --quiet', 'no lines: on a terminal one live line of statistics')
    .option('--json', 'one event per line')
    .option('--reveal', 'show passwords, tokens and cookies as they are')
    .option('-c, --color', 'colour, also when the output is no terminal')
    .option('-n, --no-nagle', 'send at once (TCP_NODELAY) on both sides; the default')
    .option('--decode <protocol>', 'auto, none (fastest), or a protocol by name', 'auto')
    .option('--match <regex>', 'tell where the bytes match', gather)
    .option('--replace <RE=>TEXT>', 'replace in the bytes, across chunks; up: or down: before it', gather)
    .option('--set <rule>', "change messages: 'http.request.header.x-test=1'", gather)
    .option('--hold <filter>', 'stop matching messages until you let them go, edit or drop them', gather)
    .option('--fault <text>', "break it: 'latency 200ms down', 'reset when redis.command == \"SET\"'", gather)
    .option('--seed <number>', 'of every random choice; the same seed repeats the run')
    .option('--api [address]', "Toxiproxy's control API (default 127.0.0.1:8474)")
    .option('--tls <mode>', 'terminate, originate, both, or peek')
    .addOption(new Option('--unwrap-tls', 'plain here, TLS to the target (as --tls originate)'))
    .option('--insecure', "do not check the target's certificate")
    .option('--server-name <name>', 'the name to ask the target for')
    .option('--tls-cert <file>', 'client certificate for the target (PEM)')
    .option('--tls-key <file>', 'and its key')
    .option('--tls-ca <file>', "who may sign the target's certificate")
    .option('--ca', 'where our certificate authority is, how to trust it and how to remove it')
    .option('--proxy-in', 'clients send a PROXY protocol header')
    .option('--proxy-out <version>', 'send one to the target: 1 or 2')
    .option('--dial-timeout <time>', 'how long a target may take to answer', '10s')
    .option('--sockopt <list>', 'socket options on both sides: rcvbuf=4096,keepidle=5')
    .option('--always-accept', 'accept clients although the target refuses')
    .option('-w, --write <file.pcapng>', 'record, without any privilege; Wireshark opens it')
    .option('--har <file>', 'what HTTP said, as HAR')
    .addHelpText('after', EXAMPLES)
    .action(async (words: string[], flags: TapFlags) => {
      const { runTap } = await import('./tap-run.ts');
      await runTap(words, flags);
    });
}

function gather(text: string, before: string[] = []): string[] {
  return [...before, text];
}

function louder(_: string, before: number): number {
  return before + 1;
}

const EXAMPLES = `
Examples:
  sockscope tap 6379                           127.0.0.1:16379 leads to localhost:6379, every command is shown
  sockscope tap 8080 localhost:3000            listen on 8080 in front of 3000
  sockscope tap 16379=6379 15432=5432          two at once
  sockscope tap 6379 --fault 'latency 200ms'   each reply 200 ms later
  sockscope tap 6379 --fault 'reset when redis.command == "SET" nth 3'
  sockscope tap 3000 --set 'http.request.header.x-test=1' --replace 'down:foo=>bar'
  sockscope tap -- npm test                    a program's own connections, no port edited
`;
