/** What a switch sees of a frame. */
import type { Headers } from '../../wire/headers.ts';

const ICMPV6 = 58;
/** Neighbour solicitation and advertisement (RFC 4861 section 4): what ARP is to IPv4. */
const NEIGHBOUR = [135, 136];

/** The destination, as `02:00:00:00:00:01`. */
export function macText(frame: Uint8Array, at = 0): string {
  return Array.from(frame.subarray(at, at + 6), (byte) => byte.toString(16).padStart(2, '0')).join(':');
}

/** IP multicast (RFC 1112 section 6.4, RFC 2464 section 7): group reports, router solicitations, mDNS. */
export function isChatter({ bytes: b, protocol, transportAt }: Headers): boolean {
  const multicast = (b[0] === 0x33 && b[1] === 0x33) || (b[0] === 1 && b[1] === 0 && b[2] === 0x5e);
  return multicast && !(protocol === ICMPV6 && NEIGHBOUR.includes(b[transportAt] ?? 0));
}
