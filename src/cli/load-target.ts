/** Where the load goes, from what was typed. */
import { SockscopeError } from '../errors.ts';
import type { LoadKind } from '../make/load/kind.ts';
import { answering, isNear } from '../make/load/near.ts';
import type { Address } from '../reactor/reactor.ts';
import { isPlaceError, readPlace } from '../tap/place.ts';
import { resolvePlace } from '../tap/resolve.ts';

export interface LoadTarget {
  readonly address: Address;
  /** As it is shown: `127.0.0.1:8080`. */
  readonly shown: string;
  /** As the Host header has it. */
  readonly authority: string;
  readonly path: string;
}

/** The port bomb's own listener, where nobody else is. */
export const OWN: LoadTarget = {
  address: { kind: 'tcp', host: '127.0.0.1', port: 8080 },
  shown: '127.0.0.1:8080',
  authority: '127.0.0.1:8080',
  path: '/',
};

export async function readTarget(kind: LoadKind, typed: string | undefined): Promise<LoadTarget> {
  if (typed === undefined) {
    throw new SockscopeError(
      'LOAD_TARGET',
      'The target is missing.',
      `Name it: sockscope load ${kind.name} ${kind.name === 'http' ? 'http://localhost:8080/' : 'localhost:8080'}`,
      2,
    );
  }
  if (/^https:/i.test(typed)) {
    throw new SockscopeError(
      'LOAD_TLS',
      'Load through TLS is not made: encrypting would cost this side more than the requests, and the figures would be about us.',
      'Take the port behind the TLS of that server, or measure it as it is with curl or wrk.',
      2,
    );
  }
  const { place: text, path } = kind.name === 'http' ? splitUrl(typed) : { place: typed, path: '/' };
  const scheme = kind.manner === 'datagram' && !/^[a-z0-9]+:\/\/|^unix:/i.test(text) ? 'udp://' : '';
  const place = readPlace(`${scheme}${text}`, 'target');
  if (isPlaceError(place)) {
    throw new SockscopeError('LOAD_TARGET', `'${typed}': ${place.error}.`, place.hint, 2);
  }
  if ((place.kind === 'udp') !== (kind.manner === 'datagram')) {
    throw new SockscopeError(
      'LOAD_TARGET',
      `${kind.name} does not go over ${place.kind.toUpperCase()}.`,
      kind.manner === 'datagram' ? 'Name a UDP port: localhost:7.' : 'Leave out udp://.',
      2,
    );
  }
  const resolved = await resolvePlace(place, 'target');
  if (resolved instanceof SockscopeError) {
    throw resolved;
  }
  const address = answering(resolved)!;
  const host = place.host.includes(':') ? `[${place.host}]` : place.host;
  return {
    address,
    shown: shownAs(address),
    authority: address.kind === 'unix' ? 'localhost' : place.port === 80 ? host : `${host}:${place.port}`,
    path,
  };
}

/** `http://host:port/path?query#part` → what readPlace reads, and what the request line has. */
function splitUrl(typed: string): { place: string; path: string } {
  if (/^unix:|^\.{0,2}\//.test(typed)) {
    return { place: typed, path: '/' };
  }
  const plain = typed.replace(/^http:\/\//i, '');
  const slash = plain.search(/[/?#]/);
  const rest = slash < 0 ? '/' : plain.slice(slash);
  const { pathname, search } = new URL(rest.replace(/^(?!\/)/, '/').replace(/^\/+/, '/'), 'http://localhost');
  return { place: `http://${slash < 0 ? plain : plain.slice(0, slash)}`, path: `${pathname}${search}` };
}

function shownAs(address: Address): string {
  if (address.kind === 'unix') {
    return `unix:${address.path}`;
  }
  return `${address.host.includes(':') ? `[${address.host}]` : address.host}:${address.port}`;
}

/** Load on somebody else's machine is an attack unless they know of it. */
export function allowed(
  kind: LoadKind,
  target: LoadTarget,
  { really = false, yes = false }: { readonly really?: boolean; readonly yes?: boolean },
): void {
  if (isNear(target.address)) {
    return;
  }
  if ((kind.name === 'connect' || kind.name === 'hold') && !really) {
    throw new SockscopeError(
      'LOAD_PUBLIC',
      `${target.shown} is not on this machine or in a private network, and ${kind.name} takes connections away from everybody who uses it.`,
      'With the consent of whoever runs it: --really.',
      2,
    );
  }
  if (!really && !yes) {
    throw new SockscopeError(
      'LOAD_PUBLIC',
      `${target.shown} is not on this machine or in a private network: load there is felt by others, and may be taken for an attack.`,
      'With the consent of whoever runs it: --yes.',
      2,
    );
  }
}
