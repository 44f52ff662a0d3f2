/** What the headers' fields are called: those of `layers`, so that a slip in --fields is told at once and not by an empty column. */

const NAMES = new Set(
  `
  ah.icv ah.length ah.sequence ah.spi arp.hw.size arp.hw.type arp.op arp.proto.size arp.proto.type
  eth.dst eth.len eth.padding eth.padding.len eth.src eth.type icmp.addr_entry_size icmp.address_mask
  icmp.checksum icmp.code icmp.id icmp.len icmp.lifetime icmp.mtu icmp.num_addrs
  icmp.originate_timestamp icmp.pointer icmp.quoted icmp.receive_timestamp icmp.redir_gw
  icmp.router_address icmp.seq icmp.transmit_timestamp icmp.type icmpv6.checksum icmpv6.code
  icmpv6.echo.id icmpv6.echo.seq icmpv6.len icmpv6.mld.maximum_response_delay
  icmpv6.mld.multicast_address icmpv6.mldr.multicast_address icmpv6.mldr.nb_mcast_records
  icmpv6.mldr.record_type icmpv6.mldr.source_address icmpv6.mtu icmpv6.nd.na.flag.o
  icmpv6.nd.na.flag.r icmpv6.nd.na.flag.s icmpv6.nd.na.target_address icmpv6.nd.ns.target_address
  icmpv6.nd.ra.cur_hop_limit icmpv6.nd.ra.flag.m icmpv6.nd.ra.flag.o icmpv6.nd.ra.reachable_time
  icmpv6.nd.ra.retrans_timer icmpv6.nd.ra.router_lifetime icmpv6.opt.data icmpv6.opt.malformed
  icmpv6.opt.mtu icmpv6.opt.prefix icmpv6.opt.prefix.flag.a icmpv6.opt.prefix.flag.l
  icmpv6.opt.prefix.length icmpv6.opt.prefix.preferred_lifetime icmpv6.opt.prefix.valid_lifetime
  icmpv6.opt.rdnss icmpv6.opt.rdnss.lifetime icmpv6.opt.route_info.preference
  icmpv6.opt.route_lifetime icmpv6.opt.src_linkaddr icmpv6.opt.target_linkaddr icmpv6.opt.type
  icmpv6.pointer icmpv6.quoted icmpv6.rd.destination_address icmpv6.rd.target_address icmpv6.type
  ip.checksum ip.dsfield ip.dst ip.flags.df ip.flags.mf ip.frag_offset ip.hdr_len ip.id ip.len
  ip.opt.data ip.opt.eol ip.opt.flag ip.opt.malformed ip.opt.nop ip.opt.overflow ip.opt.ptr ip.opt.ra
  ip.opt.time_stamp ip.opt.time_stamp_addr ip.opt.type ip.proto ip.rec_rt ip.src ip.src_rt ip.ttl
  ip.version ipv6.dst ipv6.dstopts ipv6.flow ipv6.fraghdr ipv6.fraghdr.ident ipv6.fraghdr.more
  ipv6.fraghdr.offset ipv6.hlim ipv6.hopopts ipv6.nxt ipv6.opt.data ipv6.opt.home_address
  ipv6.opt.jumbo ipv6.opt.malformed ipv6.opt.pad1 ipv6.opt.router_alert ipv6.opt.type ipv6.plen
  ipv6.routing ipv6.routing.addr ipv6.routing.data ipv6.routing.segleft ipv6.routing.srh.flags
  ipv6.routing.srh.last_entry ipv6.routing.srh.tag ipv6.routing.type ipv6.src ipv6.tclass ipv6.version
  llc.control llc.dsap llc.oui llc.ssap llc.type null.family sll.etype sll.halen sll.hatype
  sll.ifindex sll.pkttype sll.src.eth sll.src.other tcp.ack tcp.checksum tcp.dstport tcp.flags
  tcp.hdr_len tcp.len tcp.options.ao.keyid tcp.options.ao.mac tcp.options.ao.rnextkeyid
  tcp.options.data tcp.options.eol tcp.options.experimental.data tcp.options.experimental.exid
  tcp.options.kind tcp.options.malformed tcp.options.md5.digest tcp.options.mptcp tcp.options.mss
  tcp.options.nop tcp.options.sack_le tcp.options.sack_perm tcp.options.sack_re tcp.options.tfo.cookie
  tcp.options.tfo.request tcp.options.timestamp.tsecr tcp.options.timestamp.tsval tcp.options.user_to
  tcp.options.wscale tcp.seq tcp.srcport tcp.urgent tcp.window udp.checksum udp.dstport udp.len
  udp.length udp.srcport vlan.dei vlan.etype vlan.id vlan.len vlan.priority
`
    .trim()
    .split(/\s+/),
);

/** Below these the last word depends on the packet: `icmp.quoted.srcport`, `tcp.options.mptcp.sendkey`. */
const OPEN = [
  'arp.src.',
  'arp.dst.',
  'icmp.quoted.',
  'icmpv6.quoted.',
  'ip.rec_rt.',
  'ip.src_rt.',
  'ipv6.dstopts.',
  'ipv6.fraghdr.',
  'ipv6.hopopts.',
  'ipv6.routing.',
  'tcp.options.mptcp.',
];

export const headerFields: ReadonlySet<string> = NAMES;

export function isHeaderField(name: string): boolean {
  return NAMES.has(name) || OPEN.some((start) => name.startsWith(start));
}
