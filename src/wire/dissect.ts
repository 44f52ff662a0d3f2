/**
 * Where everything lies in a frame: the hot path. Nothing is allocated and nothing is thrown; what cannot be read is in
 * `problem`. The detailed tree is in layers.ts.
 */
import { type Headers, LINK, PROBLEM } from './headers.ts';
import { readEthernet, readLlc, readVlans } from './link/ethernet.ts';
import { ETHERTYPE, FIRST_TYPE, isVlan } from './link/ethertype.ts';
import { LOOPBACK_HEADER, readLoopback } from './link/loopback.ts';
import { readSll } from './link/sll.ts';
import { readArp } from './net/arp.ts';
import { readIpv4 } from './net/ipv4.ts';
import { readIpv6 } from './net/ipv6.ts';
import { readTcp } from './transport/tcp.ts';
import { readPorts, readUdp } from './transport/udp.ts';

const TCP = 6;
const UDP = 17;

/** The caller has set bytes, from, to, wireLength, at and linkType; and `direction`, which only a cooked header changes. */
export function dissect(h: Headers): void {
  reset(h);
  switch (h.linkType) {
    case LINK.ethernet: {
      const at = readEthernet(h);
      if (at >= 0) {
        afterLink(h, at);
      }
      return;
    }
    case LINK.linuxSll:
    case LINK.linuxSll2: {
      const at = readSll(h);
      if (at >= 0) {
        afterLink(h, at);
      }
      return;
    }
    case LINK.null:
    case LINK.loop:
      ip(h, h.from + LOOPBACK_HEADER, readLoopback(h));
      return;
    case LINK.raw:
    case LINK.rawOld:
      ip(h, h.from, h.from < h.to ? h.bytes[h.from]! >> 4 : 0);
      return;
    case LINK.ipv4:
      ip(h, h.from, 4);
      return;
    case LINK.ipv6:
      ip(h, h.from, 6);
      return;
  }
}

/** Enters where the network header (or a VLAN tag) begins. The frame is one without a link header from here on. */
export function dissectNetwork(h: Headers, etherType: number): void {
  reset(h);
  h.linkType = LINK.raw;
  h.etherType = etherType;
  afterLink(h, h.from);
}

function reset(h: Headers): void {
  h.etherType = -1;
  h.vlan = -1;
  h.vlans = 0;
  h.problem = PROBLEM.none;
  h.netAt = -1;
  h.net = 0;
  h.sourceAt = -1;
  h.destinationAt = -1;
  h.ttl = -1;
  h.netEnd = -1;
  h.protocol = -1;
  h.reassembled = false;
  h.transportAt = -1;
  h.sourcePort = -1;
  h.destinationPort = -1;
  h.seq = 0;
  h.ack = 0;
  h.flags = 0;
  h.window = 0;
  h.optionsAt = -1;
  h.optionsEnd = -1;
  h.payloadAt = -1;
  h.payloadEnd = -1;
  h.payloadLength = 0;
}

function afterLink(h: Headers, start: number): void {
  let at = start;
  if (isVlan(h.etherType)) {
    at = readVlans(h, at);
    if (at < 0) {
      return;
    }
  }
  if (h.etherType < FIRST_TYPE) {
    at = readLlc(h, at);
    if (at < 0) {
      return;
    }
  }
  switch (h.etherType) {
    case ETHERTYPE.ipv4:
      ip(h, at, 4);
      return;
    case ETHERTYPE.ipv6:
      ip(h, at, 6);
      return;
    case ETHERTYPE.arp:
    case ETHERTYPE.rarp:
      readArp(h, at);
      return;
  }
}

function ip(h: Headers, at: number, version: number): void {
  if (version === 4 ? readIpv4(h, at) : version === 6 && readIpv6(h, at)) {
    if (h.protocol === TCP) {
      readTcp(h);
    } else if (h.protocol === UDP) {
      readUdp(h);
    }
  } else if (h.problem === PROBLEM.fragment && h.transportAt >= 0) {
    readPorts(h);
  }
}
