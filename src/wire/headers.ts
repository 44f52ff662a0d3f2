/**
 * Where everything lies in one frame. One object is made per capture and filled again for each packet: the hot path
 * holds offsets and numbers, never strings. Offsets are absolute in `bytes`; -1 means "not there".
 */

/** https://www.tcpdump.org/linktypes.html: the ones a machine's own interfaces and tools produce. */
export const LINK = {
  null: 0,
  ethernet: 1,
  rawOld: 12,
  raw: 101,
  loop: 108,
  linuxSll: 113,
  ipv4: 228,
  ipv6: 229,
  linuxSll2: 276,
} as const;

/** What the dissection could not do. 0: all well. */
export const PROBLEM = {
  none: 0,
  /** The capture holds fewer bytes than the headers need (snap length, cut file). */
  truncated: 1,
  /** A header contradicts itself: a length field shorter than the header, a version that is not there. */
  malformed: 2,
  /** An IP fragment that is not (yet) a whole datagram. */
  fragment: 3,
} as const;

export interface Headers {
  bytes: Uint8Array;
  /** The captured frame is bytes[from, to). */
  from: number;
  to: number;
  /** How long the frame was on the wire; never less than to - from. */
  wireLength: number;
  /** Nanoseconds since the start of the session. */
  at: number;
  /** LINK.raw is also what a frame has that was entered above its link header, or put together from fragments. */
  linkType: number;
  /** From SLL, SLL2 or a socket: 0 to us, 1 broadcast, 2 multicast, 3 to another host, 4 outgoing; -1 unknown. */
  direction: number;
  /** The innermost ethertype (after VLAN tags), -1 where the link has none. */
  etherType: number;
  /** The outermost VLAN id, -1 without a tag; `vlans` says how many tags are stacked. */
  vlan: number;
  vlans: number;
  problem: number;
  /** Where the network header begins; -1 when there is none we know. */
  netAt: number;
  /** 4, 6, or 0 when it is not IP. */
  net: number;
  /** Where the source and destination address begin (4 or 16 bytes by `net`). */
  sourceAt: number;
  destinationAt: number;
  ttl: number;
  /** The end of the datagram by its own length field: may be beyond `to` (captured short) and before it (padding of Ethernet). */
  netEnd: number;
  /** The protocol after all extension headers: 6 TCP, 17 UDP, 1 ICMP, 58 ICMPv6, …; -1 without IP. */
  protocol: number;
  /** True for a datagram that was put together from fragments: `bytes` is then its own buffer. */
  reassembled: boolean;
  transportAt: number;
  sourcePort: number;
  destinationPort: number;
  /** TCP: as on the wire, unsigned 32 bits; `flags` is the low 9 bits of bytes 12 and 13 (FIN 1 … CWR 128, AE 256); `window` unscaled. */
  seq: number;
  ack: number;
  flags: number;
  window: number;
  /** TCP: where options begin and end (equal: none). */
  optionsAt: number;
  optionsEnd: number;
  /** The transport payload captured is bytes[payloadAt, payloadEnd); `payloadLength` is what was on the wire. */
  payloadAt: number;
  payloadEnd: number;
  payloadLength: number;
}

export function emptyHeaders(): Headers {
  return {
    bytes: new Uint8Array(0),
    from: 0,
    to: 0,
    wireLength: 0,
    at: 0,
    linkType: LINK.ethernet,
    direction: -1,
    etherType: -1,
    vlan: -1,
    vlans: 0,
    problem: PROBLEM.none,
    netAt: -1,
    net: 0,
    sourceAt: -1,
    destinationAt: -1,
    ttl: -1,
    netEnd: -1,
    protocol: -1,
    reassembled: false,
    transportAt: -1,
    sourcePort: -1,
    destinationPort: -1,
    seq: 0,
    ack: 0,
    flags: 0,
    window: 0,
    optionsAt: -1,
    optionsEnd: -1,
    payloadAt: -1,
    payloadEnd: -1,
    payloadLength: 0,
  };
}
