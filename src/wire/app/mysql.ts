/** MySQL and MariaDB: packets of a three-byte length, a number and a body. The server speaks first. */
import type { Value, Values } from '../value.ts';
import {
  become,
  decoderOf,
  type Hint,
  type Message,
  malformed,
  need,
  ok,
  type Side,
  type Step,
  skip,
} from './decoder.ts';
import { fileEnds, heardClient, isCommand } from './mysql-client.ts';
import { wantsTls } from './mysql-login.ts';
import { countRow, countsOnly, heardServer } from './mysql-server.ts';
import { begin, CAN, KEPT, type Lane, MAX_WORK, type State, say, u16, u24, u32 } from './mysql-state.ts';
import { asLiteral, commandOf, oneLine } from './sql.ts';
import { shortened } from './text.ts';

const PORT = 3306;
const HEADER = 4;
const LONGEST = 0xffffff;

/** As many packets as are there. */
function packets(side: Side, bytes: Uint8Array, from: number, to: number, state: State): Step {
  const lane = state[side];
  if (lane.rest > 1) {
    const passed = lane.rest - 1;
    lane.rest = 1;
    return skip(passed);
  }
  const said: Message[] = [];
  let at = from;
  let wanted = HEADER;
  if (lane.rest === 1) {
    if (from >= to) {
      return need(1);
    }
    lane.rest = 0;
    at++;
    through(lane, said);
  }
  while (to - at >= HEADER) {
    const length = u24(bytes, at);
    const why = wrong(state, side, bytes, at, length);
    if (why !== null) {
      return at > from ? ok(said, at - from) : malformed(0, why);
    }
    const end = at + HEADER + length;
    const seen = seenOf(state, side, bytes, at, to, length);
    if (seen > to) {
      wanted = seen - at;
      break;
    }
    if (side === 'client' && !lane.continues && wantsTls(state, bytes, at + HEADER, end)) {
      lane.unsaid += HEADER + length;
      said.push(say(lane, 'notice', 'SSLRequest', () => ({})));
      return become('tls', said, end - from);
    }
    const before = said.length;
    const problem = packet(state, side, bytes, at, seen, length, said);
    if (problem !== null) {
      return at > from ? ok(said.slice(0, before), at - from) : malformed(0, problem);
    }
    lane.continues = length === LONGEST;
    if (end > to || lane.continues) {
      lane.late = [...lane.late, ...said.splice(before)];
    }
    if (end > to) {
      lane.rest = end - seen;
      return ok(said, seen - from);
    }
    at = end;
    through(lane, said);
  }
  return at > from ? ok(said, at - from) : need(wanted);
}

/** The last byte of a packet has come, and with it what was held back. */
function through(lane: Lane, said: Message[]): void {
  if (lane.continues || lane.late.length === 0) {
    return;
  }
  const last = lane.late.pop()!;
  said.push(...lane.late, { ...last, bytes: last.bytes + lane.unsaid });
  lane.late = [];
  lane.unsaid = 0;
}

/** How far a packet must have come to be read: all of it, KEPT bytes of it, or what tells a row from its end. */
function seenOf(state: State, side: Side, bytes: Uint8Array, at: number, to: number, length: number): number {
  const body = at + HEADER;
  if (length === 0 || state[side].continues || (side === 'client' && state.infile)) {
    return body;
  }
  if (body >= to) {
    return body + 1;
  }
  return side === 'server' && countsOnly(state, bytes[body]!, length)
    ? body + 1
    : body + Math.min(length, KEPT);
}

function wrong(state: State, side: Side, bytes: Uint8Array, at: number, length: number): string | null {
  if (state.compressed) {
    return 'the connection is compressed (CLIENT_COMPRESS), which is not read';
  }
  if (side === 'client' && state.queue.length >= MAX_WORK) {
    return 'more requests wait for their answer than are followed';
  }
  return state.phase === 'greeting' && length === 0
    ? `no packet of MySQL begins with bytes ${bytes.subarray(at, at + HEADER).join(' ')}`
    : null;
}

/** Null, or what is wrong. */
function packet(
  state: State,
  side: Side,
  bytes: Uint8Array,
  at: number,
  seen: number,
  length: number,
  said: Message[],
): string | null {
  const lane = state[side];
  const body = at + HEADER;
  lane.unsaid += HEADER + length;
  if (side === 'client' && state.infile) {
    state.fileBytes += length;
    if (length === 0) {
      fileEnds(state, said);
    }
    return null;
  }
  if (lane.continues) {
    return null;
  }
  if (side === 'client') {
    return heardClient(state, bytes, body, seen, seen - body < length, bytes[at + 3]!, said);
  }
  if (length > 0 && countsOnly(state, bytes[body]!, length)) {
    countRow(state);
    return null;
  }
  return heardServer(state, bytes, body, seen, length, said);
}

function recognises(hint: Hint, bytes: Uint8Array, from: number, to: number): number {
  const byPort = hint.serverPort === PORT ? 0.3 : 0;
  const size = to - from;
  if (size < HEADER + 1) {
    return byPort;
  }
  const length = u24(bytes, from);
  const sequence = bytes[from + 3]!;
  return hint.side === 'server'
    ? serverLikeness(bytes, from, to, length, sequence, byPort)
    : clientLikeness(hint, bytes, from, to, length, sequence, byPort);
}

function serverLikeness(
  bytes: Uint8Array,
  from: number,
  to: number,
  length: number,
  sequence: number,
  byPort: number,
): number {
  const first = bytes[from + 4]!;
  const second = to - from > 5 ? bytes[from + 5]! : 0;
  if (sequence === 0 && first === 10 && length >= 20 && length < 512) {
    return second >= 0x30 && second <= 0x39 ? 0.9 : byPort;
  }
  // Refused before the greeting: a code of 1000 and above, and words.
  if (sequence === 0 && first === 0xff && length < 1024 && to - from >= 10) {
    const code = u16(bytes, from + 5);
    return code >= 1000 && code < 5000 && bytes[from + 9]! >= 0x20 && bytes[from + 9]! < 0x7f ? 0.8 : 0;
  }
  return byPort > 0 && sequence > 0 && length < 65_536 ? byPort : 0;
}

function clientLikeness(
  hint: Hint,
  bytes: Uint8Array,
  from: number,
  to: number,
  length: number,
  sequence: number,
  byPort: number,
): number {
  if (sequence === 1 && length >= 32 && length < 4096 && to - from >= 36) {
    const zeros = bytes.subarray(from + 13, from + 32).every((byte) => byte === 0);
    return zeros && (u32(bytes, from + 4) & CAN.protocol41) !== 0 ? 0.85 : 0;
  }
  if (!hint.midStream || sequence !== 0 || length === 0 || length > 65_536) {
    return 0;
  }
  const code = bytes[from + 4]!;
  const whole = from + HEADER + length === to;
  if ((code === 3 || code === 22) && commandOf(bytes, from + 5, Math.min(to, from + 64)) !== 'SQL') {
    return whole ? 0.85 : 0.6;
  }
  return byPort > 0 && whole && isCommand(code) ? 0.5 : 0;
}

function summary(message: Message, fields: Values): string {
  return shortened(oneLine(summarised(message, fields)), 200);
}

function summarised({ name, kind }: Message, fields: Values): string {
  if (fields['error.message'] !== undefined) {
    const state = fields['error.sqlstate'] === undefined ? '' : ` (${fields['error.sqlstate']})`;
    return `ERROR ${fields['error.code']}${state} ${fields['error.message']}`;
  }
  if (typeof fields.query === 'string') {
    const verb = name === 'Prepare' ? 'Prepare: ' : '';
    return `${verb}${shortened(fields.query, 400)}${parameters(fields.parameters)}`;
  }
  switch (name) {
    case 'Greeting':
      return `Greeting ${fields.version}, connection ${fields.connection}`;
    case 'AuthSwitch':
      return `AuthSwitch to ${fields.plugin}`;
    case 'AuthMore':
      return 'AuthMore';
    case 'LocalInfile':
      return `LocalInfile: the server asks for the file ${asLiteral(fields.file)}`;
    case 'LocalData':
      return `LocalData ${fields['file.bytes']} B`;
    default:
  }
  return kind === 'reply' ? answered(name, fields) : asked(name, fields);
}

function asked(name: string, fields: Values): string {
  const words = ['user', 'database', 'table', 'statement', 'connection', 'option', 'attribute.program_name']
    .filter((field) => fields[field] !== undefined && fields[field] !== '')
    .map((field) => ` ${field.replace('attribute.', '')}=${fields[field]}`);
  return `${name}${words.join('')}`;
}

function answered(name: string, fields: Values): string {
  const { columns, rows, count, affected, warnings, info } = fields;
  const notes = typeof warnings === 'number' ? `, ${warnings} warning${warnings === 1 ? '' : 's'}` : '';
  if (typeof count === 'number' && Array.isArray(columns)) {
    return `${count} row${count === 1 ? '' : 's'}${cells(columns, rows, count)}${notes}`;
  }
  if (name === 'Prepare') {
    return `Prepare: statement ${fields.statement}, ${fields['parameter.count']} parameters${notes}`;
  }
  if (fields.statistics !== undefined) {
    return `${fields.statistics}`;
  }
  if (fields.stream === true) {
    return `${name}: the log follows`;
  }
  const changed = affected === undefined || affected === 0 ? '' : `, ${affected} affected`;
  const inserted = fields['insert.id'] === undefined ? '' : `, id ${fields['insert.id']}`;
  return `OK ${name}${changed}${inserted}${notes}${typeof info === 'string' ? ` (${info})` : ''}`;
}

function parameters(values: Value | undefined): string {
  return Array.isArray(values) && values.length > 0
    ? ` [${values.slice(0, 8).map(asLiteral).join(', ')}]`
    : '';
}

/** The first row, with names; the columns when there is no row. */
function cells(columns: readonly Value[], rows: Value | undefined, count: number): string {
  const first: Value | undefined = Array.isArray(rows) ? rows[0] : undefined;
  if (!Array.isArray(first)) {
    return ` (${columns.slice(0, 12).join(', ')})`;
  }
  const shown = first.slice(0, 8).map((value, i) => `${columns[i] ?? i}=${asLiteral(value)}`);
  return ` (${shown.join(' ')}${count > 1 ? ', …' : ''})`;
}

export const decoder = decoderOf<State>({
  name: 'mysql',
  transports: ['tcp'],
  secrets: ['auth.data', 'query.raw'],
  recognises,
  speaks: {
    mysql: [
      ...[
        'command',
        'query',
        'query.raw',
        'parameters',
        'statement',
        'database',
        'table',
        'option',
        'attribute.*',
      ],
      ...['columns', 'types', 'rows', 'count', 'affected', 'insert.id', 'warnings', 'info', 'transaction'],
      ...['parameter.count', 'statistics', 'stream', 'file', 'file.bytes', 'user', 'plugin', 'charset'],
      ...['version', 'connection', 'capabilities', 'auth.data'],
      ...['error.code', 'error.sqlstate', 'error.message'],
    ],
  },
  begin: (hint) => begin(hint.midStream),
  client: (bytes, from, to, state) => packets('client', bytes, from, to, state),
  server: (bytes, from, to, state) => packets('server', bytes, from, to, state),
  summary,
});
