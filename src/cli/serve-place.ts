/** Where a server listens: what was typed, or the next free port. */
import { SockscopeError } from '../errors.ts';
import type { AnyKind, Over, Where } from '../make/serve/kind.ts';
import type { Address } from '../reactor/reactor.ts';
import { isPlaceError, readPlace } from '../tap/place.ts';
import { resolvePlace } from '../tap/resolve.ts';

export interface ServePlace {
  readonly address: Address;
  readonly over: Over;
  /** Nobody asked for this port: the next free one will do. */
  readonly free: boolean;
}

const HOME = '127.0.0.1';

export async function placeOf(kind: AnyKind, typed: string | null): Promise<ServePlace> {
  const [usual] = kind.over;
  if (typed === null) {
    if (usual === 'unix' || usual === 'unix-dgram') {
      throw badPlace(`serve ${kind.name} needs an address.`, 'Example: unix:/tmp/x.sock');
    }
    return { address: tcpOrUdp(usual!, HOME, kind.port), over: usual!, free: true };
  }
  const datagrams = /^unix-dgram:/i.exec(typed)?.[0];
  if (datagrams !== undefined) {
    const path = typed.slice(datagrams.length);
    if (path === '') {
      throw badPlace('unix-dgram: needs a path.', 'Example: unix-dgram:/tmp/x.sock');
    }
    return checked(kind, { address: { kind: 'unix', path }, over: 'unix-dgram', free: false });
  }
  // Fingers leave the slashes out.
  const place = readPlace(typed.replace(/^(udp|tcp):(?!\/\/)/i, '$1://'), 'listen');
  if (isPlaceError(place)) {
    throw badPlace(`The address ${typed} cannot be read: ${place.error}.`, place.hint);
  }
  if (place.kind === 'unix') {
    return checked(kind, { address: { kind: 'unix', path: place.path }, over: 'unix', free: false });
  }
  const over = place.kind === 'udp' || (place.scheme === '' && usual === 'udp') ? 'udp' : 'tcp';
  const found = await resolvePlace(
    { kind: place.kind, host: place.host, port: place.port, path: '' },
    'listen',
  );
  if (found instanceof SockscopeError) {
    throw found;
  }
  const [first] = found;
  if (first === undefined || first.kind === 'unix') {
    throw badPlace(`The address ${typed} cannot be resolved.`, 'Give a numeric one.');
  }
  return checked(kind, { address: tcpOrUdp(over, first.host, first.port), over, free: false });
}

function checked(kind: AnyKind, place: ServePlace): ServePlace {
  if (!kind.over.includes(place.over)) {
    throw badPlace(
      `serve ${kind.name} does not speak over ${WORDS[place.over]}.`,
      `It speaks over ${kind.over.map((one) => WORDS[one]).join(', ')}.`,
    );
  }
  return place;
}

const WORDS: Readonly<Record<Over, string>> = {
  tcp: 'TCP',
  udp: 'UDP',
  unix: 'a UNIX socket',
  'unix-dgram': 'UNIX datagrams',
};

function tcpOrUdp(over: Over, host: string, port: number): Address {
  return { kind: over === 'udp' ? 'udp' : 'tcp', host, port };
}

function badPlace(message: string, hint: string): SockscopeError {
  return new SockscopeError('SERVE_PLACE', message, hint, 2);
}

/** How somebody on this machine gets there. */
export function whereOf(address: Address, over: Over, tls: boolean, authority: string): Where {
  if (address.kind === 'unix') {
    return { over, host: '', port: 0, path: address.path, tls, authority };
  }
  const host = address.host === '0.0.0.0' ? HOME : address.host === '::' ? '::1' : address.host;
  const bracketed = host.includes(':') ? `[${host}]` : host;
  return { over, host: bracketed, port: address.port, path: '', tls, authority };
}

export function isLoopback(address: Address): boolean {
  return address.kind === 'unix' || address.host.startsWith('127.') || address.host === '::1';
}
