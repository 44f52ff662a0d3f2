/** The parts of an X.509 certificate a person asks for (RFC 5280), by a walker that trusts no length. */
import type { Value } from '../value.ts';
import { sha256 } from './sha256.ts';
import { latin1, shortened, text } from './text.ts';
import { hexOf } from './tls-hello.ts';

const NAMES_KEPT = 64;
const ATTRIBUTES_KEPT = 16;
const EXTENSIONS_KEPT = 64;

/** One element of DER: its contents are bytes[from, to), and all of it begins at `start`. */
interface Element {
  readonly tag: number;
  readonly start: number;
  readonly from: number;
  readonly to: number;
}

/** Null when it does not fit before `end`. */
function element(bytes: Uint8Array, start: number, end: number): Element | null {
  if (end - start < 2) {
    return null;
  }
  let length = bytes[start + 1]!;
  let from = start + 2;
  if (length >= 0x80) {
    const size = length & 0x7f;
    if (size === 0 || size > 3 || end - from < size) {
      return null;
    }
    length = 0;
    for (let i = 0; i < size; i++) {
      length = length * 256 + bytes[from + i]!;
    }
    from += size;
  }
  return length > end - from ? null : { tag: bytes[start]!, start, from, to: from + length };
}

function children(bytes: Uint8Array, parent: Element | null | undefined, limit: number): Element[] {
  const found: Element[] = [];
  if (parent) {
    for (let at = parent.from; at < parent.to && found.length < limit; ) {
      const one = element(bytes, at, parent.to);
      if (one === null) {
        break;
      }
      found.push(one);
      at = one.to;
    }
  }
  return found;
}

/** Object identifiers in their DER bytes. */
const ATTRIBUTES = new Map([
  ['550403', 'CN'],
  ['550406', 'C'],
  ['550407', 'L'],
  ['550408', 'ST'],
  ['55040a', 'O'],
  ['55040b', 'OU'],
  ['2a864886f70d010901', 'email'],
]);
const ALTERNATIVE_NAMES = '551d11';
const RSA = '2a864886f70d010101';
const KEYS = new Map([
  ['2a8648ce3d0201', 'EC'],
  ['2b6570', 'Ed25519'],
  ['2b6571', 'Ed448'],
  ['2a8648ce380401', 'DSA'],
]);
const CURVES = new Map([
  ['2a8648ce3d030107', 'P-256'],
  ['2b81040022', 'P-384'],
  ['2b81040023', 'P-521'],
]);

/** Under `certificate.…`; what cannot be read is left out. `whole` is false when the bytes are a beginning only. */
export function certificateFields(
  bytes: Uint8Array,
  from: number,
  to: number,
  whole: boolean,
): { [name: string]: Value } {
  const body = children(bytes, element(bytes, from, to), 3)[0];
  const parts = children(bytes, body, 16);
  // The version is optional and has a tag of its own.
  const first = parts[0]?.tag === 0xa0 ? 1 : 0;
  const [serial, , issuer, validity, subject, key, ...rest] = parts.slice(first);
  const fields: { [name: string]: Value } = {};
  if (subject !== undefined && issuer !== undefined) {
    fields['certificate.subject'] = distinguished(bytes, subject);
    fields['certificate.issuer'] = distinguished(bytes, issuer);
    fields['certificate.self_signed'] = same(bytes, subject, issuer);
  }
  const [notBefore, notAfter] = children(bytes, validity, 2);
  if (notBefore !== undefined && notAfter !== undefined) {
    fields['certificate.not_before'] = time(bytes, notBefore);
    fields['certificate.not_after'] = time(bytes, notAfter);
  }
  if (key !== undefined) {
    fields['certificate.key'] = keyName(bytes, key);
    const names = alternativeNames(
      bytes,
      rest.find(({ tag }) => tag === 0xa3),
    );
    if (names.length > 0) {
      fields['certificate.names'] = names;
    }
  }
  if (serial !== undefined) {
    fields['certificate.serial'] = hexOf(bytes, serial.from, Math.min(serial.to, serial.from + 32));
  }
  if (whole) {
    fields['certificate.sha256'] = sha256(bytes.subarray(from, to));
  }
  return fields;
}

function same(bytes: Uint8Array, one: Element, other: Element): boolean {
  const length = one.to - one.from;
  if (other.to - other.from !== length) {
    return false;
  }
  for (let i = 0; i < length; i++) {
    if (bytes[one.from + i] !== bytes[other.from + i]) {
      return false;
    }
  }
  return true;
}

/** `CN=localhost, O=Example`, in the order of the certificate. */
function distinguished(bytes: Uint8Array, name: Element): string {
  const parts: string[] = [];
  for (const set of children(bytes, name, ATTRIBUTES_KEPT)) {
    const [type, value] = children(bytes, children(bytes, set, 1)[0], 2);
    const known = type === undefined ? undefined : ATTRIBUTES.get(hexOf(bytes, type.from, type.to));
    if (known !== undefined && value !== undefined) {
      parts.push(`${known}=${shortened(string(bytes, value), 128)}`);
    }
  }
  return parts.join(', ');
}

function string(bytes: Uint8Array, value: Element): string {
  if (value.tag === 0x1e) {
    let result = '';
    for (let i = value.from; i + 1 < value.to; i += 2) {
      result += String.fromCharCode((bytes[i]! << 8) | bytes[i + 1]!);
    }
    return result;
  }
  return value.tag === 0x14 ? latin1(bytes, value.from, value.to) : text(bytes, value.from, value.to);
}

/** UTCTime has two digits for the year: 50 and above are of the last century (RFC 5280, section 4.1.2.5.1). */
function time(bytes: Uint8Array, value: Element): string {
  const raw = latin1(bytes, value.from, Math.min(value.to, value.from + 20));
  const full = value.tag === 0x17 ? `${raw < '5' ? '20' : '19'}${raw}` : raw;
  const parts = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(full);
  return parts === null ? raw : `${parts[1]}-${parts[2]}-${parts[3]}T${parts[4]}:${parts[5]}:${parts[6]}Z`;
}

function keyName(bytes: Uint8Array, key: Element): string {
  const [algorithm, value] = children(bytes, key, 2);
  const [kind, parameter] = children(bytes, algorithm, 2);
  const oid = kind === undefined ? '' : hexOf(bytes, kind.from, Math.min(kind.to, kind.from + 16));
  if (oid === RSA && value !== undefined) {
    // A bit string, whose first byte counts unused bits, with the modulus as its first number.
    const numbers = children(bytes, element(bytes, value.from + 1, value.to), 1);
    const modulus = numbers[0];
    if (modulus !== undefined) {
      const leading = bytes[modulus.from] === 0 ? 1 : 0;
      return `RSA ${8 * (modulus.to - modulus.from - leading)}`;
    }
  }
  const curve =
    parameter === undefined
      ? undefined
      : CURVES.get(hexOf(bytes, parameter.from, Math.min(parameter.to, parameter.from + 16)));
  const name = oid === RSA ? 'RSA' : (KEYS.get(oid) ?? `oid ${oid}`);
  return curve === undefined ? name : `${name} ${curve}`;
}

/** RFC 5280, section 4.2.1.6: mail, DNS, URI and address are told. */
function alternativeNames(bytes: Uint8Array, wrapper: Element | undefined): string[] {
  for (const one of children(bytes, children(bytes, wrapper, 1)[0], EXTENSIONS_KEPT)) {
    const parts = children(bytes, one, 3);
    const type = parts[0];
    const value = parts.at(-1);
    if (type === undefined || value === undefined || hexOf(bytes, type.from, type.to) !== ALTERNATIVE_NAMES) {
      continue;
    }
    const names: string[] = [];
    for (const name of children(bytes, element(bytes, value.from, value.to), NAMES_KEPT)) {
      if (name.tag === 0x87) {
        names.push(address(bytes, name));
      } else if (name.tag === 0x81 || name.tag === 0x82 || name.tag === 0x86) {
        names.push(shortened(latin1(bytes, name.from, Math.min(name.to, name.from + 256)), 255));
      }
    }
    return names;
  }
  return [];
}

function address(bytes: Uint8Array, { from, to }: Element): string {
  if (to - from === 4) {
    return bytes.subarray(from, to).join('.');
  }
  const groups: string[] = [];
  for (let i = from; i + 1 < to && groups.length < 8; i += 2) {
    groups.push(((bytes[i]! << 8) | bytes[i + 1]!).toString(16));
  }
  return groups.join(':');
}
