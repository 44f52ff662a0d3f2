/** Whose machine a target is, and which of its addresses is meant. */
import { BlockList, isIPv6 } from 'node:net';
import { socketsTowards } from '../../kernel/load-sockets.ts';
import type { Address } from '../../reactor/reactor.ts';

/** Loopback, private (RFC 1918, RFC 4193), shared (RFC 6598) and link-local addresses. */
const NEAR = new BlockList();
for (const [net, bits] of [
  ['127.0.0.0', 8],
  ['10.0.0.0', 8],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
  ['169.254.0.0', 16],
  ['100.64.0.0', 10],
] as const) {
  NEAR.addSubnet(net, bits, 'ipv4');
}
NEAR.addSubnet('::1', 128, 'ipv6');
NEAR.addSubnet('fc00::', 7, 'ipv6');
NEAR.addSubnet('fe80::', 10, 'ipv6');

export function isNear(address: Address): boolean {
  if (address.kind === 'unix') {
    return true;
  }
  const host = address.host.replace(/%.*$/, '');
  return NEAR.check(host, isIPv6(host) ? 'ipv6' : 'ipv4');
}

/** The first that somebody listens on here; a name such as localhost has two, and servers often only one. */
export function answering(addresses: readonly Address[]): Address | undefined {
  return (
    addresses.find((one) => one.kind === 'tcp' && socketsTowards(one.host, one.port)?.listener != null) ??
    addresses[0]
  );
}
