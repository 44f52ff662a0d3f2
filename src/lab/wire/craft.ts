/** A TCP segment made by hand, whole and with right checksums: Ethernet, IPv4 or IPv6, TCP. */
import { dissect } from '../../wire/dissect.ts';
import { emptyHeaders, LINK } from '../../wire/headers.ts';
import { parseIpv4, parseIpv6 } from '../../wire/net/address.ts';
import { expectedIp, expectedTransport } from '../../wire/net/checksum.ts';
import type { Segment } from '../api.ts';
import { flagBits } from './flags.ts';

const LINK_HEADER = 14;
const TCP_HEADER = 20;
const TCP = 6;
const HOPS = 64;
const WINDOW = 65_535;
/** The most that an IPv4 packet carries behind its headers. */
const MOST_DATA = 65_535 - 40;

export interface Macs {
  readonly from: string;
  readonly to: string;
}

/** A sentence when the segment cannot be made. */
export function segmentFrame(segment: Segment, macs: Macs): Uint8Array | string {
  const from = endpoint(segment.from);
  const to = endpoint(segment.to);
  const flags = flagBits(segment.flags);
  const data = new TextEncoder().encode(segment.data ?? '');
  const addresses = [macBytes(macs.to), macBytes(macs.from)];
  const fault =
    (typeof from === 'string' ? from : null) ??
    (typeof to === 'string' ? to : null) ??
    (typeof flags === 'string' ? flags : null) ??
    (addresses.includes(null) ? `no link address: ${macs.from}, ${macs.to}` : null) ??
    (data.length > MOST_DATA ? `${data.length} bytes do not fit into one segment` : null);
  if (fault !== null || typeof from === 'string' || typeof to === 'string' || typeof flags === 'string') {
    return String(fault);
  }
  if (from.address.length !== to.address.length) {
    return `${segment.from} and ${segment.to} are of different families`;
  }
  const v4 = from.address.length === 4;
  const transport = LINK_HEADER + (v4 ? 20 : 40);
  const frame = new Uint8Array(transport + TCP_HEADER + data.length);
  const view = new DataView(frame.buffer);
  frame.set(addresses[0]!, 0);
  frame.set(addresses[1]!, 6);
  view.setUint16(12, v4 ? 0x0800 : 0x86dd);
  if (v4) {
    view.setUint16(LINK_HEADER, 0x4500);
    view.setUint16(LINK_HEADER + 2, frame.length - LINK_HEADER);
    view.setUint16(LINK_HEADER + 6, 0x4000);
    frame[LINK_HEADER + 8] = HOPS;
    frame[LINK_HEADER + 9] = TCP;
  } else {
    frame[LINK_HEADER] = 0x60;
    view.setUint16(LINK_HEADER + 4, frame.length - transport);
    frame[LINK_HEADER + 6] = TCP;
    frame[LINK_HEADER + 7] = HOPS;
  }
  frame.set([...from.address, ...to.address], LINK_HEADER + (v4 ? 12 : 8));
  view.setUint16(transport, from.port);
  view.setUint16(transport + 2, to.port);
  view.setUint32(transport + 4, segment.seq ?? 0);
  view.setUint32(transport + 8, segment.ack ?? 0);
  frame[transport + 12] = (TCP_HEADER / 4) << 4;
  frame[transport + 13] = flags;
  view.setUint16(transport + 14, WINDOW);
  frame.set(data, transport + TCP_HEADER);
  finish(frame, view, v4);
  return frame;
}

function finish(frame: Uint8Array, view: DataView, v4: boolean): void {
  if (v4) {
    view.setUint16(LINK_HEADER + 10, expectedIp(frame, LINK_HEADER));
  }
  const h = emptyHeaders();
  h.bytes = frame;
  h.to = frame.length;
  h.wireLength = frame.length;
  h.linkType = LINK.ethernet;
  dissect(h);
  view.setUint16(h.transportAt + 16, expectedTransport(h));
}

function endpoint(text: string): { address: Uint8Array; port: number } | string {
  const found = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text);
  const address = parseIpv6(found?.[1] ?? '') ?? parseIpv4(found?.[2] ?? '');
  const port = Number(found?.[3]);
  return address === null || address.length === 0 || !(port <= 65_535)
    ? `${JSON.stringify(text)} is no address with a port, such as 10.9.0.1:80 or [fd09::1]:80`
    : { address, port };
}

function macBytes(text: string): Uint8Array | null {
  return /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(text)
    ? Uint8Array.from(text.split(':'), (byte) => Number.parseInt(byte, 16))
    : null;
}
