/** `sockscope watch`: packets as they cross this machine's interfaces. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { SockscopeError } from '../errors.ts';
import type { WatchFlags } from './watch-order.ts';
import { wholeNumber, wireOptions, wireWish } from './wire-options.ts';

/** As tcpdump: larger than any packet. */
const WHOLE = 262_144;
const BUFFER_MIB = 32;
const BLOCK_MS = 10;

export function define(command: Command): Command {
  command.argument(
    '[filter...]',
    "tcpdump's words (port 5432 and host 10.0.0.1), run in the kernel; or what messages say: http.status >= 500",
  );
  return wireOptions(command)
    .option('-i, --interface <name>', 'an interface, several with commas, or any (the default)', gather)
    .option('-D, --list-interfaces', 'the interfaces there are')
    .option('-w, --write <file.pcapng>', 'record: Wireshark opens it, and so does sockscope open')
    .option('--live', 'a screen: connections, packets, bytes; keys to pause, filter and follow')
    .option(
      '--lanes',
      'running programs: their calls, the states of their connections and the packets, side by side',
    )
    .option('--no-owners', 'do not look up which program holds each end')
    .option('--promiscuous', 'also what is meant for others (tcpdump does that unless told not to, with -p)')
    .addOption(new Option('-p, --no-promiscuous-mode').hideHelp())
    .addOption(new Option('-l, --line-buffered').hideHelp())
    .addOption(new Option('-U, --packet-buffered').hideHelp())
    .addOption(
      new Option('-s, --snaplen <bytes>', 'keep so much of each packet').argParser(snapLength).default(WHOLE),
    )
    .addOption(
      new Option('-B, --buffer <MiB>', 'memory for packets that wait, per interface')
        .argParser(bufferSize)
        .default(BUFFER_MIB),
    )
    .addOption(
      new Option('--block-timeout <ms>', 'how long the kernel may gather packets before we see them')
        .argParser(wholeNumber)
        .default(BLOCK_MS),
    )
    .addOption(new Option('--export <file>').hideHelp())
    .addHelpText('after', EXAMPLES)
    .action(async (words: string[], flags: WatchFlags) => {
      if (flags.lanes === true) {
        const { runWatchLanes } = await import('./watch-lanes.ts');
        return runWatchLanes(words, flags);
      }
      const { listInterfaces, runWatch } = await import('./watch-run.ts');
      if (flags.listInterfaces === true) {
        return listInterfaces();
      }
      if (flags.export !== undefined) {
        throw new SockscopeError(
          'WATCH_EXPORT',
          '--export works on files.',
          'Record with -w, then open it.',
          2,
        );
      }
      await runWatch(words.join(' '), wireWish(flags), flags);
    });
}

const MOST_MIB = 1024;

function bufferSize(text: string): number {
  const size = wholeNumber(text);
  if (size < 4 || size > MOST_MIB) {
    throw new InvalidArgumentError(`It must be between 4 and ${MOST_MIB}.`);
  }
  return size;
}

/** 0 stands for everything, as in tcpdump. */
function snapLength(text: string): number {
  return wholeNumber(text) || WHOLE;
}

function gather(text: string, before: string[] = []): string[] {
  return [...before, ...text.split(',').filter((name) => name !== '')];
}

const EXAMPLES = `
Examples:
  sockscope watch port 5432                    packets, and under them what was said
  sockscope watch --messages 'latency > 20ms'  only slow answers, of every protocol we read
  sockscope watch -m redis                     every Redis command and reply
  sockscope watch --connections                how each connection ended, and who ended it
  sockscope watch -i lo -w crash.pcapng        record; open it later with sockscope open
  sockscope watch note:retransmission
  sockscope watch --lanes :8080                what both programs call, their kernels think, and what crosses
  sockscope watch --lanes pid:1234             one program; here the words are those of sockscope ls

--lanes traces the programs that match (ptrace), both ends of a connection when both are here, and those that come
later. It lets them go when it ends; they go on. Without a match it waits for one.
`;
