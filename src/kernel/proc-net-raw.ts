/**
 * RAW sockets where the kernel has no raw_diag: /proc/net/raw, turned into the message that netlink would have sent, so
 * that everything behind it stays the same. Addresses there are 32-bit words in host order, printed as hex (raw.c, raw_sock_seq_show).
 */
import { readFileSync } from 'node:fs';
import { INET } from './sockdiag-format.ts';
import type { Chunk } from './sockdiag-receive.ts';

const AF_INET = 2;
const AF_INET6 = 10;
const LINE =
  /^\s*\d+: ([0-9A-F]+):([0-9A-F]{4}) ([0-9A-F]+):([0-9A-F]{4}) ([0-9A-F]{2}) ([0-9A-F]{8}):([0-9A-F]{8}) \S+ \S+\s+(\d+)\s+\d+ (\d+)/;

/** Null when the file cannot be read. */
export function readProcRaw(family: 4 | 6): Chunk | null {
  try {
    return parseProcRaw(readFileSync(family === 4 ? '/proc/net/raw' : '/proc/net/raw6', 'latin1'), family);
  } catch {
    return null; // no /proc, or IPv6 is switched off
  }
}

export function parseProcRaw(text: string, family: 4 | 6): Chunk {
  const digits = family === 4 ? 8 : 32;
  const found = text.split('\n').flatMap((line) => {
    const match = LINE.exec(line);
    return match !== null && match[1]!.length === digits && match[3]!.length === digits ? [match] : [];
  });
  const size = INET.attributes;
  const bytes = new Uint8Array(found.length * size);
  const starts = Uint32Array.from(found, (_, i) => i * size);
  for (const [i, match] of found.entries()) {
    const at = i * size;
    const view = new DataView(bytes.buffer, at, size);
    view.setUint8(INET.family, family === 4 ? AF_INET : AF_INET6);
    view.setUint8(INET.state, Number.parseInt(match[5]!, 16));
    view.setUint16(INET.sourcePort, Number.parseInt(match[2]!, 16));
    view.setUint16(INET.peerPort, Number.parseInt(match[4]!, 16));
    writeWords(view, INET.source, match[1]!);
    writeWords(view, INET.peer, match[3]!);
    view.setUint32(INET.sendQueue, Number.parseInt(match[6]!, 16), true);
    view.setUint32(INET.receiveQueue, Number.parseInt(match[7]!, 16), true);
    view.setUint32(INET.uid, Number(match[8]) >>> 0, true);
    view.setUint32(INET.inode, Number(match[9]) >>> 0, true);
  }
  return { bytes, starts, ends: starts.map((start) => start + size), rows: found.length };
}

function writeWords(view: DataView, at: number, hex: string): void {
  for (let word = 0; word < hex.length / 8; word++) {
    view.setUint32(at + 4 * word, Number.parseInt(hex.slice(8 * word, 8 * word + 8), 16), true);
  }
}
