/** Whether a planned fault touches a connection. Pure: who, which, when and a roll. */
import { isMapped, parseIpv4, parseIpv6 } from '../wire/net/address.ts';
import type { PlannedFault } from './fault.ts';

export interface Prefix {
  /** 4 or 16 bytes. */
  readonly bytes: Uint8Array;
  readonly bits: number;
}

export interface Numbers {
  readonly from: number;
  readonly to: number;
}

export interface Applicant {
  /** Numeric address of the client, without its port. */
  readonly client: string;
  readonly connection: number;
  /** Nanoseconds since the tap began. */
  readonly at: number;
}

/** `random` is asked at most once, and only when toxicity leaves it open. */
export function appliesTo(fault: PlannedFault, to: Applicant, random: () => number): boolean {
  return (
    inWindow(fault, to.at) &&
    (fault.connections === undefined || isNumbered(fault.connections, to.connection)) &&
    (fault.client === undefined || isWithin(fault.client, to.client)) &&
    (fault.toxicity >= 1 || (fault.toxicity > 0 && random() < fault.toxicity))
  );
}

/** Whether `at` lies in the time in which the fault is there. */
export function inWindow(fault: PlannedFault, at: number): boolean {
  const begin = fault.at ?? 0;
  return at >= begin && (fault.lasts === undefined || at < begin + fault.lasts);
}

/** `3`, `2-5`, `10-`; numbers count from 1. */
export function parseConnections(text: string): Numbers | null {
  const found = /^([1-9]\d{0,14})(-([1-9]\d{0,14})?)?$/.exec(text);
  if (found === null) {
    return null;
  }
  const from = Number(found[1]);
  const open = found[2] === '-';
  const to = found[3] !== undefined ? Number(found[3]) : open ? Number.POSITIVE_INFINITY : from;
  return to < from ? null : { from, to };
}

/** `10.0.0.0/8`, `::1`, `fe80::/10`. An IPv4 address inside IPv6 is the IPv4 address. */
export function parsePrefix(text: string): Prefix | null {
  const slash = text.indexOf('/');
  const bytes = parseAddress(slash < 0 ? text : text.slice(0, slash));
  if (bytes === null) {
    return null;
  }
  if (slash < 0) {
    return { bytes, bits: bytes.length * 8 };
  }
  const length = text.slice(slash + 1);
  // `::ffff:10.0.0.0/104` counts its bits from the beginning of the IPv6 address.
  const bits = Number(length) - (bytes.length === 4 && text.includes(':') ? 96 : 0);
  return /^\d{1,3}$/.test(length) && bits >= 0 && bits <= bytes.length * 8 ? { bytes, bits } : null;
}

function isNumbered(text: string, connection: number): boolean {
  const numbers = parseConnections(text);
  return numbers !== null && connection >= numbers.from && connection <= numbers.to;
}

function isWithin(text: string, client: string): boolean {
  const prefix = parsePrefix(text);
  const address = parseAddress(client);
  if (prefix === null || address === null || prefix.bytes.length !== address.length) {
    return false;
  }
  const whole = prefix.bits >> 3;
  for (let i = 0; i < whole; i++) {
    if (prefix.bytes[i] !== address[i]) {
      return false;
    }
  }
  const rest = prefix.bits & 7;
  return rest === 0 || ((prefix.bytes[whole]! ^ address[whole]!) & (0xff << (8 - rest)) & 0xff) === 0;
}

function parseAddress(text: string): Uint8Array | null {
  const v4 = parseIpv4(text);
  if (v4 !== null) {
    return v4;
  }
  // A scope (`fe80::1%eth0`) says over which interface; the address is the same.
  const v6 = parseIpv6(text.replace(/%[^/]*$/, ''));
  return v6 !== null && isMapped(v6, 0) ? v6.slice(12) : v6;
}
