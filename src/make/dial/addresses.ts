/** Where to: the addresses of a name in the order in which they are tried, and their text. */
import { isIP } from 'node:net';
import { SockscopeError } from '../../errors.ts';
import { resolveName } from '../../kernel/resolver.ts';
import type { Address } from '../../reactor/reactor.ts';
import { interleave } from './happy-eyeballs.ts';
import type { DialPlan } from './kind.ts';

export type HostAddress = Extract<Address, { host: string }>;

/** RFC 6761 section 6.3: both families, whichever of them the hosts file knows. */
const LOOPBACK = ['::1', '127.0.0.1'];
/** Nobody waits for the tenth address of a name. */
const MOST_ADDRESSES = 8;

const MEANINGS: Readonly<Record<string, string>> = {
  ENOTFOUND: 'nobody knows it',
  EAI_AGAIN: 'no name server answered',
  ENODATA: 'it exists, but has no address',
};

export function addressText(address: Address): string {
  if (address.kind === 'unix') {
    return address.path === '' ? 'unnamed' : address.path;
  }
  const host = address.host.includes(':') ? `[${address.host}]` : address.host;
  return `${host}:${address.port}`;
}

export async function addressesOf(
  { host, port, family }: DialPlan,
  kind: 'tcp' | 'udp',
): Promise<HostAddress[] | SockscopeError> {
  const literal = isIP(host) !== 0;
  const found = literal ? [host] : await named(host);
  if (!Array.isArray(found)) {
    return found;
  }
  const fitting = found.filter((each) => family === 0 || each.includes(':') === (family === 6));
  if (fitting.length === 0) {
    return new SockscopeError(
      'DIAL_FAMILY',
      `${host} has no IPv${family} address.`,
      `It has ${found.join(', ')}: leave out -${family}.`,
      1,
    );
  }
  return interleave(fitting.map((each): HostAddress => ({ kind, host: each, port }))).slice(
    0,
    MOST_ADDRESSES,
  );
}

async function named(host: string): Promise<string[] | SockscopeError> {
  const found = await resolveName(host);
  const known = 'error' in found ? [] : found.map(({ address }) => address);
  const hosts = [...new Set([...known, ...(/^(?:.+\.)?localhost\.?$/i.test(host) ? LOOPBACK : [])])];
  if (hosts.length > 0) {
    return hosts;
  }
  const code = 'error' in found ? found.error : 'ENODATA';
  return new SockscopeError(
    'UNKNOWN_NAME',
    `The name ${host} has no address: ${MEANINGS[code] ?? code}.`,
    `\`sockscope addr ${host}\` shows step by step who is asked, and what they say.`,
    1,
  );
}
