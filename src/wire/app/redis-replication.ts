/**
 * What a replica is sent after PSYNC or SYNC: an RDB file whose frame looks like a bulk string but has no CR LF behind it, or,
 * when its length was not known, a 40-byte mark that ends it (replication.c, "$EOF:"). Line feeds keep the link alive until then.
 */
import { malformed, need, ok, type Step, skip } from './decoder.ts';
import { RedisMessage } from './redis-message.ts';
import { answers, oldest, type State } from './redis-state.ts';
import { find, lineEnd, startsWith } from './text.ts';

const MARK = 40;
const LONGEST_HEAD = 64;
const NOTHING = new Uint8Array(0);

export function snapshot(bytes: Uint8Array, from: number, to: number, state: State): Step {
  switch (state.replication) {
    case 'sized':
      return sized(state);
    case 'marked':
      return marked(bytes, from, to, state);
    default:
      return head(bytes, from, to, state);
  }
}

function head(bytes: Uint8Array, from: number, to: number, state: State): Step {
  let at = from;
  while (at < to && bytes[at] === 10) {
    at++;
  }
  if (at > from) {
    return ok([], at - from);
  }
  const end = lineEnd(bytes, from, to);
  if (end < 0 || end - from > LONGEST_HEAD) {
    return (end < 0 ? to : end) - from > LONGEST_HEAD
      ? malformed(0, 'no snapshot follows FULLRESYNC')
      : need(to - from + 1);
  }
  if (startsWith(bytes, from, end, '$EOF:') && end - from - 6 === MARK) {
    state.rdbMark = bytes.slice(from + 5, from + 5 + MARK);
    state.replication = 'marked';
  } else {
    const length = Number(String.fromCharCode(...bytes.subarray(from + 1, end - 1)));
    if (bytes[from] !== 36 || !Number.isSafeInteger(length) || length < 0) {
      return malformed(0, 'no snapshot follows FULLRESYNC');
    }
    state.rdbLeft = length;
    state.replication = 'sized';
  }
  state.rdbBytes = end + 1 - from;
  return ok([], end + 1 - from);
}

function sized(state: State): Step {
  const left = state.rdbLeft;
  state.rdbBytes += left;
  state.rdbLeft = 0;
  return skip(left);
}

function marked(bytes: Uint8Array, from: number, to: number, state: State): Step {
  const mark = state.rdbMark!;
  const last = to - MARK;
  for (let at = from; at <= last; at++) {
    at = find(bytes, mark[0]!, at, last + 1);
    if (at < 0) {
      break;
    }
    let same = 1;
    while (same < MARK && bytes[at + same] === mark[same]) {
      same++;
    }
    if (same === MARK) {
      state.rdbBytes += at + MARK - from;
      return ok([wholeSnapshot(state)], at + MARK - from);
    }
  }
  const passed = Math.max(0, last + 1 - from);
  state.rdbBytes += passed;
  return passed > 0 ? ok([], passed) : need(MARK);
}

/** The file is complete: the last reply to PSYNC. */
export function wholeSnapshot(state: State): RedisMessage {
  state.replication = 'stream';
  state.rdbMark = null;
  const name = oldest(state)?.name ?? 'SYNC';
  const message = new RedisMessage(
    'rdb',
    'reply',
    'rdb',
    state.answered,
    false,
    state.rdbBytes,
    NOTHING,
    0,
    0,
    false,
  );
  message.command = name;
  answers(state);
  return message;
}
