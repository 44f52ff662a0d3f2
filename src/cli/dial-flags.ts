/** The options of `dial`, checked, and what they mean together. */
import { existsSync, readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { SockscopeError } from '../errors.ts';
import type { DialPlan, TerminalFacts } from '../make/dial/kind.ts';
import type { AtEnd, Manners } from '../make/dial/talk.ts';
import { readWishes } from '../reactor/socket-options.ts';
import { durationNs } from '../session/quantities.ts';
import { authorityPath } from '../tap/tls/ca.ts';
import { type DialAddress, readDialAddress } from './dial-address.ts';

export interface DialFlags {
  readonly ipv4?: boolean;
  readonly ipv6?: boolean;
  readonly udp?: boolean;
  readonly unix?: boolean;
  readonly halfClose?: boolean;
  readonly quitAfter?: string;
  readonly wait?: string;
  readonly scan?: boolean;
  readonly verbose?: boolean;
  readonly sourcePort?: string;
  readonly source?: string;
  readonly hex?: boolean;
  readonly send?: string[];
  readonly crlf?: boolean;
  readonly linger0?: boolean;
  readonly sockopt?: string;
  readonly keepOpen?: boolean;
  readonly thenClose?: boolean;
  readonly thenReset?: boolean;
  readonly thenHalfClose?: boolean;
  readonly json?: boolean;
  readonly sni?: string;
  readonly alpn?: string;
  readonly ca?: string;
  readonly insecure?: boolean;
  readonly cert?: string;
  readonly key?: string;
  readonly binary?: boolean;
}

export interface DialWish {
  readonly address: DialAddress;
  readonly plan: DialPlan;
  readonly manners: Manners;
  readonly scan: boolean;
  readonly verbose: boolean;
  readonly hex: boolean;
  readonly json: boolean;
  readonly crlf: boolean;
  /** Sent first. */
  readonly texts: readonly Uint8Array[];
  /** What to do at the end was said, so that --send has one on a terminal too. */
  readonly endGiven: boolean;
}

const USUAL_PATIENCE_NS = 10e9;

function usage(message: string, hint: string): SockscopeError {
  return new SockscopeError('DIAL_USAGE', message, hint, 2);
}

/** Seconds as nc takes them, or with a unit. */
function time(option: string, text: string): number {
  const ns = /^\d+(?:\.\d+)?$/.test(text) ? Number(text) * 1e9 : durationNs(text);
  if (ns === null || !Number.isFinite(ns) || ns < 0 || (ns === 0 && option === '-w')) {
    throw usage(`${option} ${text} is not a time.`, 'Write seconds, or a time with its unit: 3, 500ms, 2m.');
  }
  return Math.min(ns, 2 ** 31 * 1e6 - 1e6);
}

function port(text: string, what: string): number {
  const value = /^\d{1,5}$/.test(text) ? Number(text) : -1;
  if (value < 0 || value > 65535) {
    throw usage(`${what} ${text} is not a port.`, 'Ports go from 1 to 65535; 0 is any.');
  }
  return value;
}

function sourceOf({ source, sourcePort }: DialFlags, scheme: string): DialPlan['source'] {
  if (source === undefined && sourcePort === undefined) {
    return null;
  }
  if (scheme.startsWith('unix')) {
    throw usage('A UNIX socket has no source address.', 'Leave out --source and --source-port.');
  }
  const [, bracketed, plain, written] =
    /^(?:\[([^\]]*)\]|([^:]*|[^:]*:.*:.*?))(?::(\d+))?$/.exec(source ?? '') ?? [];
  const whole = isIP(source ?? '') !== 0;
  const host = whole ? source! : (bracketed ?? plain ?? '');
  if (source !== undefined && host !== '' && isIP(host) === 0) {
    throw usage(
      `--source ${source} is not an address of this machine.`,
      'Write it like 127.0.0.2, 127.0.0.2:4000 or [::1]:4000.',
    );
  }
  const own = whole ? undefined : written;
  return { host, port: port(sourcePort ?? own ?? '0', '--source-port') };
}

function endsOf(flags: DialFlags): AtEnd[] {
  const { halfClose, thenHalfClose, keepOpen, thenClose, thenReset } = flags;
  const given: [unknown, AtEnd][] = [
    [halfClose ?? thenHalfClose, 'half-close'],
    [keepOpen, 'keep'],
    [thenClose, 'close'],
    [thenReset, 'reset'],
  ];
  return given.filter(([wanted]) => wanted === true).map(([, end]) => end);
}

function atEndOf(flags: DialFlags): AtEnd {
  const given = endsOf(flags);
  if (given.length > 1) {
    throw usage(
      'Only one thing can be done at the end of input.',
      'Keep one of --keep-open, --then-close, --then-reset, --then-half-close (-N).',
    );
  }
  return given[0] ?? (flags.linger0 === true ? 'close' : 'half-close');
}

const ESCAPES: Readonly<Record<string, string>> = {
  n: '\n',
  r: '\r',
  t: '\t',
  '0': '\0',
  '\\': '\\',
  e: '\x1b',
};

/** `\r \n \t \0 \e \\ \xHH`; everything else stands for itself. */
export function unescaped(text: string): Uint8Array {
  const pieces = text.split(/(\\x[0-9a-fA-F]{2}|\\[nrt0e\\])/);
  return Buffer.concat(
    pieces.map((piece, index) => {
      if (index % 2 === 0) {
        return Buffer.from(piece);
      }
      return piece[1] === 'x'
        ? Buffer.from([Number.parseInt(piece.slice(2), 16)])
        : Buffer.from(ESCAPES[piece[1]!]!);
    }),
  );
}

function file(option: string, path: string | undefined): string | null {
  if (path === undefined) {
    return null;
  }
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw usage(`${option} ${path} cannot be read (${code}).`, 'It is a PEM file.');
  }
}

/** What `serve --tls` shows is signed by the CA of this machine, so we trust it without being told. */
function ownAuthority(): string | null {
  const path = authorityPath();
  try {
    return existsSync(path) ? readFileSync(path, 'utf8') : null;
  } catch {
    return null;
  }
}

function tlsOf(flags: DialFlags, secured: boolean): DialPlan['tls'] {
  const named = (['sni', 'alpn', 'ca', 'cert', 'key', 'insecure'] as const).find(
    (name) => flags[name] !== undefined,
  );
  if (named !== undefined && !secured) {
    throw usage(`--${named} is for TLS.`, 'Write tls://host:port or wss://host.');
  }
  const certificate = file('--cert', flags.cert);
  const key = file('--key', flags.key ?? flags.cert);
  if (flags.key !== undefined && certificate === null) {
    throw usage('--key needs the certificate it belongs to.', 'Give --cert FILE as well.');
  }
  return {
    serverName: flags.sni ?? '',
    protocols: flags.alpn?.split(',').filter((name) => name !== '') ?? [],
    insecure: flags.insecure === true,
    only: file('--ca', flags.ca),
    besides: secured ? ownAuthority() : null,
    certificate,
    key,
  };
}

export function readDialWish(
  words: readonly string[],
  flags: DialFlags,
  terminal: TerminalFacts | null,
): DialWish {
  const [target, second] = words;
  // As nc and telnet have it: host and port apart.
  const text =
    second === undefined
      ? target!
      : `${target!.includes(':') && isIP(target!) === 6 ? `[${target}]` : target}:${second}`;
  const address = readDialAddress(text, flags);
  if (flags.ipv4 === true && flags.ipv6 === true) {
    throw usage('-4 and -6 exclude each other.', 'Without both, whichever answers first is used.');
  }
  const wishes = flags.sockopt === undefined ? {} : readWishes(flags.sockopt);
  if (wishes instanceof SockscopeError) {
    throw wishes;
  }
  const wait = flags.wait === undefined ? null : time('-w', flags.wait);
  const { scheme, host, port: number, path } = address;
  const verbose = flags.verbose === true;
  return {
    address,
    plan: {
      scheme,
      host,
      port: number,
      path,
      family: flags.ipv4 === true ? 4 : flags.ipv6 === true ? 6 : 0,
      source: sourceOf(flags, scheme),
      wishes,
      patience: wait ?? USUAL_PATIENCE_NS,
      lingerZero: flags.linger0 === true,
      verbose,
      binary: flags.binary === true,
      tls: tlsOf(flags, scheme === 'tls' || scheme === 'wss'),
      terminal,
    },
    manners: {
      atEnd: atEndOf(flags),
      quitAfter: flags.quitAfter === undefined ? null : time('-q', flags.quitAfter),
      idle: wait,
    },
    scan: flags.scan === true,
    verbose,
    hex: flags.hex === true,
    json: flags.json === true,
    crlf: flags.crlf === true,
    texts: (flags.send ?? []).map(unescaped),
    endGiven: endsOf(flags).length > 0,
  };
}
