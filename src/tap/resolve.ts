/** Names become addresses here, in the order in which the C library gives them. */
import { isIP } from 'node:net';
import { SockscopeError } from '../errors.ts';
import { readResolverSettings, resolveName } from '../kernel/resolver.ts';
import type { Address } from '../reactor/reactor.ts';
import type { PlaceSide } from './place.ts';
import type { Place, Resolved } from './plan.ts';

/** RFC 6761 section 6.3: both families, whichever of them the hosts file knows. */
const LOOPBACK = ['127.0.0.1', '::1'];
/** RFC 8305 would try more, but nobody waits for the tenth address of a name. */
const MOST_ADDRESSES = 16;

export async function resolvePlace(place: Place, side: PlaceSide): Promise<Resolved | SockscopeError> {
  const { kind, host, port } = place;
  if (kind === 'unix') {
    return [{ kind, path: place.path }];
  }
  if (isIP(host) !== 0) {
    return [{ kind, host, port }];
  }
  const found = await resolveName(host);
  const known = 'error' in found ? [] : found.map(({ address }) => address);
  // One listener has one address; a target may answer on another one than the first.
  const local = side === 'target' && isLocalhost(host) ? LOOPBACK : [];
  const hosts = [...new Set([...known, ...(known.length === 0 && isLocalhost(host) ? LOOPBACK : local)])];
  if (hosts.length === 0) {
    return unknownName(host, 'error' in found ? found.error : 'no address');
  }
  return hosts.slice(0, MOST_ADDRESSES).map((each): Address => ({ kind, host: each, port }));
}

function isLocalhost(host: string): boolean {
  return /^(?:.+\.)?localhost\.?$/i.test(host);
}

const MEANINGS: Readonly<Record<string, string>> = {
  ENOTFOUND: 'nobody knows it',
  EAI_AGAIN: 'no name server answered',
  ENODATA: 'it exists, but has no address',
  EAI_NODATA: 'it exists, but has no address',
};

function unknownName(host: string, code: string): SockscopeError {
  const why = MEANINGS[code] === undefined ? code : `${MEANINGS[code]} (${code})`;
  return new SockscopeError(
    'UNKNOWN_NAME',
    `The name ${host} has no address: ${why}. Asked ${whoWasAsked()}.`,
    `\`sockscope addr ${host}\` shows step by step who is asked, and what they say.`,
    3,
  );
}

function whoWasAsked(): string {
  const { modules, resolvConf } = readResolverSettings();
  // Where resolv.conf names nobody, glibc asks this machine (resolv.conf(5)).
  const servers =
    resolvConf === null || resolvConf.nameservers.length === 0 ? ['127.0.0.1'] : resolvConf.nameservers;
  return modules
    .map(({ name }) => {
      switch (name) {
        case 'files':
          return 'the hosts file';
        case 'dns':
          return `DNS at ${servers.slice(0, 3).join(', ')}`;
        default:
          return name;
      }
    })
    .join(', ');
}
