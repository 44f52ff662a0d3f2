/** The options of `tap`, and the plans they make. */
import { SockscopeError } from '../errors.ts';
import type { SocketWishes } from '../reactor/reactor.ts';
import { readWishes } from '../reactor/socket-options.ts';
import { durationNs } from '../session/quantities.ts';
import { NO_TLS, type OrderedTap, USUAL_WISHES, uniqueName } from '../tap/config-defaults.ts';
import type { PlannedFault } from '../tap/fault.ts';
import { readFault } from '../tap/fault-text.ts';
import type { Replacement, TapPlan, TlsPlan } from '../tap/plan.ts';
import { readReplacement } from '../tap/rewrite.ts';
import { readSet } from '../tap/set/set.ts';
import { readTapWords } from '../tap/words.ts';
import { decoders } from '../wire/app/decoders.ts';
import { readDisplay } from './wire-options.ts';

/** As commander gives them. */
export interface TapFlags {
  listen?: string[];
  remote?: string[];
  config?: string;
  verbose: number;
  hex?: boolean;
  messages?: boolean;
  bytes?: boolean;
  quiet?: boolean;
  json?: boolean;
  reveal?: boolean;
  color?: boolean;
  decode: string;
  match?: string[];
  replace?: string[];
  set?: string[];
  hold?: string[];
  fault?: string[];
  seed?: string;
  api?: string | boolean;
  tls?: string;
  unwrapTls?: boolean;
  insecure?: boolean;
  serverName?: string;
  tlsCert?: string;
  tlsKey?: string;
  tlsCa?: string;
  ca?: boolean;
  proxyIn?: boolean;
  proxyOut?: string;
  dialTimeout: string;
  sockopt?: string;
  alwaysAccept?: boolean;
  write?: string;
  har?: string;
}

/** A plan without its places. */
export type Common = Omit<TapPlan, 'name' | 'enabled' | 'listen' | 'target'>;

const MOST_SEED = 2 ** 32;

/** Given, or drawn: small enough to be typed again. */
export function seedOf({ seed }: TapFlags): number {
  if (seed === undefined) {
    return Math.floor(Math.random() * 1e6);
  }
  const number = Number(seed);
  if (!/^\d+$/.test(seed) || number >= MOST_SEED) {
    throw usage('SEED', `--seed takes a whole number below ${MOST_SEED}, not ${seed}.`, 'Example: --seed 42');
  }
  return number;
}

/** What the options say of every tap. */
export function commonOf(flags: TapFlags): Common {
  const common: Common = {
    front: 'none',
    decode: decodeOf(flags.decode),
    matches: flags.match ?? [],
    replacements: (flags.replace ?? []).map(replacementOf),
    sets: (flags.set ?? []).map(setOf),
    holds: (flags.hold ?? []).map(holdOf),
    faults: faultsOf(flags.fault ?? []),
    proxyIn: flags.proxyIn === true,
    proxyOut: proxyVersion(flags.proxyOut),
    dialTimeout: time(flags.dialTimeout),
    wishes: wishesOf(flags),
    mirrorsRefusal: flags.alwaysAccept !== true,
    tls: tlsOf(flags, NO_TLS),
  };
  for (const pattern of common.matches) {
    regularExpression(pattern);
  }
  return common;
}

/** The taps that the words and options order; the options are for all of them. */
export function plansOf(words: readonly string[], flags: TapFlags): OrderedTap[] {
  const taps = readTapWords({ words, listens: flags.listen ?? [], targets: flags.remote ?? [] });
  if (taps instanceof SockscopeError) {
    throw taps;
  }
  const common = commonOf(flags);
  return taps.map((tap) => ({
    ...tap,
    ...common,
    front: tap.front,
    mirrorsRefusal: tap.mirrorsRefusal && common.mirrorsRefusal,
    tls: tlsOf(flags, tap.tls),
  }));
}

function usage(code: string, message: string, hint: string): SockscopeError {
  return new SockscopeError(code, message, hint, 2);
}

function decodeOf(name: string): string {
  if (name !== 'auto' && name !== 'none' && !decoders.some((one) => one.name === name)) {
    const names = decoders.map((one) => one.name).join(', ');
    throw usage('DECODE', `No decoder is called ${name}.`, `There are auto, none, ${names}.`);
  }
  return name;
}

function regularExpression(pattern: string): void {
  try {
    new RegExp(pattern);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw usage(
      'REGEX',
      `--match: ${why}.`,
      'It is a JavaScript regular expression; quote it for the shell.',
    );
  }
}

/** A text with a caret under the character where it could not be read on. */
function pointed(option: string, text: string, { why, at }: { why: string; at: number }): SockscopeError {
  const shown = text.replace(/[\p{Cc}]/gu, ' ');
  return usage(
    'TAP_TEXT',
    `${option}: ${why}.\n  ${shown}\n  ${' '.repeat(Math.min(at, shown.length))}^`,
    'sockscope tap --help has examples.',
  );
}

function replacementOf(text: string): Replacement {
  const read = readReplacement(text);
  if ('why' in read) {
    throw pointed('--replace', text, read);
  }
  return read;
}

function setOf(text: string): string {
  const read = readSet(text);
  if ('why' in read) {
    throw pointed('--set', text, read);
  }
  return text;
}

function holdOf(text: string): string {
  readDisplay(text);
  return text;
}

function faultsOf(texts: readonly string[]): PlannedFault[] {
  const taken = new Set<string>();
  return texts.map((text) => {
    const read = readFault(text);
    if ('why' in read) {
      throw pointed('--fault', text, read);
    }
    if (read.when !== undefined) {
      readDisplay(read.when.filter);
    }
    return { ...read, name: uniqueName(read.name, taken) };
  });
}

function proxyVersion(text: string | undefined): 0 | 1 | 2 {
  if (text === undefined) {
    return 0;
  }
  if (text !== '1' && text !== '2') {
    throw usage(
      'PROXY_VERSION',
      `--proxy-out takes 1 or 2, not ${text}.`,
      'Version 1 is text, version 2 binary.',
    );
  }
  return text === '1' ? 1 : 2;
}

function time(text: string): number {
  const ns = durationNs(text);
  if (ns === null || ns <= 0) {
    throw usage('DURATION', `${text} is not a time.`, 'Write it like 500ms, 10s or 2m.');
  }
  return ns;
}

function wishesOf({ sockopt }: TapFlags): SocketWishes {
  const wishes = sockopt === undefined ? {} : readWishes(sockopt);
  if (wishes instanceof SockscopeError) {
    throw wishes;
  }
  return { ...USUAL_WISHES, ...wishes };
}

function tlsOf(flags: TapFlags, planned: TlsPlan): TlsPlan {
  const mode = flags.unwrapTls === true ? 'originate' : (flags.tls ?? planned.mode);
  if (mode !== 'none' && mode !== 'terminate' && mode !== 'originate' && mode !== 'both' && mode !== 'peek') {
    throw usage(
      'TLS_MODE',
      `--tls ${mode} is not known.`,
      'There are terminate (TLS here, plain to the target), originate (the reverse), both, and peek (only the name is read).',
    );
  }
  return {
    mode,
    insecure: flags.insecure === true,
    serverName: flags.serverName ?? '',
    certificate: flags.tlsCert ?? '',
    key: flags.tlsKey ?? '',
    authority: flags.tlsCa ?? '',
  };
}
