/** `--allow` and `--deny`: hosts with wildcards, networks, ports. */
import { BlockList, isIP } from 'node:net';
import { SockscopeError } from '../../../errors.ts';

/** Plain data: `*.example.org:443`, `10.0.0.0/8`, `[::1]:80`. */
export interface Pattern {
  /** `*`: any. Lower case. */
  readonly host: string;
  /** Null: any. */
  readonly port: number | null;
  /** Bits of the network; null: it is a name. */
  readonly bits: number | null;
}

const FORM =
  /^(\[[0-9a-f:.]+(?:\/\d{1,3})?\]|[0-9a-f]*:[0-9a-f:.]*:[0-9a-f:.]*(?:\/\d{1,3})?|[^:[\]\s]*)(?::(\d{1,5}|\*))?$/i;
const NAME = /^(?:\*|(?:\*\.)?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*)$/;

export function readPattern(text: string): Pattern {
  const found = FORM.exec(text);
  const written = (found?.[1] ?? '').replace(/^\[|\]$/g, '').toLowerCase();
  const port = found?.[2] === undefined || found[2] === '*' ? null : Number(found[2]);
  const [host = '', size] = (written === '' && port !== null ? '*' : written).split('/');
  const family = isIP(host);
  const most = family === 6 ? 128 : 32;
  const bits = family === 0 ? null : size === undefined ? most : Number(size);
  const good = family === 0 ? size === undefined && NAME.test(host) : bits! <= most;
  if (found === null || !good || (port !== null && (port < 1 || port > 65535))) {
    throw new SockscopeError(
      'FORWARD_PATTERN',
      `${text} names neither hosts nor a network.`,
      'Write example.org, *.example.org:443, 10.0.0.0/8, [::1]:80 or :22.',
      2,
    );
  }
  return { host, port, bits };
}

export interface Lists {
  /** Empty: everything that is not denied. */
  readonly allow: readonly Pattern[];
  readonly deny: readonly Pattern[];
}

export interface Allowed {
  /** As it was asked for, before any name is looked up. */
  host(host: string, port: number): boolean;
  /** What the name turned out to be. */
  address(host: string, port: number, address: string): boolean;
}

export function createAllowed({ allow, deny }: Lists): Allowed {
  const denied = deny.map(matcher);
  const allowed = allow.map(matcher);
  const names = (list: readonly Matcher[], host: string, port: number) => list.some((one) => one(host, port));
  const isNetwork = ({ bits }: Pattern) => bits !== null;
  const byNetwork = allow.some(isNetwork);
  return {
    host(given, port) {
      const host = plain(given);
      // Only its address tells whether a name is in an allowed network.
      const open = allow.length === 0 || names(allowed, host, port) || (byNetwork && isIP(host) === 0);
      return open && !names(denied, host, port);
    },
    address(given, port, address) {
      const host = plain(given);
      const open = allow.length === 0 || names(allowed, host, port) || names(allowed, address, port);
      return open && !names(denied, address, port);
    },
  };
}

/** `example.org.` is the same name. */
function plain(host: string): string {
  return host
    .toLowerCase()
    .replace(/\.$/, '')
    .replace(/^\[|\]$/g, '');
}

type Matcher = (host: string, port: number) => boolean;

function matcher({ host, port, bits }: Pattern): Matcher {
  const fits = bits === null ? nameMatcher(host) : networkMatcher(host, bits);
  return (given, number) => (port === null || port === number) && fits(given);
}

function nameMatcher(pattern: string): (host: string) => boolean {
  if (pattern === '*') {
    return () => true;
  }
  const end = pattern.startsWith('*.') ? pattern.slice(1) : null;
  return end === null ? (host) => host === pattern : (host) => host.endsWith(end);
}

function networkMatcher(network: string, bits: number): (host: string) => boolean {
  const list = new BlockList();
  const family = isIP(network) === 6 ? 'ipv6' : 'ipv4';
  list.addSubnet(network, bits, family);
  return (host) => {
    const kind = isIP(host);
    return kind !== 0 && list.check(host, kind === 6 ? 'ipv6' : 'ipv4');
  };
}
