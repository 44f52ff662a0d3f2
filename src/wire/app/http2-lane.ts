/** What is remembered of one direction of an HTTP/2 connection. */
import { ok, type Side, type Step } from './decoder.ts';
import { newTable, type Table } from './hpack.ts';
import { DEFAULT_MAX_FRAME, FRAME_HEAD, LARGEST_FRAME } from './http2-frame.ts';
import type { Stream, Streams } from './http2-stream.ts';

export interface Lane {
  readonly side: Side;
  readonly table: Table;
  /** The first frame is not read yet. */
  fresh: boolean;
  /** The largest frame the other side ever allowed. */
  maxFrame: number;
  /** Inside the payload of a frame: of DATA when `stream` is set, otherwise of one nobody looks at. */
  inside: boolean;
  left: number;
  padding: number;
  ends: boolean;
  stream: Stream | null;
  /** A header block that more frames continue. */
  readonly block: Block;
}

export interface Block {
  open: boolean;
  bytes: Uint8Array;
  length: number;
  tooLarge: boolean;
  stream: number;
  promised: number;
  ends: boolean;
  /** Of the connection: its frames with their heads. */
  taken: number;
}

export interface State {
  readonly streams: Streams;
  readonly client: Lane;
  readonly server: Lane;
  /** The client's first bytes need not be the preface. */
  readonly midStream: boolean;
}

export const NOTHING = new Uint8Array(0);

export function newLane(side: Side, seenWhole: boolean, settingsKnown: boolean): Lane {
  const table = newTable(seenWhole);
  if (!settingsKnown) {
    table.allowed = Number.MAX_SAFE_INTEGER;
  }
  return {
    side,
    table,
    fresh: true,
    maxFrame: settingsKnown ? DEFAULT_MAX_FRAME : LARGEST_FRAME,
    inside: false,
    left: 0,
    padding: 0,
    ends: false,
    stream: null,
    block: {
      open: false,
      bytes: NOTHING,
      length: 0,
      tooLarge: false,
      stream: 0,
      promised: 0,
      ends: false,
      taken: 0,
    },
  };
}

/** The payload is passed by: PRIORITY, WINDOW_UPDATE, and types that are not known. */
export function passOver(lane: Lane, length: number): Step {
  lane.inside = true;
  lane.left = length;
  lane.padding = 0;
  lane.ends = false;
  lane.stream = null;
  return ok([], FRAME_HEAD);
}
