/** The slow path: everything in a frame's headers, by name, with the bytes each value came from. */
import { type Headers, LINK, PROBLEM } from './headers.ts';
import { ethernetLayer, llcLayer, paddingLayer, vlanLayer } from './link/ethernet.ts';
import { ETHERTYPE, etherTypeText, FIRST_TYPE } from './link/ethertype.ts';
import { type Layer, u16 } from './link/fields.ts';
import { loopbackLayer } from './link/loopback.ts';
import { protocolName } from './link/protocols.ts';
import { isSllLlc, sll2Layer, sllLayer } from './link/sll.ts';
import { ipv4Text, ipv6Text } from './net/address.ts';
import { arpLayer, arpSummary } from './net/arp.ts';
import { icmpLayer, icmpSummary } from './net/icmp.ts';
import { icmpv6Layer, icmpv6Summary } from './net/icmpv6.ts';
import { ipv4Layer } from './net/ipv4.ts';
import { HOP_BY_HOP, ipv6Layers } from './net/ipv6.ts';
import { tcpLayer } from './transport/tcp.ts';
import { udpLayer } from './transport/udp.ts';

export type { Field, Layer } from './link/fields.ts';

const ICMP = 1;
const TCP = 6;
const UDP = 17;
const ICMPV6 = 58;

/** `h` is dissected. Outermost first. */
export function layers(h: Headers): Layer[] {
  const all = linkLayers(h);
  network(h, all);
  transport(h, all);
  const padding = h.linkType === LINK.ethernet ? paddingLayer(h) : null;
  if (padding !== null) {
    all.push(padding);
  }
  return all;
}

function linkLayers(h: Headers): Layer[] {
  const { bytes, to } = h;
  const all: Layer[] = [];
  /** What ends an Ethernet header or a tag: a type, or a length that LLC follows. */
  let type = FIRST_TYPE;
  let llc = false;
  switch (h.linkType) {
    case LINK.ethernet:
      all.push(ethernetLayer(h));
      type = lastWord(bytes, all);
      break;
    case LINK.linuxSll:
      all.push(sllLayer(h));
      llc = isSllLlc(h);
      break;
    case LINK.linuxSll2:
      all.push(sll2Layer(h));
      llc = isSllLlc(h);
      break;
    case LINK.null:
    case LINK.loop:
      return [loopbackLayer(h)];
  }
  // A datagram put together from fragments keeps the count of the tags, not their bytes.
  for (let tags = h.reassembled ? 0 : h.vlans; tags > 0; tags--) {
    all.push(vlanLayer(h, all.at(-1)?.to ?? h.from));
    type = lastWord(bytes, all);
  }
  const at = all.at(-1)?.to ?? to;
  if (at < to && (llc || type < FIRST_TYPE)) {
    all.push(llcLayer(h, at));
  }
  return all;
}
function lastWord(bytes: Uint8Array, all: Layer[]): number {
  return u16(bytes, all.at(-1)!.to - 2);
}

function network(h: Headers, all: Layer[]): void {
  if (h.netAt < 0 || h.netAt >= h.to) {
    return;
  }
  // Less than a header was captured: then the first byte alone says what it is.
  const version = h.net === 0 && h.problem === PROBLEM.truncated ? h.bytes[h.netAt]! >> 4 : h.net;
  if (h.etherType === ETHERTYPE.arp || h.etherType === ETHERTYPE.rarp) {
    all.push(arpLayer(h));
  } else if (version === 4) {
    all.push(ipv4Layer(h));
  } else if (version === 6) {
    all.push(...ipv6Layers(h));
  }
}

function transport(h: Headers, all: Layer[]): void {
  if (h.transportAt < 0 || h.transportAt >= Math.min(h.to, h.netEnd)) {
    return;
  }
  switch (h.protocol) {
    case TCP:
      all.push(tcpLayer(h));
      return;
    case UDP:
      all.push(udpLayer(h));
      return;
    case ICMP:
      if (h.net === 4) {
        all.push(icmpLayer(h));
      }
      return;
    case ICMPV6:
      if (h.net === 6) {
        all.push(icmpv6Layer(h));
      }
      return;
  }
}

/** One line for a packet that is no part of a TCP or UDP flow. */
export function summaryOf(h: Headers): string {
  const words = whatItIs(h);
  switch (h.problem) {
    case PROBLEM.truncated:
      return `${words} (captured short)`;
    case PROBLEM.malformed:
      return `${words} (malformed)`;
    default:
      return words;
  }
}

function whatItIs(h: Headers): string {
  if (h.etherType === ETHERTYPE.arp || h.etherType === ETHERTYPE.rarp) {
    return h.netAt < 0 ? 'ARP' : arpSummary(h);
  }
  if (h.net === 0) {
    return h.etherType >= FIRST_TYPE ? `ethertype ${etherTypeText(h.etherType)}` : linkSummary(h);
  }
  if (h.problem === PROBLEM.fragment) {
    return fragmentSummary(h);
  }
  if (h.transportAt >= 0 && h.protocol === ICMP && h.net === 4) {
    return icmpSummary(h);
  }
  if (h.transportAt >= 0 && h.protocol === ICMPV6 && h.net === 6) {
    return icmpv6Summary(h);
  }
  return `IPv${h.net} ${extensionWords(h)}${protocolName(h.protocol)} ${ends(h)}`;
}

/** `hop-by-hop ` where the datagram begins with that: routers must look at it. */
function extensionWords({ net, bytes, netAt, protocol }: Headers): string {
  const hopByHop = net === 6 && bytes[netAt + 6] === HOP_BY_HOP && protocol !== HOP_BY_HOP;
  return hopByHop ? 'hop-by-hop ' : '';
}

function ends(h: Headers): string {
  const text = h.net === 4 ? ipv4Text : ipv6Text;
  return `${text(h.bytes, h.sourceAt)} > ${text(h.bytes, h.destinationAt)}`;
}

function fragmentSummary(h: Headers): string {
  const fields = layers(h).flatMap((layer) => layer.fields);
  const value = (...names: string[]) => fields.find(({ name }) => names.includes(name))?.value;
  const offset = value('ip.frag_offset', 'ipv6.fraghdr.offset');
  const more = value('ip.flags.mf', 'ipv6.fraghdr.more');
  const which =
    offset === 0 ? 'first fragment' : more ? `fragment at ${offset}` : `last fragment at ${offset}`;
  return `IPv${h.net} ${protocolName(h.protocol)} ${which} ${ends(h)}`;
}

function linkSummary(h: Headers): string {
  const last = linkLayers(h).at(-1);
  return last?.title ?? (h.netAt >= 0 ? 'IP' : `link type ${h.linkType}`);
}
