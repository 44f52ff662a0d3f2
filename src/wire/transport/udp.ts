/** UDP, RFC 768. */
import { type Headers, PROBLEM } from '../headers.ts';
import { cut } from '../link/cut.ts';
import { draft, finished, type Layer, num, put } from '../link/fields.ts';
import { checksumText, expectedTransport, transportChecksum } from '../net/checksum.ts';

const HEADER = 8;
const TCP = 6;
const UDP = 17;

export function readUdp(h: Headers): void {
  const { bytes, to, netEnd } = h;
  const at = h.transportAt;
  readPorts(h);
  if (at + HEADER > netEnd) {
    h.problem = PROBLEM.malformed;
    return;
  }
  if (at + HEADER > to) {
    cut(h, at + HEADER);
    return;
  }
  const length = (bytes[at + 4]! << 8) | bytes[at + 5]!;
  // 0: a jumbogram (RFC 2675 section 4), or one that segmentation offload has yet to cut up.
  const end = length === 0 ? netEnd : at + length;
  if (end < at + HEADER || end > netEnd) {
    h.problem = PROBLEM.malformed;
    return;
  }
  h.payloadAt = at + HEADER;
  h.payloadEnd = Math.min(end, to);
  h.payloadLength = end - h.payloadAt;
}

/** The ports of TCP and UDP lie in the same place; a first fragment has them too. */
export function readPorts(h: Headers): void {
  const { bytes, to, netEnd } = h;
  const at = h.transportAt;
  if ((h.protocol === TCP || h.protocol === UDP) && at + 4 <= to && at + 4 <= netEnd) {
    h.sourcePort = (bytes[at]! << 8) | bytes[at + 1]!;
    h.destinationPort = (bytes[at + 2]! << 8) | bytes[at + 3]!;
  }
}

export function udpLayer(h: Headers): Layer {
  const at = h.transportAt;
  const d = draft(h.bytes, Math.min(h.to, h.netEnd), 'udp', 'UDP', at);
  num(d, 'udp.srcport', at, 2);
  if (num(d, 'udp.dstport', at + 2, 2) >= 0) {
    d.layer.title = `UDP ${h.sourcePort} > ${h.destinationPort}`;
  }
  num(d, 'udp.length', at + 4, 2, (value) => (value === 0 ? '0 (not in this field)' : String(value)));
  num(d, 'udp.checksum', at + 6, 2, (value) =>
    checksumText(value, transportChecksum(h), () => expectedTransport(h)),
  );
  if (h.payloadAt >= 0) {
    put(d, 'udp.len', h.payloadLength, `${h.payloadLength} bytes`, h.payloadAt, h.payloadEnd);
  }
  return finished(d, at + HEADER);
}
