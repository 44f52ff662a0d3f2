/** The header Linux gives when a capture listens on every interface. https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL.html and SLL2. */
import { type Headers, LINK } from '../headers.ts';
import { cut } from './cut.ts';
import { etherTypeText, FIRST_TYPE } from './ethertype.ts';
import { draft, finished, hex, type Layer, mac, named, num, u16 } from './fields.ts';

const SLL_HEADER = 16;
const SLL2_HEADER = 20;
/** linux/if_arp.h. On these the protocol field is no ethertype. */
const ARPHRD_NETLINK = 824;
const ARPHRD_IPGRE = 778;
/** linux/if_ether.h: a frame that begins with LLC. */
const ETH_P_802_2 = 4;

/** Sets `direction` and `etherType`; returns where the next header begins, or -1. A type of 0 stands for LLC without a length. */
export function readSll(h: Headers): number {
  const { bytes, from, to } = h;
  const second = h.linkType === LINK.linuxSll2;
  const end = from + (second ? SLL2_HEADER : SLL_HEADER);
  if (end > to) {
    cut(h, end);
    return -1;
  }
  const kind = second ? bytes[from + 10]! : u16(bytes, from);
  h.direction = kind <= 4 ? kind : -1;
  const hardware = u16(bytes, from + (second ? 8 : 2));
  const type = u16(bytes, from + (second ? 0 : 14));
  if (hardware === ARPHRD_NETLINK || hardware === ARPHRD_IPGRE) {
    return -1;
  }
  if (type === ETH_P_802_2) {
    h.etherType = 0;
    return end;
  }
  if (type < FIRST_TYPE) {
    return -1;
  }
  h.etherType = type;
  return end;
}

/** LLC follows at once, without the length that Ethernet has before it. */
export function isSllLlc({ bytes, from, to, linkType }: Headers): boolean {
  const at = from + (linkType === LINK.linuxSll2 ? 0 : 14);
  return at + 2 <= to && u16(bytes, at) === ETH_P_802_2;
}

const KINDS = named({
  0: 'to us',
  1: 'broadcast',
  2: 'multicast',
  3: 'to another host',
  4: 'sent by us',
});
const HARDWARE = named({
  1: 'Ethernet',
  280: 'CAN',
  512: 'PPP',
  768: 'IPIP tunnel',
  769: 'IPv6 tunnel',
  772: 'loopback',
  776: 'SIT tunnel',
  778: 'GRE',
  801: '802.11',
  803: '802.11 radiotap',
  824: 'netlink',
  65534: 'none',
});

export function sllLayer(h: Headers): Layer {
  const { from } = h;
  const d = draft(h.bytes, h.to, 'sll', 'Linux cooked', from);
  num(d, 'sll.pkttype', from, 2, KINDS);
  num(d, 'sll.hatype', from + 2, 2, HARDWARE);
  source(d, num(d, 'sll.halen', from + 4, 2), from + 6);
  num(d, 'sll.etype', from + 14, 2, protocolText);
  return finished(d, from + SLL_HEADER);
}

export function sll2Layer(h: Headers): Layer {
  const { from } = h;
  const d = draft(h.bytes, h.to, 'sll', 'Linux cooked v2', from);
  num(d, 'sll.etype', from, 2, protocolText);
  num(d, 'sll.ifindex', from + 4, 4);
  num(d, 'sll.hatype', from + 8, 2, HARDWARE);
  num(d, 'sll.pkttype', from + 10, 1, KINDS);
  source(d, num(d, 'sll.halen', from + 11, 1), from + 12);
  return finished(d, from + SLL2_HEADER);
}

function source(d: ReturnType<typeof draft>, length: number, at: number): void {
  if (length === 6) {
    mac(d, 'sll.src.eth', at);
  } else if (length > 0) {
    hex(d, 'sll.src.other', at, at + Math.min(length, 8));
  }
}

function protocolText(type: number): string {
  return type === ETH_P_802_2 ? '0x0004 LLC' : etherTypeText(type);
}
