/** Interfaces take the VLAN tag out of a frame and hand it over beside it. Whoever reads the frame wants it back where it was. */
import type { Frame } from '../kernel/ring.ts';

const TAG = 4;
/** Behind both Ethernet addresses. */
const PLACE = 12;
const DOT1Q = 0x8100;
let buffer = new Uint8Array(65_536 + TAG);

/** The frame with its tag, in a buffer that the next call overwrites. */
export function withTag(frame: Frame): { bytes: Uint8Array; from: number; to: number } {
  const length = frame.to - frame.from;
  if (length + TAG > buffer.length) {
    buffer = new Uint8Array(2 * (length + TAG));
  }
  buffer.set(frame.bytes.subarray(frame.from, frame.from + PLACE));
  const protocol = frame.vlanProtocol === 0 ? DOT1Q : frame.vlanProtocol;
  buffer[PLACE] = protocol >> 8;
  buffer[PLACE + 1] = protocol & 255;
  buffer[PLACE + 2] = (frame.vlanTag >> 8) & 255;
  buffer[PLACE + 3] = frame.vlanTag & 255;
  buffer.set(frame.bytes.subarray(frame.from + PLACE, frame.to), PLACE + TAG);
  return { bytes: buffer, from: 0, to: length + TAG };
}
