/** Addresses of SOCKS 5 (RFC 1928, section 5): a type, then 4 bytes, 16, or a name with its length. */
import { ipv4Text, ipv6Text } from '../net/address.ts';
import { latin1, text } from './text.ts';

const IPV4 = 1;
const NAME = 3;
const IPV6 = 4;

/** Requests and replies alike: version, command or code, a zero, the address, the port. */
export const BEFORE_ADDRESS = 3;

/** The length of all of it; -1: the type is unknown. Five bytes must be there. */
export function wholeLength(bytes: Uint8Array, from: number): number {
  const type = bytes[from + BEFORE_ADDRESS];
  const rest = BEFORE_ADDRESS + 1 + 2;
  return type === IPV4
    ? rest + 4
    : type === IPV6
      ? rest + 16
      : type === NAME
        ? rest + 1 + bytes[from + BEFORE_ADDRESS + 1]!
        : -1;
}

export function hostOf(bytes: Uint8Array, from: number): string {
  const type = bytes[from + BEFORE_ADDRESS];
  const at = from + BEFORE_ADDRESS + 1;
  return type === IPV4
    ? ipv4Text(bytes, at)
    : type === IPV6
      ? ipv6Text(bytes, at)
      : text(bytes, at + 1, at + 1 + bytes[at]!);
}

export function portAt(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

/** `host:port`, with brackets around what has colons. */
export function joined(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** SOCKS 4 and 4a: where the user's name ends, and the host's. Positions of the zeros; -1: not there yet. */
export interface OldRequest {
  userEnd: number;
  hostEnd: number;
  /** The address says that a name follows: 0.0.0.x, where x is not 0. */
  named: boolean;
}

export const OLD_HEAD = 8;
export const OLD_REPLY = 8;
/** Neither paper has a limit; nobody's name is longer. */
export const MAX_USER = 512;
export const MAX_HOST = 255;

/** At least OLD_HEAD bytes must be there. */
export function oldRequest(bytes: Uint8Array, from: number, to: number): OldRequest {
  const named =
    bytes[from + 4] === 0 && bytes[from + 5] === 0 && bytes[from + 6] === 0 && bytes[from + 7] !== 0;
  const userEnd = zero(bytes, from + OLD_HEAD, to, MAX_USER);
  const hostEnd = !named || userEnd < 0 ? userEnd : zero(bytes, userEnd + 1, to, MAX_HOST);
  return { userEnd, hostEnd, named };
}

function zero(bytes: Uint8Array, from: number, to: number, limit: number): number {
  const stop = Math.min(to, from + limit + 1);
  for (let at = from; at < stop; at++) {
    if (bytes[at] === 0) {
      return at;
    }
  }
  return -1;
}

export function oldHost(bytes: Uint8Array, from: number, request: OldRequest): string {
  return request.named ? latin1(bytes, request.userEnd + 1, request.hostEnd) : ipv4Text(bytes, from + 4);
}
