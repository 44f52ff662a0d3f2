/** `sockscope dial dns NAME [TYPE] [@server]`: a question to a DNS server, in the words of dig. */
import type { Command } from 'commander';
import { SockscopeError } from '../errors.ts';
import { configuredServers, findServer } from '../make/dial/dns/servers.ts';
import { readDigWords } from '../make/dial/dns/words.ts';
import { askDns, type DnsAnswer, type DnsAsk, placeOf } from '../make/dial/dns.ts';
import { createNodeReactor } from '../reactor/node.ts';
import { durationNs } from '../session/quantities.ts';
import { type DnsAnswerView, dnsAnswerText, dnsShortText } from '../view/make/dns-answer.ts';
import { paint, print, warn } from './output.ts';

interface Flags {
  readonly x?: string;
  readonly short?: boolean;
  readonly json?: boolean;
  readonly tcp?: boolean;
  readonly recurse: boolean;
  readonly edns: boolean;
  readonly bufsize?: string;
  readonly timeout?: string;
  readonly tries?: string;
}

const BUFFER_SIZE = 1232;
const TIMEOUT = '5s';
const TRIES = '3';
const MOST_TRIES = 100;

export function define(command: Command): Command {
  return command
    .argument('[words...]', 'a name, a type (A), @server (those of /etc/resolv.conf), in any order')
    .option('-x <address>', 'which name this address has')
    .option('--short', 'the data of the answers alone')
    .option('--tcp', 'over TCP from the start; otherwise only when the answer was cut')
    .option('--no-recurse', 'the server is not to ask others')
    .option('--no-edns', 'as before 1999: answers over UDP end at 512 bytes')
    .option('--bufsize <bytes>', `what we take over UDP (${BUFFER_SIZE})`)
    .option('--timeout <time>', `how long each try waits (${TIMEOUT})`)
    .option('--tries <number>', `tries for each server (${TRIES})`)
    .option('--json', 'one line of JSON')
    .addHelpText('after', EXAMPLES)
    .action(async (words: string[], flags: Flags) => {
      await dialDns(words, flags);
    });
}

async function dialDns(words: readonly string[], flags: Flags): Promise<void> {
  const { plus, servers, ...question } = readDigWords(words, flags.x ?? null);
  const edns = plus.edns ?? flags.edns;
  const found = servers.length === 0 ? configuredServers() : await Promise.all(servers.map(findServer));
  const ask: DnsAsk = {
    ...question,
    servers: found,
    tcp: plus.tcp ?? flags.tcp === true,
    recurse: plus.recurse ?? flags.recurse,
    bufferSize: edns
      ? whole(plus.bufsize ?? flags.bufsize ?? String(BUFFER_SIZE), 'bufsize', 0, 0xffff)
      : null,
    patienceNs: patience(plus.time === undefined ? (flags.timeout ?? TIMEOUT) : `${plus.time}s`),
    tries: whole(plus.tries ?? flags.tries ?? TRIES, 'tries', 1, MOST_TRIES),
  };
  const told: string[] = [];
  const reactor = createNodeReactor();
  let answer: DnsAnswer | null;
  try {
    answer = await askDns(reactor, ask, (sentence) => {
      told.push(sentence);
      if (flags.json !== true) {
        warn(sentence);
      }
    });
  } finally {
    await reactor.close();
  }
  if (answer === null) {
    throw new SockscopeError(
      'DNS_SILENT',
      flags.json === true ? `Nobody answered: ${told.join('; ')}.` : 'Nobody answered.',
      'Look whether the server runs and is reached: `sockscope ls :53` shows what listens here.',
      3,
    );
  }
  const view: DnsAnswerView = { ...answer, server: placeOf(answer.server) };
  if (flags.json === true) {
    print(`${JSON.stringify({ v: 1, ...view, told })}\n`);
  } else if (plus.short ?? flags.short === true) {
    print(dnsShortText(view));
  } else {
    print(dnsAnswerText(view, paint));
  }
  process.exitCode = answer.reply.status === 'NOERROR' && answer.reply.answer.length > 0 ? 0 : 1;
}

function whole(text: string, option: string, least: number, most: number): number {
  const value = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= least && value <= most)) {
    throw new SockscopeError(
      'DNS_WORDS',
      `--${option} ${text} cannot be.`,
      `It is a number from ${least} to ${most}.`,
      2,
    );
  }
  return value;
}

function patience(text: string): number {
  const ns = durationNs(text);
  if (ns === null || ns <= 0) {
    throw new SockscopeError(
      'DNS_WORDS',
      `--timeout ${text} is no time to wait.`,
      'Write it like 500ms or 2s.',
      2,
    );
  }
  return ns;
}

const EXAMPLES = `
dig's spellings +short, +tcp, +norecurse, +noedns, +bufsize=512, +time=2 and +tries=1 are understood too.

Exit code: 0 there are answers; 1 there are none (NXDOMAIN, no records of that type, SERVFAIL, REFUSED); 2 usage; 3 nobody answered.

Examples:
  sockscope dial dns example.org
  sockscope dial dns mx example.org @192.0.2.53
  sockscope dial dns example.org TXT @127.0.0.1:5300 --short
  sockscope dial dns -x 192.0.2.1
  sockscope dial dns bücher.example HTTPS --json
`;
