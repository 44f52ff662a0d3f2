/** TCP, RFC 9293. */
import { type Headers, PROBLEM } from '../headers.ts';
import { cut } from '../link/cut.ts';
import { bits, draft, finished, type Layer, num, put, u16 } from '../link/fields.ts';
import { checksumText, expectedTransport, transportChecksum } from '../net/checksum.ts';
import { tcpOptionFields } from './tcp-options-fields.ts';

const SHORTEST = 20;

export function readTcp(h: Headers): void {
  const { bytes, to, netEnd } = h;
  const at = h.transportAt;
  if (at + SHORTEST > to || at + SHORTEST > netEnd) {
    readSome(h, at, Math.min(to, netEnd));
    return;
  }
  h.sourcePort = (bytes[at]! << 8) | bytes[at + 1]!;
  h.destinationPort = (bytes[at + 2]! << 8) | bytes[at + 3]!;
  h.seq = ((bytes[at + 4]! << 24) | (bytes[at + 5]! << 16) | (bytes[at + 6]! << 8) | bytes[at + 7]!) >>> 0;
  h.ack = ((bytes[at + 8]! << 24) | (bytes[at + 9]! << 16) | (bytes[at + 10]! << 8) | bytes[at + 11]!) >>> 0;
  const twelve = bytes[at + 12]!;
  h.flags = ((twelve & 1) << 8) | bytes[at + 13]!;
  h.window = (bytes[at + 14]! << 8) | bytes[at + 15]!;
  const payload = at + ((twelve >> 4) << 2);
  if (payload < at + SHORTEST || payload > netEnd) {
    h.problem = PROBLEM.malformed;
    return;
  }
  h.optionsAt = at + SHORTEST;
  h.payloadLength = netEnd - payload;
  if (payload > to) {
    // The options are cut: how much payload there was is known all the same, and sequence numbers go on.
    h.problem = PROBLEM.truncated;
    h.optionsEnd = to;
    h.payloadAt = to;
    h.payloadEnd = to;
    return;
  }
  h.optionsEnd = payload;
  h.payloadAt = payload;
  h.payloadEnd = Math.min(netEnd, to);
}

/** Less than a header: ports and sequence number if they are there, as in what ICMP quotes. */
function readSome(h: Headers, at: number, end: number): void {
  const { bytes } = h;
  if (at + SHORTEST > h.netEnd) {
    h.problem = PROBLEM.malformed;
  } else {
    cut(h, at + SHORTEST);
  }
  if (at + 4 <= end) {
    h.sourcePort = (bytes[at]! << 8) | bytes[at + 1]!;
    h.destinationPort = (bytes[at + 2]! << 8) | bytes[at + 3]!;
  }
  if (at + 8 <= end) {
    h.seq = ((bytes[at + 4]! << 24) | (bytes[at + 5]! << 16) | (bytes[at + 6]! << 8) | bytes[at + 7]!) >>> 0;
  }
}

/** In the order of their bits. */
const FLAGS = ['FIN', 'SYN', 'RST', 'PSH', 'ACK', 'URG', 'ECE', 'CWR', 'AE'];

export function flagWords(flags: number): string {
  return FLAGS.filter((_, bit) => (flags >> bit) & 1).join(' ') || 'none';
}

export function tcpLayer(h: Headers): Layer {
  const { bytes, transportAt: at } = h;
  const limit = Math.min(h.to, h.netEnd);
  const d = draft(bytes, limit, 'tcp', 'TCP', at);
  num(d, 'tcp.srcport', at, 2);
  num(d, 'tcp.dstport', at + 2, 2);
  num(d, 'tcp.seq', at + 4, 4);
  num(d, 'tcp.ack', at + 8, 4);
  bits(d, 'tcp.hdr_len', at + 12, 1, 4, 15, (value) => `${4 * value} bytes`);
  if (at + 14 <= limit) {
    const flags = u16(bytes, at + 12) & 0x1ff;
    const words = flagWords(flags);
    put(d, 'tcp.flags', words, `0x${flags.toString(16).padStart(3, '0')} ${words}`, at + 12, at + 14);
    d.layer.title = `TCP ${h.sourcePort} > ${h.destinationPort} ${words}`;
  }
  num(d, 'tcp.window', at + 14, 2, (value) => `${value} unscaled`);
  num(d, 'tcp.checksum', at + 16, 2, (value) =>
    checksumText(value, transportChecksum(h), () => expectedTransport(h)),
  );
  num(d, 'tcp.urgent', at + 18, 2);
  tcpOptionFields(d, h);
  if (h.payloadAt >= 0) {
    const text = `${h.payloadLength} bytes`;
    put(d, 'tcp.len', h.payloadLength, text, h.payloadAt, h.payloadEnd);
  }
  return finished(d, h.optionsEnd >= 0 ? h.optionsEnd : at + SHORTEST);
}
