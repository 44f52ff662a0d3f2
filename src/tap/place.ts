/** Addresses as people write them. What cannot be read is a sentence and the character where it went wrong, never an exception. */
import { servicePort } from '../kernel/names.ts';
import { parseIpv4, parseIpv6 } from '../wire/net/address.ts';
import type { Front, Place } from './plan.ts';

/** A place, and what else its text asked for. */
export interface WrittenPlace extends Place {
  /** `tcp`, `https`, `socks5`, … as written; empty when nothing was. */
  readonly scheme: string;
  /** `https://`: TLS on this side. */
  readonly tls: boolean;
  /** Only on the listening side. */
  readonly front: Front;
  /** The service's name, when the port was given as one. */
  readonly service: string;
}

export interface PlaceError {
  readonly error: string;
  /** Offset of the character in the text as given. */
  readonly at: number;
  readonly hint: string;
}

export type PlaceSide = 'listen' | 'target';

const MOST_TEXT = 1024;
/** sockaddr_un has 108 bytes: a path needs a NUL after it, an abstract name one before it (unix(7)). */
const MOST_PATH = 107;
const MOST_NAME = 253;
const EXAMPLES = 'Write it like 6379, localhost:6379, [::1]:80, unix:/run/x.sock or udp://127.0.0.1:53.';

interface Scheme {
  readonly kind: 'tcp' | 'udp';
  readonly port: number;
  readonly tls: boolean;
  readonly front: Front;
}

const SCHEMES: Readonly<Record<string, Scheme>> = {
  tcp: { kind: 'tcp', port: -1, tls: false, front: 'none' },
  udp: { kind: 'udp', port: -1, tls: false, front: 'none' },
  http: { kind: 'tcp', port: 80, tls: false, front: 'none' },
  https: { kind: 'tcp', port: 443, tls: true, front: 'none' },
  socks5: { kind: 'tcp', port: 1080, tls: false, front: 'socks5' },
  connect: { kind: 'tcp', port: 8080, tls: false, front: 'connect' },
};

export function isPlaceError(read: Place | PlaceError): read is PlaceError {
  return 'error' in read;
}

export function readPlace(text: string, side: PlaceSide): WrittenPlace | PlaceError {
  if (text === '') {
    return { error: 'an address is missing', at: 0, hint: EXAMPLES };
  }
  if (text.length > MOST_TEXT) {
    return { error: 'this is too long for an address', at: MOST_TEXT, hint: EXAMPLES };
  }
  const odd = /[\s\p{Cc}]/u.exec(text);
  if (odd !== null) {
    return { error: 'an address has no spaces in it', at: odd.index, hint: EXAMPLES };
  }
  if (text.startsWith('unix:')) {
    return unixPlace(text, 5);
  }
  if (/^\.{0,2}\//.test(text)) {
    return unixPlace(text, 0);
  }
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):\/\//.exec(text)?.[1]?.toLowerCase() ?? '';
  return scheme === ''
    ? hostAndPort(text, 0, text.length, side, '', SCHEMES.tcp!)
    : withScheme(text, scheme, side);
}

function unixPlace(text: string, from: number): WrittenPlace | PlaceError {
  let at = from;
  if (text.startsWith('//', from) && from > 0) {
    at += 2;
    if (!/^[/@.]/.test(text.slice(at))) {
      return {
        error: 'a UNIX socket has a path, not a host',
        at,
        hint: 'Write unix:/run/x.sock, unix:./x.sock or unix:@name.',
      };
    }
  }
  const path = text.slice(at);
  if (path === '' || path === '@' || path.endsWith('/')) {
    return {
      error: 'the path of a UNIX socket is missing',
      at: text.length,
      hint: 'Write unix:/run/x.sock, or unix:@name for an abstract one.',
    };
  }
  if (Buffer.byteLength(path) > MOST_PATH + (path.startsWith('@') ? 1 : 0)) {
    return {
      error: `the path of a UNIX socket has at most ${MOST_PATH} bytes`,
      at,
      hint: 'Use a shorter one, or a relative one: ./x.sock.',
    };
  }
  return { kind: 'unix', host: '', port: 0, path, scheme: 'unix', tls: false, front: 'none', service: '' };
}

function withScheme(text: string, name: string, side: PlaceSide): WrittenPlace | PlaceError {
  const scheme = Object.hasOwn(SCHEMES, name) ? SCHEMES[name]! : null;
  if (scheme === null) {
    const known = [...Object.keys(SCHEMES), 'unix'].join(', ');
    return { error: `${name}:// is not known here`, at: 0, hint: `Known are ${known}. ${EXAMPLES}` };
  }
  if (scheme.front !== 'none' && side === 'target') {
    return {
      error: `${name}:// is what a tap listens for, not what it dials`,
      at: 0,
      hint: 'Name it alone, without a target: the client says where it wants to go.',
    };
  }
  const start = name.length + 3;
  const rest = text.slice(start);
  const slash = rest.search(/[/?#]/);
  const end = slash < 0 ? text.length : start + slash;
  if (slash >= 0 && scheme.port !== 80 && scheme.port !== 443 && text.slice(end) !== '/') {
    return { error: 'nothing may follow the port', at: end, hint: EXAMPLES };
  }
  const user = text.slice(start, end).lastIndexOf('@');
  if (user >= 0) {
    return {
      error: 'a tap needs no user name, only host and port',
      at: start,
      hint: `Leave out everything before ${text.slice(start + user + 1, end) || 'the host'}.`,
    };
  }
  return hostAndPort(text, start, end, side, name, scheme);
}

interface Split {
  readonly host: string;
  /** Where the port's text begins; -1 without one. */
  readonly portAt: number;
}

function hostAndPort(
  text: string,
  from: number,
  to: number,
  side: PlaceSide,
  scheme: string,
  defaults: Scheme,
): WrittenPlace | PlaceError {
  const split = splitHost(text, from, to, defaults.port >= 0);
  if ('error' in split) {
    return split;
  }
  const host = split.host === '' ? ownHost(side) : split.host === '*' ? '0.0.0.0' : split.host;
  const bad = badHost(host, from) ?? (split.host === '*' && side === 'target' ? everyTarget(from) : null);
  if (bad !== null) {
    return bad;
  }
  const written = split.portAt < 0 ? '' : text.slice(split.portAt, to);
  const port = readPort(written, split.portAt < 0 ? to : split.portAt, side, defaults);
  if (typeof port !== 'number') {
    return port;
  }
  const service = /^\d*$/.test(written) ? '' : written;
  const { kind, tls, front } = defaults;
  return { kind, host, port, path: '', scheme, tls, front, service };
}

function ownHost(side: PlaceSide): string {
  return side === 'listen' ? '127.0.0.1' : 'localhost';
}

function everyTarget(at: number): PlaceError {
  return {
    error: 'every address can be listened on, but not dialled',
    at,
    hint: 'Name the host: localhost:6379.',
  };
}

/** A word alone is a port; with a scheme that has a port of its own, it is a host. */
function splitHost(text: string, from: number, to: number, mayLackPort: boolean): Split | PlaceError {
  const body = text.slice(from, to);
  if (body.startsWith('[')) {
    const close = body.indexOf(']');
    if (close < 0) {
      return { error: 'the bracket is not closed', at: from, hint: 'Write an IPv6 address as [::1]:80.' };
    }
    const host = body.slice(1, close);
    const zoneless = host.replace(/%[\w.-]+$/, '');
    if (parseIpv6(zoneless) === null || host === '') {
      return { error: `'${host}' is not an IPv6 address`, at: from + 1, hint: 'Write it as [::1]:80.' };
    }
    if (close + 1 === body.length) {
      return { host, portAt: -1 };
    }
    return body[close + 1] === ':'
      ? { host, portAt: from + close + 2 }
      : { error: 'a colon must follow the bracket', at: from + close + 1, hint: 'Write it as [::1]:80.' };
  }
  const colon = body.indexOf(':');
  if (colon < 0) {
    return mayLackPort ? { host: body, portAt: -1 } : { host: '', portAt: from };
  }
  if (body.indexOf(':', colon + 1) >= 0) {
    const hint = 'An IPv6 address stands in brackets: [::1]:80.';
    return { error: 'there is more than one colon', at: from + body.indexOf(':', colon + 1), hint };
  }
  return { host: body.slice(0, colon), portAt: from + colon + 1 };
}

function badHost(host: string, at: number): PlaceError | null {
  if (host.includes(':')) {
    return null;
  }
  if (/^[\d.]+$/.test(host)) {
    return parseIpv4(host) === null
      ? { error: `'${host}' is not an IPv4 address`, at, hint: 'It has four numbers from 0 to 255.' }
      : null;
  }
  const odd = /[^\p{L}\p{N}._-]/u.exec(host);
  if (odd !== null) {
    return { error: `'${odd[0]}' cannot stand in a host's name`, at: at + odd.index, hint: EXAMPLES };
  }
  // RFC 1035 section 2.3.4.
  if (
    host.length > MOST_NAME ||
    host
      .replace(/\.$/, '')
      .split('.')
      .some((label) => label === '' || label.length > 63)
  ) {
    return {
      error: `'${host.slice(0, 80)}' is not a host's name`,
      at,
      hint: 'Between dots stand 1 to 63 letters.',
    };
  }
  return null;
}

function readPort(text: string, at: number, side: PlaceSide, defaults: Scheme): number | PlaceError {
  if (text === '') {
    return defaults.port >= 0 && at >= 0
      ? defaults.port
      : { error: 'the port is missing', at, hint: EXAMPLES };
  }
  if (!/^\d+$/.test(text)) {
    const known = /^[A-Za-z][\w.+-]*$/.test(text)
      ? servicePort(text.toLowerCase(), defaults.kind)
      : undefined;
    return (
      known ?? {
        error: `'${text}' is neither a port nor a service of /etc/services`,
        at,
        hint: /\./.test(text) ? `Give the port as well: ${text}:80.` : EXAMPLES,
      }
    );
  }
  const port = Number(text);
  if (port > 65535) {
    return { error: `${text} is not a port`, at, hint: 'Ports go from 1 to 65535.' };
  }
  if (port === 0 && side === 'target') {
    return { error: 'port 0 cannot be dialled', at, hint: 'Only a listener takes 0: the next free port.' };
  }
  return port;
}

/** The shortest text that reads back as this place on either side. */
export function placeText(place: Place): string {
  if (place.kind === 'unix') {
    return `unix:${place.path}`;
  }
  const host = place.host.includes(':') ? `[${place.host}]` : place.host;
  return `${place.kind === 'udp' ? 'udp://' : ''}${host}:${place.port}`;
}

/** Without what only its text said: what a plan keeps. */
export function plainPlace({ kind, host, port, path }: Place): Place {
  return { kind, host, port, path };
}
