/** The plain table's rows straight from kernel bytes. */
import type { Chunk } from '../kernel/sockdiag.ts';
import { INET, u16be, u32 } from '../kernel/sockdiag-format.ts';
import type { RowSource } from '../session/cells.ts';
import { type Protocol, type Socket, TCP_STATES } from '../session/socket.ts';
import { writeAscii, writeDecimal, writeIpv4, writeIpv6 } from '../wire/net/text.ts';
import { printable } from '../wire/printable.ts';
import { shownState, unixSocket } from './row.ts';

const AF_INET6 = 10;
const LISTEN = 10;
const ASTERISK = 42;
const COLON = 58;

export interface ProtocolChunk {
  protocol: Protocol;
  chunk: Chunk;
}

/** A cursor over batches; `chunks` may grow between two rounds of `next`. */
export function rawRows(chunks: readonly ProtocolChunk[]): RowSource {
  const encoder = new TextEncoder();
  let which = 0;
  let row = 0;
  let bytes: Uint8Array = new Uint8Array(0);
  let start = 0;
  let unix: Socket | null = null;
  return {
    rewind() {
      which = 0;
      row = 0;
    },
    next(cells) {
      let current = chunks[which];
      if (current !== undefined && row === current.chunk.rows) {
        which++;
        row = 0;
        current = chunks[which];
      }
      if (current === undefined || current.chunk.rows === 0) {
        return false;
      }
      bytes = current.chunk.bytes;
      start = current.chunk.starts[row]!;
      cells.protocol = current.protocol;
      if (current.protocol === 'unix') {
        unix = unixSocket(bytes, start, current.chunk.ends[row]!, 0);
        cells.protocol = unix.kind === undefined ? 'unix' : `unix ${unix.kind}`;
        cells.state = TCP_STATES.indexOf(unix.state);
        cells.listening = unix.accept !== undefined;
        cells.receive = unix.accept?.used ?? unix.recvQueue;
        cells.send = unix.accept?.limit ?? unix.sendQueue;
        cells.inode = unix.inode;
      } else {
        unix = null;
        cells.state = shownState(bytes[start + INET.state]!, current.protocol);
        cells.listening = cells.state === LISTEN && current.protocol === 'tcp';
        cells.receive = u32(bytes, start + INET.receiveQueue);
        cells.send = u32(bytes, start + INET.sendQueue);
        cells.inode = u32(bytes, start + INET.inode);
      }
      row++;
      return true;
    },
    writeLocal(out, at) {
      return unix === null
        ? writeEnd(out, at, bytes, start, INET.source, INET.sourcePort)
        : at +
            encoder.encodeInto(`${printable(unix.local.address)} ${unix.local.port}`, out.subarray(at))
              .written;
    },
    writePeer(out, at) {
      return unix === null
        ? writeEnd(out, at, bytes, start, INET.peer, INET.peerPort)
        : writeAscii(out, at, unix.peer.port === 0 ? '*' : `* ${unix.peer.port}`);
    },
  };
}

function writeEnd(
  out: Uint8Array,
  from: number,
  b: Uint8Array,
  start: number,
  address: number,
  portAt: number,
): number {
  const at =
    b[start + INET.family] === AF_INET6
      ? writeIpv6(out, from, b, start + address)
      : writeIpv4(out, from, b, start + address);
  out[at] = COLON;
  const port = u16be(b, start + portAt);
  if (port === 0) {
    out[at + 1] = ASTERISK;
    return at + 2;
  }
  return writeDecimal(out, at + 1, port);
}
