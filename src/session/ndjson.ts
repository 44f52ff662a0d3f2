/** A session as NDJSON: one entry per line, `"v":1` first, then its type. */
import {
  type Entry,
  FATES,
  type Fate,
  type Fault,
  type Gauge,
  type Info,
  type Lost,
  type Message,
  PACKET_NOTES,
  type Packet,
  type SessionHeader,
  STATE_SOURCES,
  type StateChange,
  type Step,
  type Syscall,
  TCP_FLAGS,
} from './events.ts';
import { offsetOf, syntaxFault } from './locate.ts';
import {
  bigDecimal,
  bytes,
  count,
  integer,
  list,
  nullable,
  number,
  object,
  oneOf,
  optional,
  type Refusal,
  type Shape,
  text,
} from './shape.ts';
import { TCP_STATES } from './socket.ts';
import { tcpInfo, timer } from './socket-shapes.ts';
import { value, values } from './values.ts';

/** A longer line is refused unread. The longest we write holds a 64 KiB frame or a few thousand fields. */
export const MAX_LINE = 4 * 1024 * 1024;

export type Decoded =
  | { readonly ok: true; readonly event: Entry }
  /** `at` is the index in the line at which reading failed. */
  | { readonly ok: false; readonly at: number; readonly why: string };

const side = oneOf('client', 'server');
const state = oneOf(...TCP_STATES);
const onConnection = { connection: optional(text), side: optional(side) };

const big: Shape<number | bigint | null> = {
  required: true,
  read(json, refusal) {
    const item = value.read(json, refusal);
    if (item === undefined || item === null || typeof item === 'number' || typeof item === 'bigint') {
      return item;
    }
    refusal.why = 'expected a number or null';
    return undefined;
  },
  write: value.write,
};

const ENTRIES: { readonly [T in Entry['type']]: Shape<Extract<Entry, { type: T }>> } = {
  session: object<SessionHeader>({
    v: oneOf(1),
    type: oneOf('session'),
    startedAt: object<SessionHeader['startedAt']>({ iso: text, ns: bigDecimal }),
    host: text,
    clock: object<SessionHeader['clock']>({ source: oneOf('monotonic'), uncertaintyNs: count }),
  }),
  syscall: object<Syscall>({
    type: oneOf('syscall'),
    at: integer,
    took: nullable(count),
    host: text,
    ...onConnection,
    pid: count,
    tid: count,
    fd: optional(integer),
    name: text,
    args: list(value),
    result: big,
    errno: optional(text),
  }),
  state: object<StateChange>({
    type: oneOf('state'),
    at: integer,
    host: text,
    ...onConnection,
    socket: optional(text),
    from: state,
    to: state,
    source: oneOf(...STATE_SOURCES),
  }),
  info: object<Info>({
    type: oneOf('info'),
    at: integer,
    host: text,
    ...onConnection,
    socket: optional(text),
    recvQueue: count,
    sendQueue: count,
    timer: optional(timer),
    tcp: optional(tcpInfo),
  }),
  packet: object<Packet>({
    type: oneOf('packet'),
    at: integer,
    host: text,
    id: optional(count),
    interface: text,
    connection: optional(text),
    from: optional(side),
    protocol: text,
    flags: optional(list(oneOf(...TCP_FLAGS))),
    seq: optional(count),
    ack: optional(count),
    window: optional(count),
    length: count,
    frameLength: count,
    notes: list(oneOf(...PACKET_NOTES)),
    frame: optional(bytes),
  }),
  fate: object<Fate>({
    type: oneOf('fate'),
    at: integer,
    packet: count,
    host: text,
    connection: optional(text),
    what: oneOf(...FATES),
    why: optional(text),
  }),
  message: object<Message>({
    type: oneOf('message'),
    at: integer,
    connection: text,
    from: side,
    protocol: text,
    summary: text,
    fields: values,
    bytes: count,
    latencyOf: optional(integer),
  }),
  fault: object<Fault>({ type: oneOf('fault'), at: integer, ...onConnection, what: text, on: text }),
  step: object<Step>({ type: oneOf('step'), at: integer, text }),
  gauge: object<Gauge>({ type: oneOf('gauge'), at: integer, subject: text, name: text, value: number }),
  lost: object<Lost>({
    type: oneOf('lost'),
    at: integer,
    source: text,
    count: nullable(count),
    why: text,
    connection: optional(text),
  }),
};

function isType(type: unknown): type is Entry['type'] {
  return typeof type === 'string' && Object.hasOwn(ENTRIES, type);
}

/** One line, without its newline. */
export function encode(event: Entry): string {
  const shape: Shape<Entry> = ENTRIES[event.type];
  const line = JSON.stringify(Object.assign({ v: 1 }, shape.write(event)));
  // JSON leaves these two bare, and some readers of lines (Python's splitlines) end a line at them.
  return line.replaceAll('\u2028', '\\u2028').replaceAll('\u2029', '\\u2029');
}

/** Never throws: a line may come from a newer writer, a cut file, or an enemy. Fields that are not known are left out. */
export function decode(line: string): Decoded {
  if (line.length > MAX_LINE) {
    return { ok: false, at: MAX_LINE, why: `a line longer than ${MAX_LINE} characters` };
  }
  const json = parse(line);
  if (json === undefined) {
    const fault = syntaxFault(line);
    return { ok: false, at: fault?.at ?? 0, why: `not JSON: expected ${fault?.expected ?? 'a value'}` };
  }
  const refusal: Refusal = { path: [], why: '' };
  const event = readEntry(json, refusal);
  if (event !== undefined) {
    return { ok: true, event };
  }
  const where = pathText(refusal.path);
  const why = where === '' ? refusal.why : `${where}: ${refusal.why}`;
  return { ok: false, at: offsetOf(line, refusal.path), why };
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

const envelope = object<{ v: number; type: string }>({ v: oneOf(1), type: text });

function readEntry(json: unknown, refusal: Refusal): Entry | undefined {
  const head = envelope.read(json, refusal);
  if (head === undefined) {
    return undefined;
  }
  if (!isType(head.type)) {
    refusal.path.push('type');
    refusal.why = `expected one of ${Object.keys(ENTRIES).join(', ')}, got ${JSON.stringify(head.type.slice(0, 40))}`;
    return undefined;
  }
  return ENTRIES[head.type].read(json, refusal);
}

function pathText(path: readonly (string | number)[]): string {
  return path.reduce<string>((before, key) => {
    if (typeof key === 'string' && /^[A-Za-z_$][\w$]*$/.test(key)) {
      return before === '' ? key : `${before}.${key}`;
    }
    return `${before}[${JSON.stringify(typeof key === 'string' ? key.slice(0, 40) : key)}]`;
  }, '');
}
