/** `sockscope ls`: reads the options, asks see/, lets view/ write. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { SockscopeError } from '../errors.ts';
import { and, type Filter, filterError, namesStates, parseFilter, parseLsof } from '../see/filter/index.ts';
import { PROTOCOLS, type Protocol, TCP_STATES } from '../session/socket.ts';
import { COUNT_KEYS, parseSort, SORT_KEYS, type SortKey } from '../view/groups.ts';
import { runLs } from './ls-run.ts';
import type { Wish } from './ls-wish.ts';

const LISTENING = (1 << TCP_STATES.indexOf('LISTEN')) | (1 << TCP_STATES.indexOf('CLOSED'));

interface Flags {
  tcp?: boolean;
  udp?: boolean;
  unix?: boolean;
  raw?: boolean;
  ipv4?: boolean;
  ipv6?: boolean;
  listening?: boolean;
  processes?: boolean;
  owners: boolean;
  options?: boolean;
  info?: boolean;
  memory?: boolean;
  extended?: boolean;
  summary?: boolean;
  header: boolean;
  json?: boolean;
  csv?: boolean;
  format?: string;
  template?: string;
  sort?: SortKey[];
  top?: number;
  countBy?: string;
  pairs?: boolean;
  netns?: string;
  watch?: number | true;
  events?: boolean;
  lsof?: string[];
}

const DEFAULT_WATCH = 1;

export function define(command: Command): Command {
  return command
    .argument(
      '[filter...]',
      'ss, lsof or short words: :8080, node, pid:1234, close-wait, "dport = :443 and not dst 10.0.0.0/8"',
    )
    .option('-t, --tcp', 'TCP sockets')
    .option('-u, --udp', 'UDP (and UDP-Lite) sockets')
    .option('-x, --unix', 'UNIX sockets')
    .option('-w, --raw', 'RAW sockets')
    .option('-4, --ipv4', 'IPv4 only')
    .option('-6, --ipv6', 'IPv6 only')
    .option('-l, --listening', 'only what waits for connections or datagrams')
    .option('-a, --all', 'everything, which is the default here')
    .option('-n, --numeric', 'no names for ports, which is the default here')
    .option('-p, --processes', 'owners, however many descriptors must be read for them')
    .option('--no-owners', 'no owner column')
    .option('-o, --options', 'timers')
    .option('-i, --info', 'TCP internals: rtt, cwnd, retransmits, rates')
    .option('-m, --memory', 'buffers')
    .option('-e, --extended', 'uid, inode, cookie, cgroup, device, mark')
    .option('-s, --summary', 'counts only')
    .option('-H, --no-header', 'no heading')
    .option('--pairs', 'both ends of a connection on this machine on one row')
    .option('--netns <which>', 'all, a name, a pid or an inode')
    .addOption(
      new Option('--sort <keys>', `${Object.keys(SORT_KEYS).join(', ')}; -key is descending`).argParser(
        sortArgument,
      ),
    )
    .addOption(new Option('--top <n>', 'the first n rows').argParser(countArgument))
    .addOption(new Option('--count-by <key>', 'how many of each').choices(Object.keys(COUNT_KEYS)))
    .option('--json', 'one JSON object per line')
    .option('--csv', 'comma separated')
    .option('--format <text>', "a Liquid template per row: '{{ local.port }} {{ state | downcase }}'")
    .option('--template <file>', 'a Liquid template over all rows')
    .option('-E, --events', 'sockets as they end, until Ctrl-C')
    .addOption(new Option('--watch [seconds]', 'a live screen').argParser(secondsArgument))
    .addOption(new Option('--lsof <spec>').argParser(gather).hideHelp())
    .addHelpText('after', EXAMPLES)
    .action(async (words: string[], flags: Flags) => runLs(wish(words, flags)));
}

const EXAMPLES = `
Examples:
  sockscope ls :5432                        both sides of port 5432
  sockscope ls -tlp                         TCP listeners and their programs
  sockscope ls close-wait --count-by program
  sockscope ls -o state established '( dport = :ssh or sport = :ssh )'
  sockscope ls -iTCP:8000-8999 -sTCP:LISTEN
  sockscope ls --pairs node                 client → server, one row for each connection
  sockscope ls --json time-wait | jq .peer.port
`;

function wish(words: string[], flags: Flags): Wish {
  const outputs = [flags.json, flags.csv, flags.format, flags.template].filter(
    (value) => value !== undefined,
  );
  if (outputs.length > 1) {
    throw new SockscopeError(
      'LS_OUTPUT',
      '--json, --csv, --format and --template exclude each other.',
      'Give one of them.',
      2,
    );
  }
  const families: (4 | 6)[] = flags.ipv4 === flags.ipv6 ? [4, 6] : flags.ipv4 ? [4] : [6];
  const fixedFilter = lsofFilter(flags.lsof ?? []);
  const asked = and(wordsFilter(words), fixedFilter);
  return {
    protocols: protocols(flags),
    families,
    // As with ss: states that are named replace -l.
    states: flags.listening === true && (asked === null || !namesStates(asked)) ? LISTENING : undefined,
    filter: asked,
    fixedFilter,
    filterText: words.join(' '),
    owners: flags.processes === true ? 'always' : flags.owners ? 'auto' : 'never',
    timers: flags.options === true,
    info: flags.info === true,
    memory: flags.memory === true,
    extended: flags.extended === true,
    summary: flags.summary === true,
    header: flags.header,
    output:
      flags.format !== undefined
        ? { format: flags.format }
        : flags.template !== undefined
          ? { template: flags.template }
          : flags.json === true
            ? 'json'
            : flags.csv === true
              ? 'csv'
              : 'table',
    sort: flags.sort ?? [],
    top: flags.top ?? null,
    countBy: flags.countBy ?? null,
    pairs: flags.pairs === true,
    events: flags.events === true,
    netns: flags.netns ?? null,
    watchSeconds: flags.watch === undefined ? null : flags.watch === true ? DEFAULT_WATCH : flags.watch,
  };
}

/** As with ss: naming a family of addresses leaves UNIX sockets out. */
function protocols(flags: Flags): Protocol[] {
  const named: Protocol[] = [];
  if (flags.tcp) {
    named.push('tcp');
  }
  if (flags.udp) {
    named.push('udp', 'udplite');
  }
  if (flags.raw) {
    named.push('raw');
  }
  if (flags.unix) {
    named.push('unix');
  }
  if (named.length > 0) {
    return named;
  }
  return PROTOCOLS.filter((protocol) => protocol !== 'unix' || (!flags.ipv4 && !flags.ipv6));
}

function wordsFilter(words: string[]): Filter | null {
  const parsed = parseFilter(words);
  if (!parsed.ok) {
    throw filterError(parsed);
  }
  return parsed.filter;
}

function lsofFilter(specs: readonly string[]): Filter | null {
  if (specs.length === 0) {
    return null;
  }
  const parsed = parseLsof(specs.map((spec) => `-${spec}`));
  if (!parsed.ok) {
    throw filterError(parsed);
  }
  return parsed.filter;
}

function sortArgument(text: string): SortKey[] {
  const keys = parseSort(text);
  if ('unknown' in keys) {
    throw new InvalidArgumentError(
      `'${keys.unknown}' is no column. Possible: ${Object.keys(SORT_KEYS).join(', ')}.`,
    );
  }
  return keys;
}

function countArgument(text: string): number {
  if (!/^\d+$/.test(text)) {
    throw new InvalidArgumentError('It must be a whole number.');
  }
  return Number(text);
}

const SHORTEST_WATCH = 0.1;

function secondsArgument(text: string): number {
  const seconds = Number(text);
  if (!(seconds >= SHORTEST_WATCH && seconds <= 3600)) {
    throw new InvalidArgumentError('It must be between 0.1 and 3600 seconds.');
  }
  return seconds;
}

function gather(word: string, before: string[] | undefined): string[] {
  return [...(before ?? []), word];
}
