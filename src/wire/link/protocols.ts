/** Words for the numbers that IPv4 and IPv6 share. https://www.iana.org/assignments/protocol-numbers */
import { named, type Words } from './fields.ts';

export function protocolName(protocol: number): string {
  return PROTOCOLS[protocol] ?? `protocol ${protocol}`;
}

const PROTOCOLS: Readonly<Record<number, string>> = {
  0: 'hop-by-hop',
  1: 'icmp',
  2: 'igmp',
  4: 'ipv4',
  6: 'tcp',
  17: 'udp',
  33: 'dccp',
  41: 'ipv6',
  43: 'routing',
  44: 'fragment',
  46: 'rsvp',
  47: 'gre',
  50: 'esp',
  51: 'ah',
  58: 'icmpv6',
  59: 'no next header',
  60: 'destination options',
  88: 'eigrp',
  89: 'ospf',
  97: 'etherip',
  103: 'pim',
  108: 'ipcomp',
  112: 'vrrp',
  115: 'l2tp',
  132: 'sctp',
  135: 'mobility',
  136: 'udplite',
  137: 'mpls',
  139: 'hip',
  140: 'shim6',
  143: 'ethernet',
};

export const protocolText: Words = named(PROTOCOLS);

const ECN = ['', ' ECT(1)', ' ECT(0)', ' CE'];

/** DSCP (RFC 2474, 2597, 3246, 8622) and ECN (RFC 3168) of the old type-of-service byte. */
export const dsText: Words = (value) => `${dscpName(value >> 2)}${ECN[value & 3]}`;

function dscpName(dscp: number): string {
  const [group, low] = [dscp >> 3, dscp & 7];
  if (low === 0) {
    return group === 0 ? 'default' : `CS${group}`;
  }
  if (group >= 1 && group <= 4 && low % 2 === 0) {
    return `AF${group}${low / 2}`;
  }
  return { 1: 'lower effort', 44: 'voice admit', 46: 'EF' }[dscp] ?? `DSCP ${dscp}`;
}
