/** How this machine looks to a program that runs here: its addresses, where it would speak from, and a few settings. */

import { ipv4Text, ipv6Text, parseIpv4, parseIpv6 } from '../wire/net/address.ts';
import { listInterfaces } from './addresses.ts';
import * as libc from './libc.ts';
import { netSysctl } from './rtnetlink.ts';
import { socketAddress } from './transparent.ts';

const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_DGRAM_CLOEXEC = 2 | 0o2000000;

/** Addresses for documentation (RFC 5737, RFC 3849): connecting a datagram socket sends nothing. */
const SOMEWHERE4 = parseIpv4('198.51.100.1')!;
const SOMEWHERE6 = parseIpv6('2001:db8:ffff::1')!;

const SETTINGS = [
  'ipv4/ip_unprivileged_port_start',
  'ipv4/ip_local_port_range',
  'ipv4/tcp_syn_retries',
  'ipv4/ip_nonlocal_bind',
  'ipv6/bindv6only',
];

export interface Outside {
  readonly addresses: readonly string[];
  /** The local address towards the world; null: no way there. */
  readonly source4: string | null;
  readonly source6: string | null;
  /** ::1 is there. */
  readonly loopback6: boolean;
  readonly settings: Readonly<Record<string, string>>;
}

export function lookOutside(): Outside {
  const found = listInterfaces();
  const interfaces = typeof found === 'number' ? [] : found.filter(({ up }) => up);
  const all = interfaces.flatMap(({ addresses }) => addresses.filter(({ tentative }) => !tentative));
  const addresses = all
    .map(({ address }) => address)
    .filter((address) => !/^(127\.|::1$|fe[89ab])/i.test(address));
  const settings: Record<string, string> = {};
  for (const name of SETTINGS) {
    const value = netSysctl(name);
    if (value !== null) {
      settings[name] = value;
    }
  }
  // Without a default route there may still be networks: any own address serves to speak from.
  const spare4 = addresses.find((address) => address.includes('.')) ?? null;
  return {
    addresses,
    source4: sourceTowards(4) ?? spare4,
    source6: sourceTowards(6),
    loopback6: all.some(({ address }) => address === '::1'),
    settings,
  };
}

function sourceTowards(version: 4 | 6): string | null {
  const fd = libc.socket(version === 4 ? AF_INET : AF_INET6, SOCK_DGRAM_CLOEXEC, 0);
  if (fd < 0) {
    return null;
  }
  const target = socketAddress(version, version === 4 ? SOMEWHERE4 : SOMEWHERE6, 9);
  const name = new Uint8Array(28);
  const known =
    libc.connect(fd, target, target.length) === 0 && libc.getsockname(fd, name, libc.int32(28)) === 0;
  libc.close(fd);
  return known ? (version === 4 ? ipv4Text(name, 4) : ipv6Text(name, 8)) : null;
}
