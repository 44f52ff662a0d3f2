/** `sockscope open`: a capture file, seen as packets, messages, connections, fields or statistics. */
import type { Command } from 'commander';
import { type WireFlags, wireOptions, wireWish } from './wire-options.ts';

export function define(command: Command): Command {
  command
    .argument('<file>', 'a pcap or pcapng file; - reads standard input')
    .argument(
      '[filter...]',
      'which packets or messages: tcp.port == 443, http.status >= 500, note:retransmission; or tcpdump words',
    );
  return wireOptions(command)
    .option('--export <file.har>', 'HTTP requests and replies as an HTTP Archive')
    .option('-w, --write <file.pcapng>', 'write the packets that match into a new file')
    .addHelpText('after', EXAMPLES)
    .action(async (file: string, words: string[], flags: WireFlags & { write?: string }) => {
      const { runOpen } = await import('./open-run.ts');
      await runOpen(file, words.join(' '), wireWish(flags), flags.write ?? null);
    });
}

const EXAMPLES = `
Examples:
  sockscope open traffic.pcapng                       packets, and what was said below them
  sockscope open traffic.pcapng --messages 'latency > 20ms'
  sockscope open traffic.pcapng --connections
  sockscope open traffic.pcapng --follow 3            what connection #3 said, both ways
  sockscope open traffic.pcapng --stats
  sockscope open traffic.pcapng --fields ip.src,tcp.dstport,http.path http
  sockscope open traffic.pcapng --export pages.har
  tcpdump -w - -c 100 | sockscope open -
`;
