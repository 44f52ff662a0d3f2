/** Addresses with prefix lengths, as ss reads them: `10/8` is short for `10.0.0.0/8`, octets may be octal or hexadecimal. */
import { parseIpv4, parseIpv6 } from '../../wire/net/address.ts';
import { integer } from './number.ts';

export interface Prefix {
  family: 4 | 6;
  bytes: Uint8Array;
  prefix: number;
}

/** `ADDRESS[/LENGTH]`, or null when it is none. `whole`: four octets, or an explicit length. */
export function prefix(text: string, whole = false): Prefix | null {
  const slash = text.indexOf('/');
  const address = slash < 0 ? text : text.slice(0, slash);
  const six = address.includes(':');
  const bytes = six
    ? parseIpv6(withoutZone(address))
    : whole && slash < 0
      ? parseIpv4(address)
      : looseIpv4(address);
  if (bytes === null) {
    return null;
  }
  const most = bytes.length * 8;
  const length = slash < 0 ? most : prefixLength(text.slice(slash + 1));
  return length === null || length > most ? null : { family: six ? 6 : 4, bytes, prefix: length };
}

export function withoutZone(address: string): string {
  const zone = address.indexOf('%');
  return zone < 0 ? address : address.slice(0, zone);
}

function looseIpv4(text: string): Uint8Array | null {
  const parts = text.split('.');
  const bytes = new Uint8Array(4);
  if (parts.length > 4) {
    return null;
  }
  for (const [i, part] of parts.entries()) {
    const octet = integer(part);
    if (octet === null || octet > 255) {
      return null;
    }
    bytes[i] = octet;
  }
  return bytes;
}

/** A number, or a netmask such as 255.255.0.0. */
function prefixLength(text: string): number | null {
  const mask = text.includes('.') ? parseIpv4(text) : null;
  if (mask === null) {
    return integer(text);
  }
  const ones = mask.reduce((bits, octet) => bits + octet.toString(2).padStart(8, '0'), '').replace(/0+$/, '');
  return ones.includes('0') ? null : ones.length;
}
