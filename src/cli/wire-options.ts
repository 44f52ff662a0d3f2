/** The options that `watch` and `open` share, and the view they ask for. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { SockscopeError } from '../errors.ts';
import { decoders, vocabulary } from '../wire/app/decoders.ts';
import { type DisplayFilter, displayFilter } from '../wire/display/filter.ts';

export interface WireFlags {
  messages?: boolean;
  connections?: boolean;
  follow?: number;
  udp?: boolean;
  json?: boolean;
  stats?: boolean;
  fields?: string;
  export?: string;
  top: number;
  count?: number;
  quiet?: boolean;
  verbose?: boolean;
  hex?: boolean;
  hexText?: boolean;
  ascii?: boolean;
  display?: string;
  reveal?: boolean;
}

/** What travels to the thread that draws: plain values only. */
export interface WireWish {
  readonly what: 'packets' | 'messages' | 'connections' | 'stats' | 'follow' | 'fields' | 'har' | 'nothing';
  readonly json: boolean;
  readonly quiet: boolean;
  readonly verbose: boolean;
  readonly bytes: 'none' | 'hex' | 'hex and text' | 'text';
  readonly follow: number;
  readonly followProtocol: 6 | 17;
  readonly fields: readonly string[];
  readonly harFile: string;
  readonly top: number;
  readonly limit: number | null;
  readonly display: string;
  readonly reveal: boolean;
}

export function wireOptions(command: Command): Command {
  return command
    .option('-m, --messages', 'only what was said: requests, replies, how long they took')
    .option('-C, --connections', 'a line for each connection when it ends')
    .option('--stats', 'tables at the end: conversations, top talkers, latencies by command')
    .addOption(
      new Option(
        '--follow <n>',
        'one connection as it was spoken; the number is the # of --connections',
      ).argParser(wholeNumber),
    )
    .option('--udp', 'the number of --follow means a UDP conversation')
    .option('--fields <names>', 'tab-separated columns: ip.src,tcp.dstport,redis.command,latency')
    .option('--json', 'one JSON object per line')
    .addOption(new Option('-c, --count <n>', 'stop after n lines').argParser(wholeNumber))
    .addOption(new Option('--top <n>', 'rows of each table of --stats').argParser(wholeNumber).default(10))
    .option('-q, --quiet', 'shorter lines, no messages')
    .option('-v, --verbose', 'every field of every header, or of every message')
    .option('-x, --hex', 'the bytes of each packet in hex')
    .option('-X, --hex-text', 'the bytes in hex and as text')
    .option('-A, --ascii', 'the payload as text')
    .option('--reveal', 'secrets as they are: passwords, cookies, tokens')
    .addOption(new Option('-n, --numeric').hideHelp())
    .addOption(new Option('--nn').hideHelp());
}

export function wholeNumber(text: string): number {
  if (!/^\d{1,15}$/.test(text)) {
    throw new InvalidArgumentError('It must be a whole number.');
  }
  return Number(text);
}

export function wireWish(flags: WireFlags): WireWish {
  const chosen = [
    flags.messages === true ? 'messages' : null,
    flags.connections === true ? 'connections' : null,
    flags.stats === true ? 'stats' : null,
    flags.follow === undefined ? null : 'follow',
    flags.fields === undefined ? null : 'fields',
    flags.export === undefined ? null : 'har',
  ].filter((what): what is Exclude<typeof what, null> => what !== null) as WireWish['what'][];
  if (chosen.length > 1) {
    throw new SockscopeError(
      'WIRE_VIEW',
      `--${chosen.join(' and --')} are different views.`,
      'Ask for one of them at a time.',
      2,
    );
  }
  const what = chosen[0] ?? 'packets';
  if (flags.json === true && (what === 'follow' || what === 'fields' || what === 'har')) {
    throw new SockscopeError(
      'WIRE_JSON',
      `--json does not go with --${what === 'har' ? 'export' : what}.`,
      'It goes with packets, --messages, --connections and --stats.',
      2,
    );
  }
  if (flags.udp === true && what !== 'follow') {
    throw new SockscopeError(
      'WIRE_UDP',
      '--udp belongs to --follow.',
      'To see only UDP, write the filter: udp',
      2,
    );
  }
  const bytes = flags.hexText === true || flags.hex === true || flags.ascii === true;
  if (bytes && (flags.json === true || (what !== 'packets' && what !== 'follow'))) {
    throw new SockscopeError(
      'WIRE_BYTES',
      `-x, -X and -A show the bytes of packets, and --${flags.json === true ? 'json' : what === 'har' ? 'export' : what} shows none.`,
      'Leave one of them out; --follow shows what one connection said.',
      2,
    );
  }
  return {
    what,
    json: flags.json === true,
    quiet: flags.quiet === true,
    verbose: flags.verbose === true,
    bytes:
      flags.hexText === true
        ? 'hex and text'
        : flags.hex === true
          ? 'hex'
          : flags.ascii === true
            ? 'text'
            : 'none',
    follow: flags.follow ?? -1,
    followProtocol: flags.udp === true ? 17 : 6,
    fields: flags.fields === undefined ? [] : fieldNames(flags.fields),
    harFile: flags.export ?? '',
    top: flags.top,
    limit: flags.count ?? null,
    display: '',
    reveal: flags.reveal === true,
  };
}

function fieldNames(text: string): string[] {
  const names = text.split(',').map((name) => name.trim());
  if (names.some((name) => name === '')) {
    throw new SockscopeError(
      'FIELDS',
      `--fields '${text}' has an empty name.`,
      'Write names with commas between them.',
      2,
    );
  }
  return names;
}

/** The filter of the command line, or null when there is none; throws with a caret under what cannot be read. */
export function readDisplay(text: string): DisplayFilter | null {
  if (text.trim() === '') {
    return null;
  }
  const filter = displayFilter(text, vocabulary(decoders));
  if ('matches' in filter) {
    return filter;
  }
  const shown = text.replace(/[\p{Cc}\p{Zl}\p{Zp}]/gu, ' ');
  throw new SockscopeError(
    'DISPLAY_FILTER',
    `${filter.message}\n  ${shown}\n  ${' '.repeat(filter.at)}${'^'.repeat(Math.max(1, Math.min(filter.length, shown.length - filter.at)))}`,
    `Possible here: ${filter.expected.join(', ')}.`,
    2,
  );
}
