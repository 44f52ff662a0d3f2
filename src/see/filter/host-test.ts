/** Does a row's address lie in a prefix? As the kernel has it (inet_diag_bc_run): an IPv4 rule also matches IPv4-mapped IPv6 addresses. */
import { parseIpv6 } from '../../wire/net/address.ts';
import { withoutZone } from './address.ts';

export interface HostRule {
  family: 4 | 6;
  bytes: Uint8Array;
  prefix: number;
}

export function hostTest(rule: HostRule): (family: 4 | 6 | 0, address: string) => boolean {
  if (rule.family === 4) {
    const four = ipv4Test(rule.bytes, rule.prefix);
    return (family, address) => {
      if (family === 4) {
        return four(ipv4Number(address, 0));
      }
      return family === 6 && address.startsWith('::') && four(mappedNumber(address));
    };
  }
  const words = new Uint16Array(8);
  const six = ipv6Test(rule.bytes, rule.prefix);
  return (family, address) => family === 6 && ipv6Words(address, words) && six(words);
}

function ipv4Test(bytes: Uint8Array, prefix: number): (address: number) => boolean {
  const mask = prefix === 0 ? 0 : (0xffffffff << (32 - prefix)) >>> 0;
  const network = (new DataView(bytes.buffer, bytes.byteOffset).getUint32(0) & mask) >>> 0;
  return (address) => address >= 0 && (address & mask) >>> 0 === network;
}

/** -1 when the text is no dotted address. */
function ipv4Number(text: string, from: number): number {
  let value = 0;
  let octet = -1;
  let dots = 0;
  for (let i = from; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c >= 48 && c <= 57) {
      octet = (octet < 0 ? 0 : octet * 10) + c - 48;
      if (octet > 255) {
        return -1;
      }
    } else if (c === 46 && octet >= 0 && dots < 3) {
      value = value * 256 + octet;
      octet = -1;
      dots++;
    } else {
      return -1;
    }
  }
  return dots === 3 && octet >= 0 ? value * 256 + octet : -1;
}

const scratch = new Uint16Array(8);

function mappedNumber(address: string): number {
  if (address.startsWith('::ffff:') && address.includes('.')) {
    return ipv4Number(address, 7);
  }
  if (!ipv6Words(address, scratch)) {
    return -1;
  }
  const mapped = scratch[5] === 0xffff && scratch.subarray(0, 5).every((word) => word === 0);
  return mapped ? scratch[6]! * 0x10000 + scratch[7]! : -1;
}

function ipv6Test(bytes: Uint8Array, prefix: number): (words: Uint16Array) => boolean {
  const masks = Array.from({ length: 8 }, (_, i) => {
    const bits = Math.max(0, Math.min(16, prefix - 16 * i));
    return (0xffff << (16 - bits)) & 0xffff;
  });
  const network = masks.map((mask, i) => ((bytes[2 * i]! << 8) | bytes[2 * i + 1]!) & mask);
  const used = Math.ceil(prefix / 16);
  return (words) => {
    for (let i = 0; i < used; i++) {
      if ((words[i]! & masks[i]!) !== network[i]) {
        return false;
      }
    }
    return true;
  };
}

/** Text to eight groups without allocating, for tables of 100 000 rows; anything unusual goes the slow way. */
export function ipv6Words(text: string, words: Uint16Array): boolean {
  let count = 0;
  let gap = -1;
  let value = -1;
  let digits = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    const digit = c >= 48 && c <= 57 ? c - 48 : c >= 97 && c <= 102 ? c - 87 : -1;
    if (digit >= 0 && digits < 4) {
      value = (digits++ === 0 ? 0 : value * 16) + digit;
    } else if (c === 58 && value >= 0 && count < 7) {
      words[count++] = value;
      value = -1;
      digits = 0;
      if (text.charCodeAt(i + 1) === 58 && gap < 0) {
        gap = count;
        i++;
      }
    } else if (c === 58 && i === 0 && text.charCodeAt(1) === 58) {
      gap = 0;
      i++;
    } else {
      return slowWords(text, words);
    }
  }
  if (value >= 0 && count < 8) {
    words[count++] = value;
  } else if (value >= 0) {
    return slowWords(text, words);
  }
  const endsInColon = value < 0 && gap !== count;
  if (endsInColon || (gap < 0 ? count !== 8 : count > 7)) {
    return slowWords(text, words);
  }
  if (gap >= 0) {
    words.copyWithin(8 - count + gap, gap, count);
    words.fill(0, gap, 8 - count + gap);
  }
  return true;
}

function slowWords(text: string, words: Uint16Array): boolean {
  const bytes = parseIpv6(withoutZone(text));
  for (let i = 0; bytes !== null && i < 8; i++) {
    words[i] = (bytes[2 * i]! << 8) | bytes[2 * i + 1]!;
  }
  return bytes !== null;
}
