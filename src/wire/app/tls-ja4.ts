/**
 * JA4, a fingerprint of TLS client programs: `t13d1516h2_8daaf6152771_e5627efa2ab1`. What is offered counts, not in which
 * order; only the signature algorithms keep theirs.
 */
import { sha256 } from './sha256.ts';
import { type Hello, hexOf, numbers, protocols } from './tls-hello.ts';
import { isGrease } from './tls-names.ts';

const VERSIONS = new Map([
  [0x0304, '13'],
  [0x0303, '12'],
  [0x0302, '11'],
  [0x0301, '10'],
  [0x0300, 's3'],
  [0x0002, 's2'],
]);
const SERVER_NAME = 0;
const ALPN = 16;
const encoder = new TextEncoder();

export function ja4(hello: Hello): string {
  const ciphers = hello.ciphers.filter((cipher) => !isGrease(cipher));
  const extensions = hello.extensions.map(({ type }) => type).filter((type) => !isGrease(type));
  const versions = numbers(hello, 43, 1).filter((version) => !isGrease(version));
  const version = versions.length > 0 ? Math.max(...versions) : hello.version;
  const signatures = numbers(hello, 13, 2).filter((algorithm) => !isGrease(algorithm));
  const named = extensions.includes(SERVER_NAME) ? 'd' : 'i';
  const start = `t${VERSIONS.get(version) ?? '00'}${named}${count(ciphers)}${count(extensions)}${alpn(hello)}`;
  const counted = extensions.filter((type) => type !== SERVER_NAME && type !== ALPN);
  const order = signatures.length > 0 ? `_${listed(signatures)}` : '';
  const offered = counted.length > 0 ? hash(listed(counted.sort(ascending)) + order) : NOTHING;
  return `${start}_${ciphers.length > 0 ? hash(listed(ciphers.sort(ascending))) : NOTHING}_${offered}`;
}

/** Nothing to hash shows as such. */
const NOTHING = '000000000000';

function hash(list: string): string {
  return sha256(encoder.encode(list)).slice(0, 12);
}

function listed(values: readonly number[]): string {
  return values.map((value) => value.toString(16).padStart(4, '0')).join(',');
}

function ascending(a: number, b: number): number {
  return a - b;
}

function count(values: readonly number[]): string {
  return String(Math.min(99, values.length)).padStart(2, '0');
}

/** First and last character of the first protocol's name; of its hex when they are not letters or digits. */
function alpn(hello: Hello): string {
  const first = protocols(hello)[0];
  if (first === undefined || first.length === 0) {
    return '00';
  }
  const head = String.fromCharCode(first[0]!);
  const tail = String.fromCharCode(first.at(-1)!);
  if (/^[0-9a-z]{2}$/i.test(head + tail)) {
    return head + tail;
  }
  const hex = hexOf(first, 0, first.length);
  return hex[0]! + hex.at(-1)!;
}
