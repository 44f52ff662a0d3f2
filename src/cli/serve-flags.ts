/** What was typed after `serve KIND`, read and checked. */
import { SockscopeError } from '../errors.ts';
import type { AnyKind, Common, Limit, Misbehaviour } from '../make/serve/kind.ts';
import { readWishes } from '../reactor/socket-options.ts';
import { durationNs, rateBytes, sizeBytes } from '../session/quantities.ts';

export interface ServeFlags extends Readonly<Record<string, unknown>> {
  readonly listen?: string;
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly workers?: string;
  readonly maxConnections?: string;
  readonly idleTimeout?: string;
  readonly maxBody?: string;
  readonly rate?: string;
  readonly drain?: string;
  readonly sockopt?: string;
  readonly showSyscalls?: boolean;
  readonly leak?: boolean;
  /** False with --no-accept and --no-read. */
  readonly accept?: boolean;
  readonly read?: boolean;
  readonly slow?: string;
  readonly closeAfter?: string;
  readonly resetAfter?: string;
  readonly halfClose?: boolean;
  readonly backlog?: string;
  readonly dieAfter?: string;
  readonly tls?: boolean;
  readonly yes?: boolean;
}

function wrong(flag: string, given: string, example: string): SockscopeError {
  return new SockscopeError('SERVE_FLAG', `${flag} cannot be ${given}.`, `Example: ${flag} ${example}`, 2);
}

function whole(flag: string, given: string, least: number, most: number, example: string): number {
  const number = /^\d{1,9}$/.test(given) ? Number(given) : Number.NaN;
  if (!(number >= least && number <= most)) {
    throw wrong(flag, `${given}: it takes a whole number from ${least} to ${most}`, example);
  }
  return number;
}

export function timeOf(flag: string, given: string | undefined, example: string): number {
  const ns = given === undefined ? 0 : durationNs(given);
  if (ns === null) {
    throw wrong(flag, `${given}: it takes a time with its unit`, example);
  }
  return ns;
}

function sizeOf(flag: string, given: string | undefined, example: string): number {
  const size = given === undefined ? 0 : sizeBytes(given);
  if (size === null) {
    throw wrong(flag, `${given}: it takes a number of bytes`, example);
  }
  return size;
}

const MOST_WORKERS = 64;
const MOST_CONNECTIONS = 100_000_000;
const MOST_BACKLOG = 1_000_000;

export function workersOf({ workers = '1' }: ServeFlags): number {
  return whole('--workers', workers, 1, MOST_WORKERS, '4');
}

export function commonOf(flags: ServeFlags): Common {
  const { maxConnections, backlog, rate, drain = '10s' } = flags;
  const wishes = readWishes(flags.sockopt ?? '');
  if (wishes instanceof SockscopeError) {
    throw wishes;
  }
  return {
    maxConnections:
      maxConnections === undefined
        ? 0
        : whole('--max-connections', maxConnections, 1, MOST_CONNECTIONS, '100'),
    idleNs: timeOf('--idle-timeout', flags.idleTimeout, '30s'),
    maxBody: sizeOf('--max-body', flags.maxBody, '1MB'),
    rate: rateOf(rate),
    drainNs: timeOf('--drain', drain, '10s'),
    backlog: backlog === undefined ? 0 : whole('--backlog', backlog, 1, MOST_BACKLOG, '8'),
    wishes,
    misbehaviour: misbehaviourOf(flags),
  };
}

const PER: Readonly<Record<string, number>> = { s: 1, m: 60, min: 60, h: 3600 };

function rateOf(given: string | undefined): number {
  if (given === undefined) {
    return 0;
  }
  const [, number, per = 's'] = /^(\d+(?:\.\d+)?)(?:\/(s|m|min|h))?$/.exec(given) ?? [];
  const rate = Number(number) / PER[per]!;
  if (!(rate > 0)) {
    throw wrong('--rate', `${given}: it takes requests per time`, '100/s');
  }
  return rate;
}

function misbehaviourOf(flags: ServeFlags): Misbehaviour | null {
  const slow = flags.slow === undefined ? 0 : rateBytes(flags.slow);
  if (slow === null || (flags.slow !== undefined && slow === 0)) {
    throw wrong('--slow', `${flags.slow}: it takes bytes per second`, '10B/s');
  }
  const how: Misbehaviour = {
    leak: flags.leak === true,
    noAccept: flags.accept === false,
    noRead: flags.read === false,
    slow,
    closeAfter: limitOf('--close-after', flags.closeAfter),
    resetAfter: limitOf('--reset-after', flags.resetAfter),
    halfClose: flags.halfClose === true,
  };
  const behaves = Object.values(how).every((one) => one === false || one === 0 || one === null);
  return behaves ? null : how;
}

function limitOf(flag: string, given: string | undefined): Limit | null {
  if (given === undefined) {
    return null;
  }
  const bytes = sizeBytes(given);
  if (bytes !== null) {
    return { bytes };
  }
  const ns = durationNs(given);
  if (ns === null) {
    throw wrong(flag, `${given}: it takes bytes of answers, or a time`, '1kB, or 5s');
  }
  return { ns };
}

/** What the kind reads, and the address that stands behind its own words. */
export function splitWords(
  kind: AnyKind,
  words: readonly string[],
): { readonly own: readonly string[]; readonly address: string | null } {
  const wanted = kind.words === '' ? 0 : kind.words.split(' ').length;
  if (kind.words.endsWith('...>')) {
    // Whether it can do without (a DNS server that only forwards), the kind says.
    return { own: words, address: null };
  }
  const needed = kind.words.split(' ').filter((word) => word.startsWith('<')).length;
  if (words.length < needed) {
    throw missing(kind);
  }
  if (words.length > wanted + 1) {
    throw new SockscopeError(
      'SERVE_WORDS',
      `serve ${kind.name} does not know what to do with ${words[wanted + 1]}.`,
      `It takes ${`${kind.words} [address]`.trim()}.`,
      2,
    );
  }
  return { own: words.slice(0, wanted), address: words[wanted] ?? null };
}

function missing(kind: AnyKind): SockscopeError {
  return new SockscopeError(
    'SERVE_WORDS',
    `serve ${kind.name} needs ${kind.words}.`,
    `Example: ${kind.examples[0] ?? `sockscope serve ${kind.name}`}`,
    2,
  );
}
