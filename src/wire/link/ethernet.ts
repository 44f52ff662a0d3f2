/** Ethernet II, 802.3 with LLC and SNAP, and VLAN tags. */
import { type Headers, PROBLEM } from '../headers.ts';
import { cut } from './cut.ts';
import { etherTypeText, FIRST_TYPE, isVlan, LONGEST_LENGTH } from './ethertype.ts';
import { bits, draft, finished, hex, hex16, type Layer, mac, macText, num, put, u16 } from './fields.ts';

const HEADER = 14;
const TAG = 4;
/** More tags than anybody stacks. */
const MAX_TAGS = 8;
const LLC = 3;
const SNAP = 8;

/** Sets `etherType` to what follows the addresses; returns where that begins, -1 when there is nothing to go on with. */
export function readEthernet(h: Headers): number {
  const at = h.from;
  if (at + HEADER > h.to) {
    cut(h, at + HEADER);
    return -1;
  }
  h.etherType = (h.bytes[at + 12]! << 8) | h.bytes[at + 13]!;
  return at + HEADER;
}

/** Goes past the tags at `at`, whose type is in `etherType`. */
export function readVlans(h: Headers, start: number): number {
  const { bytes, to } = h;
  let at = start;
  while (isVlan(h.etherType)) {
    if (h.vlans === MAX_TAGS) {
      h.problem = PROBLEM.malformed;
      return -1;
    }
    if (at + TAG > to) {
      cut(h, at + TAG);
      return -1;
    }
    if (h.vlans === 0) {
      h.vlan = ((bytes[at]! & 15) << 8) | bytes[at + 1]!;
    }
    h.vlans++;
    h.etherType = (bytes[at + 2]! << 8) | bytes[at + 3]!;
    at += TAG;
  }
  return at;
}

/** An `etherType` below 1536 is the frame's length, and LLC follows. With SNAP of organisation 0 there is a type after all (RFC 1042). */
export function readLlc(h: Headers, at: number): number {
  const { bytes, to } = h;
  const length = h.etherType;
  h.etherType = -1;
  if (length > LONGEST_LENGTH || at + length > h.from + h.wireLength) {
    h.problem = PROBLEM.malformed;
    return -1;
  }
  if (at + LLC > to) {
    cut(h, at + LLC);
    return -1;
  }
  if (!isSnap(bytes, at)) {
    return -1;
  }
  if (at + SNAP > to) {
    cut(h, at + SNAP);
    return -1;
  }
  if (bytes[at + 3] !== 0 || bytes[at + 4] !== 0 || bytes[at + 5] !== 0) {
    return -1;
  }
  h.etherType = u16(bytes, at + 6);
  return at + SNAP;
}

function isSnap(bytes: Uint8Array, at: number): boolean {
  return bytes[at] === 0xaa && bytes[at + 1] === 0xaa && bytes[at + 2] === 3;
}

export function ethernetLayer(h: Headers): Layer {
  const { bytes, from, to } = h;
  const d = draft(bytes, to, 'eth', 'Ethernet', from);
  mac(d, 'eth.dst', from);
  mac(d, 'eth.src', from + 6);
  if (from + HEADER <= to) {
    d.layer.title = `Ethernet ${macText(bytes, from + 6)} > ${macText(bytes, from)}`;
    if (u16(bytes, from + 12) < FIRST_TYPE) {
      num(d, 'eth.len', from + 12, 2);
    } else {
      num(d, 'eth.type', from + 12, 2, etherTypeText);
    }
  }
  return finished(d, from + HEADER);
}

export function vlanLayer(h: Headers, at: number): Layer {
  const d = draft(h.bytes, h.to, 'vlan', 'VLAN', at);
  bits(d, 'vlan.priority', at, 2, 13, 7);
  bits(d, 'vlan.dei', at, 2, 12, 1);
  const id = bits(d, 'vlan.id', at, 2, 0, 0xfff);
  if (id >= 0) {
    d.layer.title = `VLAN ${id}`;
  }
  if (at + TAG <= h.to && u16(h.bytes, at + 2) < FIRST_TYPE) {
    num(d, 'vlan.len', at + 2, 2);
  } else {
    num(d, 'vlan.etype', at + 2, 2, etherTypeText);
  }
  return finished(d, at + TAG);
}

const SAPS: Readonly<Record<number, string>> = {
  0: 'null',
  6: 'IP',
  66: 'spanning tree',
  170: 'SNAP',
  224: 'IPX',
  240: 'NetBIOS',
  254: 'OSI',
};

export function llcLayer(h: Headers, at: number): Layer {
  const { bytes, to } = h;
  const d = draft(bytes, to, 'llc', 'LLC', at);
  const sap = (value: number) =>
    `0x${value.toString(16).padStart(2, '0')} ${SAPS[value & 0xfe] ?? ''}`.trim();
  const dsap = num(d, 'llc.dsap', at, 1, sap);
  num(d, 'llc.ssap', at + 1, 1, sap);
  num(d, 'llc.control', at + 2, 1, (value) => `0x${value.toString(16).padStart(2, '0')}`);
  if (dsap >= 0 && SAPS[dsap & 0xfe] !== undefined) {
    d.layer.title = `LLC ${SAPS[dsap & 0xfe]}`;
  }
  if (at + LLC > to || !isSnap(bytes, at)) {
    return finished(d, at + LLC);
  }
  num(d, 'llc.oui', at + 3, 3, (value) => `0x${value.toString(16).padStart(6, '0')}`);
  const ours = at + SNAP <= to && u16(bytes, at + 3) === 0 && bytes[at + 5] === 0;
  num(d, 'llc.type', at + 6, 2, ours ? etherTypeText : hex16);
  return finished(d, at + SNAP);
}

/** What fills an Ethernet frame up to 60 bytes, and whatever a switch appended. */
export function paddingLayer(h: Headers): Layer | null {
  const sound = h.problem === PROBLEM.none || h.problem === PROBLEM.fragment;
  if (!sound || h.netEnd < 0 || h.netEnd >= h.to) {
    return null;
  }
  const d = draft(h.bytes, h.to, 'padding', 'padding', h.netEnd);
  put(d, 'eth.padding.len', h.to - h.netEnd, `${h.to - h.netEnd} bytes`, h.netEnd, h.to);
  hex(d, 'eth.padding', h.netEnd, h.to);
  return finished(d, h.to);
}
