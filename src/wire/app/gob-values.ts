/** Bytes inside gobs, as people read them. */
import { text } from './text.ts';

const HEX_SHOWN = 512;
/** From year 1 to 1970. */
const BEFORE_UNIX = 62_135_596_800n;

/** Text when they are text, otherwise hexadecimal digits behind `0x`. */
export function octets(bytes: Uint8Array, from: number, to: number): string {
  for (let i = from; i < to; i++) {
    const byte = bytes[i]!;
    if ((byte < 32 && byte !== 9 && byte !== 10 && byte !== 13) || byte === 127) {
      return hex(bytes, from, to);
    }
  }
  const shown = text(bytes, from, to);
  return shown.includes('\ufffd') ? hex(bytes, from, to) : shown;
}

function hex(bytes: Uint8Array, from: number, to: number): string {
  let digits = '0x';
  const stop = Math.min(to, from + HEX_SHOWN);
  for (let i = from; i < stop; i++) {
    digits += bytes[i]!.toString(16).padStart(2, '0');
  }
  return stop < to ? `${digits}…` : digits;
}

/** What time.Time makes of itself: a version, seconds since year 1, nanoseconds, and minutes east of UTC. */
export function goTime(bytes: Uint8Array, from: number, to: number): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset + from, to - from);
  // Version 2 has seconds of the offset behind its minutes.
  const version = to > from ? bytes[from]! : 0;
  if (view.byteLength !== 14 + version || version < 1 || version > 2) {
    return octets(bytes, from, to);
  }
  const seconds = Number(view.getBigInt64(1) - BEFORE_UNIX);
  const nanoseconds = view.getInt32(9);
  if (Math.abs(seconds) > 8.64e12 || nanoseconds < 0 || nanoseconds > 999_999_999) {
    return octets(bytes, from, to);
  }
  const whole = new Date(seconds * 1000).toISOString().slice(0, -5);
  const fraction = nanoseconds === 0 ? '' : `.${String(nanoseconds).padStart(9, '0').replace(/0+$/, '')}`;
  return `${whole}${fraction}Z`;
}
