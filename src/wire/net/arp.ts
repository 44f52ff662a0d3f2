/** ARP, RFC 826; probes and announcements, RFC 5227; RARP, RFC 903. */
import type { Headers } from '../headers.ts';
import { cut } from '../link/cut.ts';
import { ETHERTYPE, etherTypeText } from '../link/ethertype.ts';
import { address, draft, finished, hex, type Layer, mac, macText, named, num, u16 } from '../link/fields.ts';
import { ipv4Text } from './address.ts';

const FIXED = 8;

export function readArp(h: Headers, at: number): void {
  h.netAt = at;
  if (at + FIXED > h.to) {
    cut(h, at + FIXED);
    return;
  }
  const end = at + FIXED + 2 * (h.bytes[at + 4]! + h.bytes[at + 5]!);
  h.netEnd = end;
  if (end > h.to) {
    cut(h, end);
  }
}

const ETHERNET = 1;
const ARPHRD = named({ 1: 'Ethernet', 6: 'IEEE 802', 24: 'IEEE 1394', 32: 'InfiniBand' });
const OPERATIONS: Readonly<Record<number, string>> = {
  1: 'request',
  2: 'reply',
  3: 'reverse request',
  4: 'reverse reply',
  8: 'inverse request',
  9: 'inverse reply',
};

export function arpLayer(h: Headers): Layer {
  const { bytes, netAt: at } = h;
  const d = draft(bytes, h.to, 'arp', 'ARP', at);
  const hardware = num(d, 'arp.hw.type', at, 2, ARPHRD);
  const protocol = num(d, 'arp.proto.type', at + 2, 2, etherTypeText);
  const hardwareSize = num(d, 'arp.hw.size', at + 4, 1);
  const size = num(d, 'arp.proto.size', at + 5, 1);
  num(d, 'arp.op', at + 6, 2, named(OPERATIONS));
  if (size < 0) {
    return finished(d, h.to);
  }
  let next = at + FIXED;
  for (const side of ['src', 'dst'] as const) {
    if (hardware === ETHERNET && hardwareSize === 6) {
      mac(d, `arp.${side}.hw`, next);
    } else {
      hex(d, `arp.${side}.hw`, next, next + hardwareSize);
    }
    next += hardwareSize;
    if (protocol === ETHERTYPE.ipv4 && size === 4) {
      address(d, `arp.${side}.ip`, next, 4);
    } else {
      hex(d, `arp.${side}.proto`, next, next + size);
    }
    next += size;
  }
  d.layer.title = arpSummary(h);
  return finished(d, next);
}

export function arpSummary(h: Headers): string {
  const { bytes, netAt: at } = h;
  if (
    at + FIXED + 20 > h.to ||
    u16(bytes, at + 2) !== ETHERTYPE.ipv4 ||
    bytes[at + 4] !== 6 ||
    bytes[at + 5] !== 4
  ) {
    const op = at + FIXED <= h.to ? u16(bytes, at + 6) : 0;
    return `ARP ${OPERATIONS[op] ?? ''}`.trim();
  }
  const sender = at + FIXED;
  const target = sender + 10;
  const senderIp = ipv4Text(bytes, sender + 6);
  const targetIp = ipv4Text(bytes, target + 6);
  switch (u16(bytes, at + 6)) {
    case 1:
      if (senderIp === targetIp) {
        return `ARP gratuitous: ${senderIp} is at ${macText(bytes, sender)}`;
      }
      // RFC 5227 section 2.1.1: whoever asks has no address yet.
      return senderIp === '0.0.0.0'
        ? `ARP probe: does anybody use ${targetIp}?`
        : `ARP who has ${targetIp}? tell ${senderIp}`;
    case 2:
      return senderIp === targetIp
        ? `ARP gratuitous: ${senderIp} is at ${macText(bytes, sender)}`
        : `ARP ${senderIp} is at ${macText(bytes, sender)}`;
    case 3:
      return `RARP who is ${macText(bytes, target)}? tell ${macText(bytes, sender)}`;
    case 4:
      return `RARP ${macText(bytes, target)} is ${targetIp}`;
    default:
      return `ARP operation ${u16(bytes, at + 6)}`;
  }
}
