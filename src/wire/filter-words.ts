/** The words of pcap-filter(7): which are understood, which are refused and why, which numbers have a name. */

/** Protocols that may stand alone or in front of a qualifier. The value is the name used from here on. */
export const PROTOCOLS: ReadonlyMap<string, string> = new Map(
  Object.entries({
    ether: 'link',
    link: 'link',
    fddi: 'link',
    tr: 'link',
    wlan: 'link',
    ppp: 'link',
    slip: 'link',
  }).concat(
    'ip ip6 arp rarp tcp udp sctp icmp icmp6 igmp igrp pim vrrp carp ah esp atalk aarp decnet lat sca mopdl moprc stp ipx netbeui iso'
      .split(' ')
      .map((name) => [name, name]),
  ),
);

const ON_WIRELESS = 'It needs 802.11 headers, which no capture of this program has.';
const ON_PF = 'It needs the pflog device of a BSD. Choose the interface with -i, or by ifindex NUMBER.';
const ON_ATM = 'It needs an ATM capture.';
const ON_SS7 = 'It needs an SS7 capture.';
const ON_ISIS = 'Of the OSI protocols only iso can be named.';

/** Words of the language that are refused, each with the sentence that says why. They are no names either. */
export const REFUSED: ReadonlyMap<string, string> = new Map([
  ['protochain', 'It needs a loop, and the kernel takes no filter with a loop: write proto NUMBER.'],
  ['gateway', 'Write ether host MAC and not host ADDRESS instead.'],
  [
    'pppoes',
    'What is inside a PPPoE session cannot be reached: write ether proto 0x8864 for the session packets.',
  ],
  ['geneve', 'What is inside a Geneve tunnel cannot be reached: write udp port 6081.'],
  ['llc', 'Write ether proto NUMBER for an 802.2 service.'],
  ['byte', 'Write link[OFFSET] = VALUE.'],
  ['ifname', ON_PF],
  ['on', ON_PF],
  ...['type', 'subtype', 'dir', 'direction', 'ra', 'ta', 'radio'].map((word) => [word, ON_WIRELESS] as const),
  ...[1, 2, 3, 4].flatMap((n) => [`addr${n}`, `address${n}`].map((word) => [word, ON_WIRELESS] as const)),
  ...['rset', 'ruleset', 'rnr', 'rulenum', 'srnr', 'subrulenum', 'reason', 'action'].map(
    (word) => [word, ON_PF] as const,
  ),
  ...'lane metac bcc oam oamf4 oamf4ec oamf4sc sc ilmic vpi vci connectmsg metaconnect'
    .split(' ')
    .map((word) => [word, ON_ATM] as const),
  ...'fisu lssu lsu msu hfisu hlssu hmsu sio opc dpc sls hsio hopc hdpc hsls'
    .split(' ')
    .map((word) => [word, ON_SS7] as const),
  ...'esis es-is isis is-is clnp l1 l2 iih lsp snp csnp psnp'
    .split(' ')
    .map((word) => [word, ON_ISIS] as const),
]);

export const TYPES: ReadonlySet<string> = new Set(['host', 'net', 'port', 'portrange']);

const OTHERS =
  'src dst host net mask port portrange proto less greater broadcast multicast len length inbound outbound ifindex vlan mpls pppoed'.split(
    ' ',
  );

export const KEYWORDS: ReadonlySet<string> = new Set([...PROTOCOLS.keys(), ...REFUSED.keys(), ...OTHERS]);

/** Numbers with a name: header offsets, ICMP and ICMPv6 types, TCP flags. */
export const CONSTANTS: ReadonlyMap<string, number> = new Map([
  ['icmptype', 0],
  ['icmpcode', 1],
  ['icmp6type', 0],
  ['icmp6code', 1],
  ['tcpflags', 13],
  ['tcp-fin', 0x01],
  ['tcp-syn', 0x02],
  ['tcp-rst', 0x04],
  ['tcp-push', 0x08],
  ['tcp-ack', 0x10],
  ['tcp-urg', 0x20],
  ['tcp-ece', 0x40],
  ['tcp-cwr', 0x80],
  ['icmp-echoreply', 0],
  ['icmp-unreach', 3],
  ['icmp-sourcequench', 4],
  ['icmp-redirect', 5],
  ['icmp-echo', 8],
  ['icmp-routeradvert', 9],
  ['icmp-routersolicit', 10],
  ['icmp-timxceed', 11],
  ['icmp-paramprob', 12],
  ['icmp-tstamp', 13],
  ['icmp-tstampreply', 14],
  ['icmp-ireq', 15],
  ['icmp-ireqreply', 16],
  ['icmp-maskreq', 17],
  ['icmp-maskreply', 18],
  ['icmp6-destinationunreach', 1],
  ['icmp6-packettoobig', 2],
  ['icmp6-timeexceeded', 3],
  ['icmp6-parameterproblem', 4],
  ['icmp6-echo', 128],
  ['icmp6-echoreply', 129],
  ['icmp6-multicastlistenerquery', 130],
  ['icmp6-multicastlistenerreportv1', 131],
  ['icmp6-multicastlistenerdone', 132],
  ['icmp6-routersolicit', 133],
  ['icmp6-routeradvert', 134],
  ['icmp6-neighborsolicit', 135],
  ['icmp6-neighboradvert', 136],
  ['icmp6-redirect', 137],
  ['icmp6-routerrenum', 138],
  ['icmp6-nodeinformationquery', 139],
  ['icmp6-nodeinformationresponse', 140],
  ['icmp6-ineighbordiscoverysolicit', 141],
  ['icmp6-ineighbordiscoveryadvert', 142],
  ['icmp6-multicastlistenerreportv2', 143],
  ['icmp6-homeagentdiscoveryrequest', 144],
  ['icmp6-homeagentdiscoveryreply', 145],
  ['icmp6-mobileprefixsolicit', 146],
  ['icmp6-mobileprefixadvert', 147],
  ['icmp6-certpathsolicit', 148],
  ['icmp6-certpathadvert', 149],
  ['icmp6-multicastrouteradvert', 151],
  ['icmp6-multicastroutersolicit', 152],
  ['icmp6-multicastrouterterm', 153],
]);

/** IP protocols by name, for `proto \NAME`: those of /etc/protocols that carry traffic today. */
export const IP_PROTOCOLS: ReadonlyMap<string, number> = new Map(
  Object.entries({
    ip: 0,
    icmp: 1,
    igmp: 2,
    ipencap: 4,
    tcp: 6,
    egp: 8,
    igp: 9,
    udp: 17,
    dccp: 33,
    ipv6: 41,
    'ipv6-route': 43,
    'ipv6-frag': 44,
    rsvp: 46,
    gre: 47,
    esp: 50,
    ah: 51,
    'ipv6-icmp': 58,
    'ipv6-nonxt': 59,
    'ipv6-opts': 60,
    eigrp: 88,
    ospf: 89,
    ipip: 94,
    pim: 103,
    ipcomp: 108,
    vrrp: 112,
    l2tp: 115,
    sctp: 132,
    'mobility-header': 135,
    udplite: 136,
    'mpls-in-ip': 137,
  }),
);

/** Ethertypes and, up to 1500, 802.2 service access points, for `ether proto \NAME` and for the name alone. */
export const ETHER_PROTOCOLS: ReadonlyMap<string, number> = new Map(
  Object.entries({
    ip: 0x0800,
    arp: 0x0806,
    rarp: 0x8035,
    ip6: 0x86dd,
    atalk: 0x809b,
    aarp: 0x80f3,
    decnet: 0x6003,
    lat: 0x6004,
    sca: 0x6007,
    mopdl: 0x6001,
    moprc: 0x6002,
    loopback: 0x9000,
    stp: 0x42,
    iso: 0xfe,
    ipx: 0xe0,
    netbeui: 0xf0,
  }),
);

/** Those people type most come first: they win when two words are equally near. */
const SUGGESTED = [
  ...'port host net tcp udp and or not src dst portrange ip ip6 arp icmp icmp6 ether proto vlan'.split(' '),
  ...[...KEYWORDS].filter((word) => !REFUSED.has(word)),
  ...CONSTANTS.keys(),
];

/** The word of the language that `typed` most likely stands for, or null. */
export function nearestWord(typed: string, among: readonly string[] = SUGGESTED): string | null {
  const lower = typed.toLowerCase();
  let best: string | null = null;
  let fewest = typed.length < 4 ? 2 : 3;
  for (const word of among) {
    const far = Math.abs(word.length - lower.length) < fewest ? distance(lower, word) : fewest;
    if (far < fewest && far < word.length) {
      best = word;
      fewest = far;
    }
  }
  return best;
}

/** Letters to change, add, drop or swap with their neighbour. */
function distance(a: string, b: string): number {
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let far = Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + same);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        far = Math.min(far, before[j - 2]! + 1);
      }
      next.push(far);
    }
    before = row;
    row = next;
  }
  return row[b.length]!;
}
