/** `sockscope replay`: a recorded session once more, as the server or as the client. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { ReplayFlags } from './replay-run.ts';
import { wholeNumber } from './wire-options.ts';

export function define(command: Command): Command {
  return command
    .argument(
      '<file>',
      'a pcap or pcapng file, as tap -w, watch -w, tcpdump or Wireshark write it; - reads standard input',
    )
    .argument(
      '[address]',
      'as server: where to listen (the recorded port, or the next free one); as client: whom to ask',
    )
    .addOption(
      new Option(
        '--as <side>',
        'server: answer as the recorded server did; client: ask what the recorded client asked',
      )
        .choices(['server', 'client'])
        .makeOptionMandatory(),
    )
    .option(
      '--stream <number>',
      'only this connection, as open --connections counts them; several times',
      gather,
    )
    .option('--in-order', 'as server: answer in the recorded order, whatever is asked')
    .option(
      '--speed <factor>',
      'of the recorded pauses: 1 as they were, 10 ten times as fast, 0 none (server 1, client 0)',
      factor,
    )
    .option(
      '--ignore <field>',
      'as client: differences that do not count: http.response.header.etag, postgres.*',
      gatherText,
    )
    .option('--json', 'one event per line')
    .option('--reveal', 'show passwords, tokens and cookies as they are')
    .addHelpText('after', EXAMPLES)
    .action(async (file: string, address: string | undefined, flags: ReplayFlags) => {
      const { runReplay } = await import('./replay-run.ts');
      await runReplay(file, address ?? null, flags);
    });
}

function gather(text: string, before: number[] = []): number[] {
  return [...before, wholeNumber(text.replace(/^#/, ''))];
}

function gatherText(text: string, before: string[] = []): string[] {
  return [...before, text];
}

function factor(text: string): number {
  const value = Number(text);
  if (!/^\d+(\.\d+)?$/.test(text) || !Number.isFinite(value)) {
    throw new InvalidArgumentError('It is a number from 0 on.');
  }
  return value;
}

const EXAMPLES = `
Examples:
  sockscope tap 6379 -w session.pcapng                    record first
  sockscope replay session.pcapng --as server             be that Redis: redis-cli gets the recorded replies
  sockscope replay session.pcapng --as server 7000 --speed 0
  sockscope replay session.pcapng --as client 6379        ask the real one again; exit code 1 when its answers differ
  sockscope replay web.pcapng --as client localhost:3000 --ignore http.response.header.etag
`;
