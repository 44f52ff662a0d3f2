/** Frames for tests. */
import { emptyHeaders, finishChecksum, readHeaders } from './frames.ts';

export interface FrameWish {
  readonly version: 4 | 6;
  readonly protocol: number;
  readonly from: number;
  readonly to: number;
  /** Last byte of 198.51.100.x or 2001:db8::x; 127.0.0.1 and ::1 when it is 0. */
  readonly fromHost?: number;
  readonly toHost?: number;
  readonly flags?: number;
  readonly sequence?: number;
  readonly payload?: Buffer;
}

export function hostBytes(version: 4 | 6, last: number): Buffer {
  if (version === 4) {
    return Buffer.from(last === 0 ? [127, 0, 0, 1] : [198, 51, 100, last]);
  }
  const bytes = Buffer.alloc(16);
  if (last === 0) {
    bytes[15] = 1;
  } else {
    bytes.set([0x20, 0x01, 0x0d, 0xb8]);
    bytes[15] = last;
  }
  return bytes;
}

export function frameOf(wish: FrameWish): Buffer {
  const { version, protocol, payload = Buffer.alloc(0) } = wish;
  const size = (protocol === 6 ? 20 : 8) + payload.length;
  const ip = version === 4 ? 20 : 40;
  const frame = Buffer.alloc(14 + ip + size);
  frame.writeUInt16BE(version === 4 ? 0x0800 : 0x86dd, 12);
  const hosts = Buffer.concat([hostBytes(version, wish.fromHost ?? 1), hostBytes(version, wish.toHost ?? 2)]);
  if (version === 4) {
    frame[14] = 0x45;
    frame.writeUInt16BE(ip + size, 16);
    frame[23] = protocol;
    frame.set(hosts, 26);
  } else {
    frame[14] = 0x60;
    frame.writeUInt16BE(size, 18);
    frame[20] = protocol;
    frame.set(hosts, 22);
  }
  const at = 14 + ip;
  frame.writeUInt16BE(wish.from, at);
  frame.writeUInt16BE(wish.to, at + 2);
  if (protocol === 6) {
    frame.writeUInt32BE(wish.sequence ?? 0, at + 4);
    frame[at + 12] = 5 << 4;
    frame[at + 13] = wish.flags ?? 0;
    frame.set(payload, at + 20);
  } else {
    frame.writeUInt16BE(size, at + 4);
    frame.set(payload, at + 8);
  }
  if (version === 4) {
    let sum = 0;
    for (let i = 14; i < 34; i += 2) {
      sum += frame.readUInt16BE(i);
    }
    frame.writeUInt16BE(~((sum & 0xffff) + (sum >> 16)) & 0xffff, 24);
  }
  const headers = emptyHeaders();
  readHeaders(frame, 0, frame.length, headers);
  finishChecksum(frame, headers);
  return frame;
}
