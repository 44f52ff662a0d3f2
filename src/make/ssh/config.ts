/** ssh_config(5): which of the lines are for a host, and what they say. The first value wins. */
import { SockscopeError } from '../../errors.ts';
import { nearMisses } from '../../session/near.ts';
import { ACTED_ON, GATHERS, PASSED_OVER, SAME } from './config-keywords.ts';
import { family, fault, port, type Strict, seconds, strict, yesNo } from './config-values.ts';
import { type ConfigLine, configLine } from './config-words.ts';
import { matchesList, matchesPattern } from './patterns.ts';

export interface ConfigText {
  readonly name: string;
  readonly text: string;
  /** The person's own: what it includes is looked for in ~/.ssh, not in /etc/ssh. */
  readonly own: boolean;
}

export interface ConfigWorld {
  readonly localUser: string;
  /** The files a pattern of an Include line stands for, in order. */
  include(pattern: string, own: boolean): readonly ConfigText[];
}

export interface HostWish {
  /** As typed. */
  readonly host: string;
  readonly user?: string;
  readonly port?: number;
  /** Lines that come before every file. */
  readonly options: readonly string[];
}

/** Paths are as written: `~`, tokens and variables are for expand.ts. */
export interface HostConfig {
  readonly host: string;
  readonly hostName: string;
  readonly hostKeyAlias: string | null;
  readonly port: number;
  readonly user: string;
  readonly identityFiles: readonly string[];
  readonly identitiesOnly: boolean;
  readonly identityAgent: string | null;
  readonly userKnownHosts: readonly string[];
  readonly globalKnownHosts: readonly string[];
  readonly hashKnownHosts: boolean;
  readonly strict: Strict;
  readonly proxyJump: string | null;
  readonly proxyCommand: string | null;
  readonly connectTimeout: number;
  readonly aliveInterval: number;
  readonly aliveCount: number;
  readonly algorithms: Readonly<Record<'hostKey' | 'kex' | 'cipher' | 'mac', string | null>>;
  readonly publicKey: boolean;
  readonly password: boolean;
  readonly interactive: boolean;
  readonly prompts: number;
  readonly batch: boolean;
  readonly family: 0 | 4 | 6;
  readonly bindAddress: string | null;
  readonly sendEnv: readonly string[];
  readonly setEnv: readonly string[];
  /** Sentences about lines that could not be followed. */
  readonly notices: readonly string[];
}

const DEEPEST = 16;
const PORT = 22;
const PROMPTS = 3;
const ALIVE_COUNT = 3;

interface Reading {
  readonly wish: HostWish;
  readonly world: ConfigWorld;
  readonly values: Map<string, readonly string[]>;
  readonly gathered: Map<string, string[]>;
  readonly notices: string[];
  unknown: readonly string[];
}

export function resolveConfig(wish: HostWish, texts: readonly ConfigText[], world: ConfigWorld): HostConfig {
  const reading: Reading = {
    wish,
    world,
    values: new Map(),
    gathered: new Map(),
    notices: [],
    unknown: [],
  };
  if (wish.user !== undefined) {
    reading.values.set('user', [wish.user]);
  }
  if (wish.port !== undefined) {
    reading.values.set('port', [String(wish.port)]);
  }
  for (const option of wish.options) {
    // A keyword that begins a block has nothing to begin here.
    if (/^\s*(host|match|include)\b/i.test(option)) {
      throw bad(
        '-o',
        0,
        `"${option}" is no option of one host`,
        'Write it into a file and name the file with -F.',
      );
    }
    readText(reading, { name: '-o', text: option, own: true }, true, false, 0);
  }
  for (const text of texts) {
    readText(reading, text, true, false, 0);
  }
  return configOf(reading);
}

function bad(file: string, line: number, what: string, hint: string): SockscopeError {
  const where = line === 0 ? file : `${file}:${line}`;
  return new SockscopeError('SSH_CONFIG', `${where}: ${what}.`, hint, 2);
}

function readText(
  r: Reading,
  { name, text, own }: ConfigText,
  active0: boolean,
  never: boolean,
  deep: number,
): void {
  let active = active0;
  let number = 0;
  for (const raw of text.split('\n')) {
    number++;
    const line = configLine(raw);
    if (line === null) {
      continue;
    }
    if (typeof line === 'string') {
      throw bad(name, number, line, 'Correct the line, or name another file with -F.');
    }
    switch (line.keyword) {
      case 'host':
        needsArguments(name, number, line);
        active = !never && matchesList(r.wish.host, line.args);
        break;
      case 'match':
        needsArguments(name, number, line);
        active = matchBlock(r, name, number, line.args) && !never;
        break;
      case 'include':
        needsArguments(name, number, line);
        if (deep >= DEEPEST) {
          throw bad(
            name,
            number,
            'files include each other too deeply',
            'Look for a file that includes itself.',
          );
        }
        for (const pattern of line.args) {
          for (const file of r.world.include(pattern, own)) {
            readText(r, file, active, !active, deep + 1);
          }
        }
        break;
      default:
        keep(r, name, number, line, active);
    }
  }
}

function needsArguments(name: string, number: number, { keyword, args }: ConfigLine): void {
  if (args.length === 0) {
    throw bad(name, number, `${keyword} needs a value`, 'Correct the line, or name another file with -F.');
  }
}

function keep(r: Reading, name: string, number: number, line: ConfigLine, active: boolean): void {
  const keyword = Object.hasOwn(SAME, line.keyword) ? SAME[line.keyword]! : line.keyword;
  if (!Object.hasOwn(ACTED_ON, keyword)) {
    if (keyword === 'ignoreunknown' && active && r.unknown.length === 0) {
      r.unknown = line.args.flatMap((arg) => arg.toLowerCase().split(','));
    } else if (!PASSED_OVER.has(keyword) && !matchesList(keyword, r.unknown)) {
      const [near] = nearMisses(keyword, [...Object.keys(ACTED_ON), ...PASSED_OVER]);
      const hint = near === undefined ? 'Take it out, or name it in IgnoreUnknown.' : `Did you mean ${near}?`;
      throw bad(name, number, `${line.keyword} is no option of SSH`, hint);
    }
    return;
  }
  const wrong = fault(ACTED_ON[keyword]!, line.args);
  if (wrong !== null) {
    throw bad(name, number, `${line.keyword} ${wrong}`, 'Correct the line, or name another file with -F.');
  }
  if (!active) {
    return;
  }
  if (GATHERS.has(keyword)) {
    const before = r.gathered.get(keyword) ?? [];
    r.gathered.set(keyword, [...before, ...line.args.filter((arg) => !before.includes(arg))]);
    return;
  }
  // Of the two ways through somebody else the first that is named counts; `ProxyJump none` is not one.
  const proxied = named(one(r, 'proxyjump')) !== null || r.values.has('proxycommand');
  if (!r.values.has(keyword) && !(proxied && keyword.startsWith('proxy'))) {
    r.values.set(keyword, line.args);
  }
}

function one(r: Reading, keyword: string): string | null {
  return r.values.get(keyword)?.[0] ?? null;
}

function hostNameOf(r: Reading): string {
  const name = one(r, 'hostname');
  return name === null
    ? r.wish.host
    : name.replace(/%([%h])/g, (_, token) => (token === 'h' ? r.wish.host : '%'));
}

function matchBlock(r: Reading, name: string, number: number, args: readonly string[]): boolean {
  let all = true;
  for (let at = 0; at < args.length; at++) {
    const negated = args[at]!.startsWith('!');
    const [criterion = '', ...behind] = args[at]!.slice(negated ? 1 : 0).split('=');
    const word = criterion.toLowerCase();
    if (word === 'all') {
      if (args.length > 1 || negated) {
        throw bad(name, number, '"all" stands alone in a Match line', 'Take the other words out.');
      }
      return true;
    }
    if (word === 'canonical' || word === 'final') {
      if (!negated) {
        r.notices.push(`${name}:${number}: "Match ${word}" is not supported here: its block is passed over.`);
      }
      all &&= negated;
      continue;
    }
    const value = behind.length > 0 ? behind.join('=') : args[++at];
    if (value === undefined) {
      throw bad(
        name,
        number,
        `Match ${word} needs a value`,
        'Correct the line, or name another file with -F.',
      );
    }
    const patterns = value.split(',');
    const fits = criterionFits(r, word, patterns);
    if (fits === 'unknown') {
      throw bad(
        name,
        number,
        `Match knows no "${criterion}"`,
        'It knows all, host, originalhost, user and localuser.',
      );
    }
    if (fits === 'unsupported') {
      // A block that might have been meant is not guessed at: its words could turn a check off.
      if (all) {
        r.notices.push(`${name}:${number}: "Match ${word}" is not supported here: its block is passed over.`);
      }
      all = false;
      continue;
    }
    all &&= fits !== negated;
  }
  return all;
}

function criterionFits(
  r: Reading,
  word: string,
  patterns: readonly string[],
): boolean | 'unknown' | 'unsupported' {
  switch (word) {
    case 'host':
      return matchesList(
        hostNameOf(r).toLowerCase(),
        patterns.map((pattern) => pattern.toLowerCase()),
      );
    case 'originalhost':
      return matchesList(
        r.wish.host.toLowerCase(),
        patterns.map((pattern) => pattern.toLowerCase()),
      );
    case 'user':
      return matchesList(one(r, 'user') ?? r.world.localUser, patterns);
    case 'localuser':
      return matchesList(r.world.localUser, patterns);
    case 'exec':
    case 'tagged':
    case 'localnetwork':
    case 'version':
    case 'command':
    case 'sessiontype':
      return 'unsupported';
    default:
      return 'unknown';
  }
}

/** `none` means that there is none. */
function named(text: string | null): string | null {
  return text === null || text.toLowerCase() === 'none' ? null : text;
}

function configOf(r: Reading): HostConfig {
  const text = (keyword: string): string | null => one(r, keyword);
  const flag = (keyword: string, otherwise: boolean): boolean => yesNo(text(keyword) ?? '') ?? otherwise;
  let sent: string[] = [];
  for (const word of r.gathered.get('sendenv') ?? []) {
    sent = word.startsWith('-')
      ? sent.filter((other) => !matchesPattern(other, word.slice(1)))
      : sent.concat(word);
  }
  return {
    host: r.wish.host,
    hostName: hostNameOf(r),
    hostKeyAlias: text('hostkeyalias'),
    port: port(text('port') ?? '') ?? PORT,
    user: text('user') ?? r.world.localUser,
    identityFiles: r.gathered.get('identityfile') ?? [],
    identitiesOnly: flag('identitiesonly', false),
    identityAgent: text('identityagent'),
    userKnownHosts: r.values.get('userknownhostsfile') ?? ['~/.ssh/known_hosts', '~/.ssh/known_hosts2'],
    globalKnownHosts: r.values.get('globalknownhostsfile') ?? [
      '/etc/ssh/ssh_known_hosts',
      '/etc/ssh/ssh_known_hosts2',
    ],
    hashKnownHosts: flag('hashknownhosts', false),
    strict: strict(text('stricthostkeychecking') ?? '') ?? 'ask',
    proxyJump: named(text('proxyjump')),
    proxyCommand: named(r.values.get('proxycommand')?.join(' ') ?? null),
    connectTimeout: seconds(text('connecttimeout') ?? '') ?? 0,
    aliveInterval: seconds(text('serveraliveinterval') ?? '') ?? 0,
    aliveCount: Number(text('serveralivecountmax') ?? ALIVE_COUNT),
    algorithms: {
      hostKey: text('hostkeyalgorithms'),
      kex: text('kexalgorithms'),
      cipher: text('ciphers'),
      mac: text('macs'),
    },
    publicKey: text('pubkeyauthentication')?.toLowerCase() !== 'no',
    password: flag('passwordauthentication', true),
    interactive: flag('kbdinteractiveauthentication', true),
    prompts: Number(text('numberofpasswordprompts') ?? PROMPTS),
    batch: flag('batchmode', false),
    family: family(text('addressfamily') ?? '') ?? 0,
    bindAddress: text('bindaddress'),
    sendEnv: sent,
    setEnv: r.values.get('setenv') ?? [],
    notices: r.notices,
  };
}
