/**
 * DNS over UDP and TCP, with mDNS and LLMNR. Decoded by hand: a codec that throws at the first record it dislikes would lose the
 * message, and a broken message is what somebody is looking for.
 */
import type { Value, Values } from '../value.ts';
import { decoderOf, type Hint, type Message, malformed, need, ok, type Step } from './decoder.ts';
import { fieldsOf, HEAD, nameOf, plausible, type Shape, shapeOf } from './dns-message.ts';
import { oneLine } from './lines-shown.ts';

const DNS = 53;
const MDNS = 5353;
const LLMNR = 5355;
/** Zone transfers under way in one conversation. */
const MAX_TRANSFERS = 64;
const AXFR = 252;
const IXFR = 251;

/** A zone transfer: the serial with which it began (-1: not yet), and will end. */
interface Transfer {
  readonly incremental: boolean;
  serial: number;
}

interface State {
  readonly stream: boolean;
  readonly multicast: boolean;
  /** By id. */
  readonly transfers: Map<number, Transfer>;
}

export const decoder = decoderOf<State>({
  name: 'dns',
  transports: ['tcp', 'udp'],
  secrets: [],
  speaks: {
    dns: [
      'id',
      'opcode',
      'question',
      'questions',
      'type',
      'class',
      'rcode',
      'flags',
      'answers',
      'authority',
      'additional',
      'ttl.min',
      'edns.version',
      'edns.udp',
      'edns.do',
      'edns.options',
      'edns.subnet',
      'edns.cookie',
      'edns.error',
      'malformed',
      'trailing',
    ],
  },
  recognises,
  begin: (hint) => ({
    stream: hint.transport === 'tcp',
    multicast: hint.serverPort === MDNS || hint.clientPort === MDNS,
    transfers: new Map(),
  }),
  client: step,
  server: step,
  summary,
});

function recognises(hint: Hint, bytes: Uint8Array, from: number, to: number): number {
  const multicast = hint.serverPort === MDNS || hint.clientPort === MDNS;
  const home = multicast || hint.serverPort === DNS || hint.serverPort === LLMNR || hint.clientPort === DNS;
  let start = from;
  let end = to;
  if (hint.transport === 'tcp') {
    const length = to - from < 2 ? HEAD : (bytes[from]! << 8) | bytes[from + 1]!;
    if (length < HEAD) {
      return 0;
    }
    if (to - from < 2 + length) {
      return home ? 0.3 : 0;
    }
    start = from + 2;
    end = start + length;
  }
  const shape = shapeOf(bytes, start, end, multicast);
  if (shape === null) {
    return 0;
  }
  if (!plausible(shape)) {
    return home ? 0.5 : 0;
  }
  return home ? 0.95 : 0.8;
}

function step(bytes: Uint8Array, from: number, to: number, state: State): Step {
  if (!state.stream) {
    const message = read(bytes, from, to, to - from, state);
    return message === null ? malformed(0, 'no DNS message') : ok([message], to - from);
  }
  const messages: Message[] = [];
  let at = from;
  while (to - at >= 2) {
    const length = (bytes[at]! << 8) | bytes[at + 1]!;
    if (to - at < 2 + length) {
      return messages.length > 0 ? ok(messages, at - from) : need(2 + length);
    }
    const message = read(bytes, at + 2, at + 2 + length, 2 + length, state);
    if (message === null) {
      return messages.length > 0 ? ok(messages, at - from) : malformed(0, 'no DNS message');
    }
    messages.push(message);
    at += 2 + length;
  }
  return messages.length > 0 ? ok(messages, at - from) : need(2);
}

function read(bytes: Uint8Array, from: number, to: number, took: number, state: State): Message | null {
  const shape = shapeOf(bytes, from, to, state.multicast);
  if (shape === null) {
    return null;
  }
  const response = (shape.flags & 0x8000) !== 0;
  const name = nameOf(shape);
  const fields = () => fieldsOf(shape);
  // An id that is not 0 is ordinary DNS on that port, as development set-ups have it (RFC 6762 section 18.1).
  if (state.multicast && shape.id === 0) {
    // Everybody hears everything, and most answers were not asked for.
    const kind = response ? 'notice' : 'request';
    return { protocol: 'dns', kind, name: response && shape.type < 0 ? 'answer' : name, bytes: took, fields };
  }
  if (!response) {
    if (shape.type === AXFR || shape.type === IXFR) {
      begins(shape, state);
    }
    return { protocol: 'dns', kind: 'request', name, bytes: took, pair: shape.id, fields };
  }
  return {
    protocol: 'dns',
    kind: 'reply',
    name,
    bytes: took,
    pair: shape.id,
    more: goesOn(shape, state),
    failed: shape.rcode !== 0,
    fields,
  };
}

function begins({ id, type }: Shape, { transfers }: State): void {
  if (transfers.size < MAX_TRANSFERS) {
    transfers.set(id, { incremental: type === IXFR, serial: -1 });
  }
}

/** A transfer ends with the SOA it began with (RFC 5936 section 2.2); one SOA alone says that there is nothing new (RFC 1995). */
function goesOn({ id, rcode, answers, serials }: Shape, { transfers }: State): boolean {
  const transfer = transfers.get(id);
  if (transfer === undefined) {
    return false;
  }
  const first = transfer.serial < 0;
  if (first) {
    transfer.serial = serials.first;
  }
  const alone = first && answers === 1 && !transfer.incremental;
  if (rcode !== 0 || transfer.serial < 0 || (!alone && serials.last === transfer.serial)) {
    transfers.delete(id);
    return false;
  }
  return true;
}

function summary(message: Message, fields: Values): string {
  const { question, type, rcode, answers, flags, opcode, questions } = fields;
  const operation = opcode === undefined ? '' : `${String(opcode)} `;
  const more = Array.isArray(questions) ? ` and ${questions.length - 1} more` : '';
  const asked = question === undefined ? '' : `${String(type)} ${String(question)}${more}`;
  if (rcode === undefined) {
    return oneLine(`${operation}${asked}`.trim() || 'no question');
  }
  if (rcode !== 'NOERROR') {
    const why = fields['edns.error'];
    return oneLine(
      `${String(rcode)} ${operation}${asked}${why === undefined ? '' : ` (${String(why)})`}`.trim(),
    );
  }
  const cut = Array.isArray(flags) && (flags as readonly Value[]).includes('tc');
  const list = Array.isArray(answers) ? (answers as readonly Value[]) : [];
  const some = list.slice(0, 8).map(String);
  const said = some.length > 0 ? some.join(', ') : opcode === undefined ? 'no answers' : 'done';
  const ttl = fields['ttl.min'] === undefined ? '' : ` (ttl ${String(fields['ttl.min'])})`;
  const arrow = message.kind === 'notice' && asked === '' ? '' : `${operation}${asked} → `;
  // What the truncated answer lacks comes over TCP.
  return oneLine(`${arrow}${cut ? 'truncated (TC): ' : ''}${said}${ttl}`);
}
