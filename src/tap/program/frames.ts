/** Reads the headers of a frame in place, and makes the frames that the wire answers with. Ethernet, IPv4 and IPv6, TCP, UDP, ICMP. */

export const LINK_HEADER = 14;
export const TCP = 6;
export const UDP = 17;

export const FIN = 0x01;
export const SYN = 0x02;
export const RST = 0x04;
export const ACK = 0x10;

/** One frame's headers; the same object is filled again and again. */
export interface Headers {
  version: 4 | 6;
  protocol: number;
  /** Offsets in the frame's buffer. Source and destination address stand one behind the other. */
  ip: number;
  addresses: number;
  transport: number;
  /** Behind the packet: frames are padded, packets say how long they are. */
  end: number;
}

export function emptyHeaders(): Headers {
  return { version: 4, protocol: 0, ip: 0, addresses: 0, transport: 0, end: 0 };
}

const u16 = (b: Uint8Array, at: number): number => (b[at]! << 8) | b[at + 1]!;

function put16(b: Uint8Array, at: number, value: number): void {
  b[at] = value >> 8;
  b[at + 1] = value;
}

/** False: neither TCP nor UDP in one piece, or the lengths are not true. */
export function readHeaders(b: Uint8Array, from: number, to: number, into: Headers): boolean {
  const ip = from + LINK_HEADER;
  if (ip + 20 > to) {
    return false;
  }
  const type = u16(b, from + 12);
  into.ip = ip;
  if (type === 0x0800 && b[ip]! >> 4 === 4) {
    const header = (b[ip]! & 15) * 4;
    into.version = 4;
    into.protocol = b[ip + 9]!;
    into.addresses = ip + 12;
    into.transport = ip + header;
    into.end = ip + u16(b, ip + 2);
    // MF or an offset: a fragment.
    if (header < 20 || (u16(b, ip + 6) & 0x3fff) !== 0) {
      return false;
    }
  } else if (type === 0x86dd && b[ip]! >> 4 === 6 && ip + 40 <= to) {
    into.version = 6;
    into.protocol = b[ip + 6]!;
    into.addresses = ip + 8;
    into.transport = ip + 40;
    into.end = into.transport + u16(b, ip + 4);
  } else {
    return false;
  }
  if (into.end > to) {
    return false;
  }
  const room = into.end - into.transport;
  return into.protocol === TCP ? room >= 20 : into.protocol === UDP && room >= 8;
}

/** RFC 1071, not yet folded. */
export function sum(b: Uint8Array, from: number, to: number, start: number): number {
  let total = start;
  const even = to - ((to - from) & 1);
  for (let at = from; at < even; at += 2) {
    total += (b[at]! << 8) | b[at + 1]!;
  }
  return even < to ? total + (b[even]! << 8) : total;
}

export function fold(total: number): number {
  let folded = total;
  while (folded > 0xffff) {
    folded = (folded & 0xffff) + Math.floor(folded / 0x10000);
  }
  return ~folded & 0xffff;
}

/** Computes the TCP or UDP checksum of the packet in place (RFC 9293 section 3.1, RFC 768, RFC 8200 section 8.1). */
export function finishChecksum(b: Uint8Array, headers: Headers): void {
  const { transport, end, protocol, addresses, version } = headers;
  const at = transport + (protocol === TCP ? 16 : 6);
  put16(b, at, 0);
  const pseudo = sum(b, addresses, addresses + (version === 4 ? 8 : 32), protocol + (end - transport));
  const result = fold(sum(b, transport, end, pseudo));
  // Zero would mean "none" in UDP.
  put16(b, at, protocol === UDP && result === 0 ? 0xffff : result);
}

/** The half of an answer that every answer needs: link and IP headers, from the packet's destination to its source. */
function answerTo(question: Uint8Array, headers: Headers, protocol: number, length: number): Buffer {
  const { version, addresses } = headers;
  const size = version === 4 ? 4 : 16;
  const header = version === 4 ? 20 : 40;
  const frame = Buffer.alloc(LINK_HEADER + header + length);
  const ip = LINK_HEADER;
  put16(frame, 12, version === 4 ? 0x0800 : 0x86dd);
  const at = ip + (version === 4 ? 12 : 8);
  frame.set(question.subarray(addresses + size, addresses + 2 * size), at);
  frame.set(question.subarray(addresses, addresses + size), at + size);
  if (version === 4) {
    frame[ip] = 0x45;
    put16(frame, ip + 2, header + length);
    frame[ip + 8] = 64;
    frame[ip + 9] = protocol;
    put16(frame, ip + 10, fold(sum(frame, ip, ip + 20, 0)));
  } else {
    frame[ip] = 0x60;
    put16(frame, ip + 4, length);
    frame[ip + 6] = protocol;
    frame[ip + 7] = 64;
  }
  return frame;
}

/** What a closed port answers to a SYN (RFC 9293 section 3.10.7.1). */
export function refusalOf(question: Uint8Array, headers: Headers): Buffer {
  const frame = answerTo(question, headers, TCP, 20);
  const answer = emptyHeaders();
  const from = headers.transport;
  const to = frame.length - 20;
  frame.set(question.subarray(from + 2, from + 4), to);
  frame.set(question.subarray(from, from + 2), to + 2);
  const sequence = (u16(question, from + 4) * 0x10000 + u16(question, from + 6) + 1) % 0x1_0000_0000;
  frame.writeUInt32BE(sequence, to + 8);
  frame[to + 12] = 5 << 4;
  frame[to + 13] = RST | ACK;
  readHeaders(frame, 0, frame.length, answer);
  finishChecksum(frame, answer);
  return frame;
}

export type Unreachable = 'network' | 'host' | 'port';

/** RFC 792 and RFC 4443 section 3.1: type 3 with code 0, 1, 3; type 1 with code 0, 3, 4. */
const V4_CODES: Record<Unreachable, number> = { network: 0, host: 1, port: 3 };
const V6_CODES: Record<Unreachable, number> = { network: 0, host: 3, port: 4 };

/** How much of the packet goes back with the complaint: its headers, and for UDP the first bytes of what was said. */
const QUOTED = 128;

export function unreachableAnswer(question: Uint8Array, headers: Headers, what: Unreachable): Buffer {
  const { version, ip, end } = headers;
  const quoted = question.subarray(ip, Math.min(end, ip + QUOTED));
  const frame = answerTo(question, headers, version === 4 ? 1 : 58, 8 + quoted.length);
  const at = frame.length - 8 - quoted.length;
  frame.set(quoted, at + 8);
  if (version === 4) {
    frame[at] = 3;
    frame[at + 1] = V4_CODES[what];
    put16(frame, at + 2, fold(sum(frame, at, frame.length, 0)));
  } else {
    frame[at] = 1;
    frame[at + 1] = V6_CODES[what];
    const pseudo = sum(frame, LINK_HEADER + 8, LINK_HEADER + 40, 58 + frame.length - at);
    put16(frame, at + 2, fold(sum(frame, at, frame.length, pseudo)));
  }
  return frame;
}

/** The most that one datagram carries in one packet. */
export function mostDatagram(version: 4 | 6): number {
  return version === 4 ? 65_507 : 65_487;
}

/** A datagram from the destination of `question` back to its source. */
export function datagramAnswer(question: Uint8Array, headers: Headers, payload: Uint8Array): Buffer {
  const frame = answerTo(question, headers, UDP, 8 + payload.length);
  const at = frame.length - 8 - payload.length;
  const from = headers.transport;
  frame.set(question.subarray(from + 2, from + 4), at);
  frame.set(question.subarray(from, from + 2), at + 2);
  put16(frame, at + 4, 8 + payload.length);
  frame.set(payload, at + 8);
  const answer = emptyHeaders();
  readHeaders(frame, 0, frame.length, answer);
  finishChecksum(frame, answer);
  return frame;
}
