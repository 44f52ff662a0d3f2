/** BSD loopback: four bytes of address family. https://www.tcpdump.org/linktypes.html, LINKTYPE_NULL and LINKTYPE_LOOP. */
import { type Headers, LINK } from '../headers.ts';
import { cut } from './cut.ts';
import { draft, finished, type Layer, put, u32 } from './fields.ts';

export const LOOPBACK_HEADER = 4;

/** 4, 6 or 0. AF_INET6 is 24, 28 or 30 on the BSDs and macOS, 10 on Linux. */
export function familyVersion(family: number): 0 | 4 | 6 {
  switch (family) {
    case 2:
      return 4;
    case 10:
    case 24:
    case 28:
    case 30:
      return 6;
    default:
      return 0;
  }
}

/** LINKTYPE_NULL is in the order of the machine that wrote it: families are small, so the low bytes tell which. */
function family(h: Headers): number {
  const { bytes, from } = h;
  const value = u32(bytes, from);
  if (h.linkType === LINK.loop || value <= 0xffff) {
    return value;
  }
  return ((bytes[from + 3]! << 24) | (bytes[from + 2]! << 16) | (bytes[from + 1]! << 8) | bytes[from]!) >>> 0;
}

/** The IP version that follows; 0 when something else does or nothing can be read. */
export function readLoopback(h: Headers): 0 | 4 | 6 {
  if (h.from + LOOPBACK_HEADER > h.to) {
    cut(h, h.from + LOOPBACK_HEADER);
    return 0;
  }
  return familyVersion(family(h));
}

export function loopbackLayer(h: Headers): Layer {
  const { from, to } = h;
  const d = draft(h.bytes, to, 'null', 'BSD loopback', from);
  if (from + LOOPBACK_HEADER <= to) {
    const value = family(h);
    const version = familyVersion(value);
    const text = version === 0 ? String(value) : `${value} (IPv${version})`;
    put(d, 'null.family', value, text, from, from + LOOPBACK_HEADER);
  }
  return finished(d, from + LOOPBACK_HEADER);
}
