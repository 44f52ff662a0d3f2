/** TCP options as stream analysis needs them: the hot path. All of them by name are in tcp-options-fields.ts. */
import type { Headers } from '../headers.ts';
import { u16, u32 } from '../link/fields.ts';

export const OPTION = {
  end: 0,
  nop: 1,
  mss: 2,
  windowScale: 3,
  sackPermitted: 4,
  sack: 5,
  timestamps: 8,
  md5: 19,
  userTimeout: 28,
  authentication: 29,
  multipath: 30,
  fastOpen: 34,
  experiment1: 253,
  experiment2: 254,
} as const;

/** 40 bytes of options hold no more than four blocks. */
const MAX_SACK_BLOCKS = 4;
/** RFC 7323 section 2.3: more is read as 14. */
export const LARGEST_SHIFT = 14;
/** RFC 6994's number for Fast Open, before it had an option kind of its own (RFC 7413 appendix A). */
export const FAST_OPEN_EXID = 0xf989;

/** One object is made and filled again for each packet. */
export interface TcpOptions {
  /** -1 without. */
  mss: number;
  /** The shift, -1 without. */
  windowScale: number;
  sackPermitted: boolean;
  /** Blocks of SACK: block i is [sackEdges[2 i], sackEdges[2 i + 1]). */
  sackBlocks: number;
  readonly sackEdges: Float64Array;
  hasTimestamps: boolean;
  tsVal: number;
  tsEcr: number;
  /** The length of the Fast Open cookie; 0 for a request for one, -1 without. */
  fastOpen: number;
  multipath: boolean;
  /** A length that cannot be: what followed it was not read. */
  malformed: boolean;
}

export function emptyTcpOptions(): TcpOptions {
  return {
    mss: -1,
    windowScale: -1,
    sackPermitted: false,
    sackBlocks: 0,
    sackEdges: new Float64Array(2 * MAX_SACK_BLOCKS),
    hasTimestamps: false,
    tsVal: 0,
    tsEcr: 0,
    fastOpen: -1,
    multipath: false,
    malformed: false,
  };
}

export function tcpOptions(h: Headers, out: TcpOptions): void {
  out.mss = -1;
  out.windowScale = -1;
  out.sackPermitted = false;
  out.sackBlocks = 0;
  out.hasTimestamps = false;
  out.tsVal = 0;
  out.tsEcr = 0;
  out.fastOpen = -1;
  out.multipath = false;
  out.malformed = false;
  const { bytes, optionsAt: at } = h;
  const length = h.optionsEnd - at;
  if (length === 0) {
    return;
  }
  // RFC 7323 appendix A: NOP, NOP, timestamps, on nearly every packet of a connection.
  if (
    length === 12 &&
    bytes[at] === OPTION.nop &&
    bytes[at + 1] === OPTION.nop &&
    bytes[at + 2] === OPTION.timestamps &&
    bytes[at + 3] === 10
  ) {
    readTimestamps(bytes, at + 4, out);
    return;
  }
  walk(bytes, at, h.optionsEnd, out);
}

function walk(bytes: Uint8Array, start: number, end: number, out: TcpOptions): void {
  let at = start;
  while (at < end) {
    const kind = bytes[at]!;
    if (kind === OPTION.end) {
      return;
    }
    if (kind === OPTION.nop) {
      at++;
      continue;
    }
    const length = at + 1 < end ? bytes[at + 1]! : 0;
    if (length < 2 || at + length > end) {
      out.malformed = true;
      return;
    }
    readOption(bytes, at, kind, length, out);
    at += length;
  }
}

/** An option of the wrong length is as if it were not there, which is what the kernel does (net/ipv4/tcp_input.c, tcp_parse_options). */
function readOption(bytes: Uint8Array, at: number, kind: number, length: number, out: TcpOptions): void {
  switch (kind) {
    case OPTION.mss:
      if (length === 4) {
        out.mss = u16(bytes, at + 2);
      }
      return;
    case OPTION.windowScale:
      if (length === 3) {
        out.windowScale = Math.min(bytes[at + 2]!, LARGEST_SHIFT);
      }
      return;
    case OPTION.sackPermitted:
      out.sackPermitted ||= length === 2;
      return;
    case OPTION.sack:
      if (length >= 10 && length % 8 === 2) {
        readSack(bytes, at + 2, (length - 2) >> 3, out);
      }
      return;
    case OPTION.timestamps:
      if (length === 10) {
        readTimestamps(bytes, at + 2, out);
      }
      return;
    case OPTION.fastOpen:
      out.fastOpen = length - 2;
      return;
    case OPTION.multipath:
      out.multipath = true;
      return;
    case OPTION.experiment2:
      if (length >= 4 && u16(bytes, at + 2) === FAST_OPEN_EXID) {
        out.fastOpen = length - 4;
      }
      return;
  }
}

function readTimestamps(bytes: Uint8Array, at: number, out: TcpOptions): void {
  out.hasTimestamps = true;
  out.tsVal = u32(bytes, at);
  out.tsEcr = u32(bytes, at + 4);
}

function readSack(bytes: Uint8Array, at: number, blocks: number, out: TcpOptions): void {
  // A second SACK option in one header makes no sense; the last one counts.
  out.sackBlocks = Math.min(blocks, MAX_SACK_BLOCKS);
  for (let i = 0; i < 2 * out.sackBlocks; i++) {
    out.sackEdges[i] = u32(bytes, at + 4 * i);
  }
}
