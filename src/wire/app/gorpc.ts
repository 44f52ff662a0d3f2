/**
 * Go's net/rpc in its own encoding: two gobs for each call, the head and the arguments, and two for each answer. The second
 * says which call it answers, so answers may come in any order.
 */
import { printable } from '../printable.ts';
import type { Value, Values } from '../value.ts';
import { decoderOf, type Hint, type Message, malformed, need, ok, type Step, skip } from './decoder.ts';
import { type Gob, newGob, readItem } from './gob.ts';
import { isTelling } from './http1-secrets.ts';
import { MASK } from './mask.ts';
import { shortened, startsWith } from './text.ts';

const MAX_NAME = 96;
const MAX_LINE = 200;
const MAX_DEPTH = 64;

interface Lane {
  readonly gob: Gob;
  /** The first of the two, when it has come. */
  head: Values | null;
  /** Both of them, as far as they came, with the types they needed. */
  taken: number;
  body: Value;
  warning: string;
  /** Of a body that is longer than what is read, still to come. */
  left: number;
}

interface State {
  readonly client: Lane;
  readonly server: Lane;
}

function newLane(): Lane {
  return { gob: newGob(), head: null, taken: 0, body: null, warning: '', left: 0 };
}

/** A stream starts with the type of its heads: a length, a negative number, and a struct type of that name. */
function recognises(hint: Hint, bytes: Uint8Array, from: number, to: number): number {
  const first = to - from > 0 ? bytes[from]! : 0;
  const sign = from + (first < 0x80 ? 1 : 257 - first);
  if (first < 16 || first === 0x80 || sign + 1 >= to || bytes[sign]! < 0xfc) {
    return 0;
  }
  const struct = sign + 257 - bytes[sign]!;
  const odd = (bytes[struct - 1]! & 1) === 1;
  const name = hint.side === 'client' ? '\x03\x01\x01\x07Request\x01' : '\x03\x01\x01\x08Response\x01';
  return odd && startsWith(bytes, struct, to, name) ? 0.95 : 0;
}

function read(bytes: Uint8Array, from: number, to: number, lane: Lane, request: boolean): Step {
  if (lane.left > 0) {
    // The last byte is not skipped: it completes the message.
    if (to - from < lane.left) {
      return lane.left === 1 ? ok([], 0) : passed(lane, lane.left - 1);
    }
    const { left } = lane;
    lane.left = 0;
    return ok([finish(lane, request)], left);
  }
  if (from === to) {
    return ok([], 0);
  }
  const item = readItem(lane.gob, bytes, from, to);
  if (item.is === 'need') {
    return need(item.bytes);
  }
  if (item.is === 'wrong') {
    return malformed(0, item.why);
  }
  lane.taken += item.taken;
  if (item.is === 'type') {
    return ok([], item.taken);
  }
  if (lane.head === null) {
    const head = item.warning === '' && item.type === (request ? 'Request' : 'Response');
    if (!head) {
      return malformed(0, item.warning || 'a value that is no head of a call');
    }
    lane.head = item.value as Values;
    return ok([], item.taken);
  }
  lane.body = item.value;
  lane.warning = item.warning;
  if (item.taken > to - from) {
    lane.left = item.taken - (to - from);
    return ok([], to - from);
  }
  return ok([finish(lane, request)], item.taken);
}

function passed(lane: Lane, bytes: number): Step {
  lane.left -= bytes;
  return skip(bytes);
}

function finish(lane: Lane, request: boolean): Message {
  const { head, body, warning, taken } = lane;
  lane.head = null;
  lane.body = null;
  lane.warning = '';
  lane.taken = 0;
  const method = String(head?.ServiceMethod ?? '');
  // A number of zero is not sent, and the first call has it.
  const seq = head?.Seq ?? 0;
  const error = head?.Error;
  const failed = error !== undefined;
  return {
    protocol: 'gorpc',
    kind: request ? 'request' : 'reply',
    name: shortened(printable(method), MAX_NAME),
    bytes: taken,
    pair: typeof seq === 'number' ? seq : String(seq),
    failed,
    fields: () => {
      const fields: { [name: string]: Value } = { method, seq };
      if (failed) {
        // What comes with an error is an empty struct.
        fields.error = error;
      } else {
        const shown = masked(body, 0);
        const name = request ? 'args' : 'reply';
        fields[name] = shown;
        if (shown !== body) {
          fields[`${name}.raw`] = body;
        }
      }
      if (warning !== '') {
        fields.warning = warning;
      }
      return fields;
    },
  };
}

/** `value` without the secrets under telling names; the same when there are none. */
function masked(value: Value, depth: number): Value {
  if (typeof value !== 'object' || value === null || depth > 2 * MAX_DEPTH) {
    return value;
  }
  if (Array.isArray(value)) {
    const parts = value.map((one: Value) => masked(one, depth + 1));
    return parts.every((one, at) => one === value[at]) ? value : parts;
  }
  let changed = false;
  const entries = Object.entries(value).map(([name, one]): [string, Value] => {
    const shown = isTelling(name) && typeof one !== 'object' && one !== '' ? MASK : masked(one, depth + 1);
    changed ||= shown !== one;
    return [name, shown];
  });
  return changed ? Object.fromEntries(entries) : value;
}

function summary(message: Message, fields: Values): string {
  if (fields.error !== undefined) {
    return line(`ERROR ${String(fields.error)}`);
  }
  return message.kind === 'request'
    ? line(`${message.name} ${shown(fields.args)}`)
    : line(`${message.name} = ${shown(fields.reply)}`);
}

function line(text: string): string {
  return shortened(printable(text), MAX_LINE);
}

function shown(value: Value | undefined): string {
  return JSON.stringify(value ?? null, (_, part) => (typeof part === 'bigint' ? String(part) : part));
}

export const decoder = decoderOf<State>({
  name: 'gorpc',
  transports: ['tcp'],
  secrets: ['args.raw', 'reply.raw'],
  recognises,
  speaks: { gorpc: ['method', 'seq', 'args', 'args.raw', 'reply', 'reply.raw', 'error', 'warning'] },
  begin: () => ({ client: newLane(), server: newLane() }),
  client: (bytes, from, to, state) => read(bytes, from, to, state.client, true),
  server: (bytes, from, to, state) => read(bytes, from, to, state.server, false),
  summary,
});
