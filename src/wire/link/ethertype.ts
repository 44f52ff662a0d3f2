/** https://www.iana.org/assignments/ieee-802-numbers */
export const ETHERTYPE = {
  ipv4: 0x0800,
  arp: 0x0806,
  rarp: 0x8035,
  vlan: 0x8100,
  ipv6: 0x86dd,
  /** 802.1ad: the outer tag of two. */
  provider: 0x88a8,
  /** What switches used for the outer tag before 802.1ad. */
  stacked: 0x9100,
} as const;

/** At most this is a length (802.3 section 3.2.6), from 1536 on it is a type; between lies nothing. */
export const LONGEST_LENGTH = 1500;
export const FIRST_TYPE = 1536;

const NAMES: Readonly<Record<number, string>> = {
  2048: 'IPv4',
  2054: 'ARP',
  2114: 'Wake-on-LAN',
  8944: 'AVTP',
  17157: 'B.A.T.M.A.N.',
  24579: 'DECnet',
  32821: 'RARP',
  32923: 'AppleTalk',
  33024: 'VLAN',
  33079: 'IPX',
  34525: 'IPv6',
  34824: 'flow control',
  34825: 'slow protocols (LACP)',
  34887: 'MPLS',
  34888: 'MPLS multicast',
  34915: 'PPPoE discovery',
  34916: 'PPPoE session',
  34958: 'EAPOL',
  34962: 'PROFINET',
  34978: 'ATA over Ethernet',
  34980: 'EtherCAT',
  34984: 'provider VLAN',
  35020: 'LLDP',
  35041: 'HomePlug AV',
  35045: 'MACsec',
  35063: 'PTP',
  35074: 'CFM',
  35078: 'FCoE',
  35130: 'IEEE 1905',
  36864: 'loopback test',
  37120: 'VLAN (0x9100)',
};

export function etherTypeText(type: number): string {
  const name = NAMES[type];
  const number = `0x${type.toString(16).padStart(4, '0')}`;
  return name === undefined ? number : `${number} ${name}`;
}

export function isVlan(type: number): boolean {
  return type === ETHERTYPE.vlan || type === ETHERTYPE.provider || type === ETHERTYPE.stacked;
}
