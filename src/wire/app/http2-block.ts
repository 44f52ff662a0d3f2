/** Header blocks: HEADERS or PUSH_PROMISE, and the CONTINUATIONs that follow (RFC 9113 sections 4.3, 6.2, 6.6, 6.10). */
import { malformed, ok, type Step } from './decoder.ts';
import { decodeBlock, type HeaderList, newList, newTable, type Table } from './hpack.ts';
import {
  CONTINUATION,
  END_HEADERS,
  END_STREAM,
  FRAME_HEAD,
  HAS_PRIORITY,
  HEADERS,
  PADDED,
  PUSH_PROMISE,
  uint31,
} from './http2-frame.ts';
import { takeHeaders, takePromise } from './http2-headers.ts';
import { type Block, type Lane, NOTHING, passOver, type State } from './http2-lane.ts';

/** A header block, over all its frames. */
export const MAX_BLOCK = 64 * 1024;

export function headers(
  bytes: Uint8Array,
  at: number,
  lane: Lane,
  state: State,
  type: number,
  length: number,
  flags: number,
  id: number,
): Step {
  const { block } = lane;
  const end = at + FRAME_HEAD + length;
  const last = (flags & END_HEADERS) !== 0;
  let from = at + FRAME_HEAD;
  let to = end;
  if (type === CONTINUATION) {
    if (!block.open) {
      if (lane.table.complete) {
        return malformed(0, 'CONTINUATION of no header block');
      }
      return ok([], end - at);
    }
  } else {
    let promised = 0;
    if ((flags & PADDED) !== 0) {
      to -= bytes[from++] ?? 0;
    }
    if (type === PUSH_PROMISE) {
      from += 4;
      promised = from <= to ? uint31(bytes, from - 4) : 0;
    } else if ((flags & HAS_PRIORITY) !== 0) {
      from += 5;
    }
    if (from > to) {
      return malformed(0, 'headers shorter than their own fields');
    }
    if (type === PUSH_PROMISE && (promised === 0 || lane.side === 'client')) {
      return malformed(0, 'a push that cannot be');
    }
    openBlock(block, id, promised, type === HEADERS && (flags & END_STREAM) !== 0);
  }
  block.taken += FRAME_HEAD + length;
  if (last && block.length === 0 && !block.tooLarge) {
    return finishBlock(bytes, from, to, lane, state, end - at);
  }
  gather(block, bytes, from, to);
  return last ? finishBlock(block.bytes, 0, block.length, lane, state, end - at) : ok([], end - at);
}

function openBlock(block: Block, stream: number, promised: number, ends: boolean): void {
  block.open = true;
  block.length = 0;
  block.tooLarge = false;
  block.stream = stream;
  block.promised = promised;
  block.ends = ends;
  block.taken = 0;
}

function gather(block: Block, bytes: Uint8Array, from: number, to: number): void {
  const total = block.length + to - from;
  if (block.tooLarge || total > MAX_BLOCK) {
    block.tooLarge = true;
    return;
  }
  if (total > block.bytes.length) {
    const larger = new Uint8Array(Math.max(total, 2 * block.bytes.length));
    larger.set(block.bytes.subarray(0, block.length));
    block.bytes = larger;
  }
  block.bytes.set(bytes.subarray(from, to), block.length);
  block.length = total;
}

/** The block is bytes[from, to), when it was not too large to be kept. `consumed` is what its last frame took. */
function finishBlock(
  bytes: Uint8Array,
  from: number,
  to: number,
  lane: Lane,
  state: State,
  consumed: number,
): Step {
  const { block, table } = lane;
  const list = block.tooLarge ? lostList(table) : decodeBlock(bytes, from, to, table);
  block.open = false;
  block.bytes = NOTHING;
  if ('why' in list) {
    return malformed(0, list.why);
  }
  const { streams } = state;
  const said =
    block.promised > 0
      ? takePromise(streams, block.promised, list, block.taken)
      : takeHeaders(streams, lane.side, block.stream, list, block.ends, block.taken);
  return ok(said === null ? [] : [said], consumed);
}

/** What was not read may have changed the table: its entries mean nothing from now on. */
function lostList(table: Table): HeaderList {
  const { max } = table;
  Object.assign(table, newTable(false), { max, allowed: table.allowed });
  const list = newList();
  list.warning = `a header block of more than ${MAX_BLOCK} bytes is not read`;
  return list;
}

/** One frame of headers that alone is larger than a block may be. */
export function hugeHeaders(
  lane: Lane,
  state: State,
  type: number,
  length: number,
  flags: number,
  id: number,
): Step {
  const { block } = lane;
  if (type !== CONTINUATION || !block.open) {
    openBlock(block, id, 0, type === HEADERS && (flags & END_STREAM) !== 0);
  }
  block.tooLarge = true;
  block.taken += FRAME_HEAD + length;
  const step = (flags & END_HEADERS) !== 0 ? finishBlock(NOTHING, 0, 0, lane, state, FRAME_HEAD) : null;
  passOver(lane, length);
  return step ?? ok([], FRAME_HEAD);
}
