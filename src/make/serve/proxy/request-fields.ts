/** The fields an upstream gets: the client's, without what was meant for us, and with who asked and how. */
import { endToEnd, type Fields, fieldOf, without } from '../../cache/fields.ts';

export interface Sender {
  /** The client's address without its port; empty for a UNIX socket. */
  readonly client: string;
  readonly scheme: string;
  readonly authority: string;
  readonly httpVersion: string;
  /** Who we are in Via. */
  readonly id: string;
}

/** Written anew below, or answered by ourselves. */
const OURS = new Set(['host', 'expect', 'via', 'content-length', 'trailer']);
const FORWARDED = new Set(['forwarded', 'x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host']);

/** A gateway tells who asked (RFC 7239); behind what proxies before it told. */
export function gatewayFields(fields: Fields, host: string, sender: Sender): string[] {
  const { client, scheme, authority } = sender;
  const known = client === '' ? 'unknown' : client;
  const before = (name: string) => {
    const value = fieldOf(fields, name);
    return value === undefined ? '' : `${value}, `;
  };
  const node = known.includes(':') ? `"[${known}]"` : known;
  return [
    ...proxyFields(fields, host, sender, FORWARDED),
    'Forwarded',
    `${before('forwarded')}for=${node};host="${authority}";proto=${scheme}`,
    'X-Forwarded-For',
    `${before('x-forwarded-for')}${known}`,
    'X-Forwarded-Proto',
    scheme,
    'X-Forwarded-Host',
    authority,
  ];
}

const NONE: ReadonlySet<string> = new Set();

/** What every proxy does: Host first, hop-by-hop fields gone, Via behind (RFC 9110, section 7.6). */
export function proxyFields(
  fields: Fields,
  host: string,
  { httpVersion, id }: Sender,
  also: ReadonlySet<string> = NONE,
): string[] {
  const via = fieldOf(fields, 'via');
  const mine = `${httpVersion} ${id}`;
  return [
    'Host',
    host,
    ...without(endToEnd(fields), (name) => OURS.has(name) || also.has(name)),
    'Via',
    via === undefined ? mine : `${via}, ${mine}`,
  ];
}

/** How the body is framed on its way: as it came. HTTP/2 may leave the length out. */
export function framing(fields: Fields, hasBody: boolean): string[] {
  const length = fieldOf(fields, 'content-length');
  if (length !== undefined) {
    return ['Content-Length', length];
  }
  return hasBody ? ['Transfer-Encoding', 'chunked'] : [];
}

export function passedHere(fields: Fields, id: string): boolean {
  const via = fieldOf(fields, 'via');
  return via?.split(',').some((one) => one.trim().split(/\s+/)[1] === id) === true;
}
