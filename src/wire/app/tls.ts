/**
 * TLS 1.0 to 1.3 and SSL 3.0 (RFC 8446, RFC 5246): records, the handshake as far as it is in the clear, alerts, and how many
 * bytes were carried in secret.
 */
import {
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
import { oneLine } from './sql.ts';
import { shortened } from './text.ts';
import { tlsSummary } from './tls-fields.ts';
import { handshake, nowEncrypted, TLS13 } from './tls-handshake.ts';
import { u16 } from './tls-hello.ts';
import { alertName, CLIENT_HELLO, SERVER_HELLO } from './tls-names.ts';
import { begin, type State, say } from './tls-state.ts';

const CHANGE_CIPHER_SPEC = 20;
const ALERT = 21;
const HANDSHAKE = 22;
const APPLICATION_DATA = 23;
const HEARTBEAT = 24;

const HEADER = 5;
/** 2^14 and what TLS 1.2 allows encryption to add (RFC 5246, section 6.2.3). */
const LONGEST_RECORD = 16_384 + 2048;

/** As many records as are there. */
function records(side: Side, bytes: Uint8Array, from: number, to: number, state: State): Step {
  const lane = state[side];
  if (lane.problem !== null) {
    return malformed(0, lane.problem);
  }
  if (lane.rest > 0) {
    const { rest } = lane;
    lane.rest = 0;
    return skip(rest);
  }
  const said: Message[] = [];
  let at = from;
  let wanted = HEADER;
  while (to - at >= HEADER) {
    const why = wrong(bytes, at);
    if (why !== null) {
      return at > from ? ok(said, at - from) : malformed(0, why);
    }
    const type = bytes[at]!;
    const length = u16(bytes, at + 3);
    const end = at + HEADER + length;
    if (type === APPLICATION_DATA) {
      applicationData(state, side, length, said);
      if (end > to) {
        lane.rest = length;
        return ok(said, at + HEADER - from);
      }
    } else {
      if (end > to) {
        wanted = end - at;
        break;
      }
      lane.unsaid += HEADER;
      lane.problem = record(state, side, type, bytes, at + HEADER, end, said);
      if (lane.problem !== null) {
        return ok(said, end - 1 - from);
      }
    }
    at = end;
  }
  return at > from ? ok(said, at - from) : need(wanted);
}

function wrong(bytes: Uint8Array, at: number): string | null {
  const type = bytes[at]!;
  if (type >= 0x80 && bytes[at + 2] === 1 && (bytes[at + 3] === 3 || bytes[at + 3] === 0)) {
    return 'an SSL 2.0 hello: no server of today answers it, and it is not read';
  }
  if (type < CHANGE_CIPHER_SPEC || type > HEARTBEAT || bytes[at + 1] !== 3 || bytes[at + 2]! > 4) {
    return `no TLS record begins with bytes ${bytes.subarray(at, at + 3).join(' ')}`;
  }
  const length = u16(bytes, at + 3);
  return length > LONGEST_RECORD || (length === 0 && type !== APPLICATION_DATA)
    ? `a TLS record of ${length} bytes`
    : null;
}

function applicationData(state: State, side: Side, length: number, said: Message[]): void {
  const lane = state[side];
  lane.records++;
  lane.bytes += length;
  // In TLS 1.3 the client's first record behind the ServerHello carries its Finished (RFC 8446, section 2).
  if (side === 'client' && state.version === TLS13 && !state.encrypted) {
    nowEncrypted(state, lane, said);
  }
}

/** A record other than application data: bytes[from, to) is its content. Null, or what is wrong. */
function record(
  state: State,
  side: Side,
  type: number,
  bytes: Uint8Array,
  from: number,
  to: number,
  said: Message[],
): string | null {
  const lane = state[side];
  if (type === ALERT) {
    lane.unsaid += to - from;
    alert(state, side, bytes, from, to, said);
    return null;
  }
  if (type === HANDSHAKE && !lane.changed) {
    return handshake(state, side, bytes, from, to, said);
  }
  lane.unsaid += to - from;
  if (type === HANDSHAKE) {
    if (!lane.finished) {
      lane.finished = true;
      said.push(say(lane, 'notice', 'Finished', () => ({ encrypted: true })));
      if (state.client.finished && state.server.finished && state.version !== 0) {
        nowEncrypted(state, lane, said);
      }
    }
  } else if (type === HEARTBEAT) {
    said.push(say(lane, 'notice', 'Heartbeat', () => ({})));
  } else if (state.version !== TLS13 && (state.version !== 0 || state.midStream)) {
    // In TLS 1.3 it means nothing and is there for old boxes on the way (RFC 8446, section D.4).
    lane.changed = true;
    said.push(say(lane, 'notice', 'ChangeCipherSpec', () => ({})));
  }
  return null;
}

function alert(state: State, side: Side, bytes: Uint8Array, from: number, to: number, said: Message[]): void {
  const lane = state[side];
  if (to - from !== 2 || lane.changed) {
    said.push(say(lane, 'notice', 'Alert', () => ({ encrypted: true })));
    return;
  }
  const failed = bytes[from] === 2;
  const level = failed ? 'fatal' : 'warning';
  const name = alertName(bytes[from + 1]!);
  const fields = () => ({ level, alert: name });
  if (failed && side === 'server' && state.asked) {
    state.asked = false;
    said.push(say(lane, 'reply', 'Alert', fields, { pair: state.hellos, failed }));
  } else {
    said.push(say(lane, 'notice', 'Alert', fields, { failed }));
  }
}

function recognises(hint: Hint, bytes: Uint8Array, from: number, to: number): number {
  const size = to - from;
  const type = bytes[from];
  if (size >= 3 && type === HANDSHAKE && bytes[from + 1] === 3 && bytes[from + 2]! <= 4) {
    const wanted = hint.side === 'client' ? CLIENT_HELLO : SERVER_HELLO;
    return size < 6 ? 0.85 : bytes[from + 5] === wanted ? 0.95 : hint.midStream ? 0.8 : 0.3;
  }
  if (size >= 6 && type === ALERT && hint.side === 'server') {
    return wrong(bytes, from) === null && u16(bytes, from + 3) === 2 ? 0.85 : 0;
  }
  if (size >= HEADER && type! >= 0x80 && hint.side === 'client' && bytes[from + 2] === 1) {
    return oldHello(bytes, from, to) ? 0.8 : 0;
  }
  if (!hint.midStream || size < HEADER || wrong(bytes, from) !== null) {
    return 0;
  }
  const next = from + HEADER + u16(bytes, from + 3);
  return to - next < HEADER ? (to <= next ? 0.8 : 0.5) : wrong(bytes, next) === null ? 0.9 : 0;
}

/** The hello of SSL 2.0, whose three lengths must make up the whole (RFC 5246, section E.2). */
function oldHello(bytes: Uint8Array, from: number, to: number): boolean {
  if (to - from < 11) {
    return false;
  }
  const ciphers = u16(bytes, from + 5);
  const session = u16(bytes, from + 7);
  const challenge = u16(bytes, from + 9);
  const length = u16(bytes, from) & 0x7fff;
  return (
    ciphers % 3 === 0 && challenge >= 16 && challenge <= 32 && length === 9 + ciphers + session + challenge
  );
}

export const decoder = decoderOf<State>({
  name: 'tls',
  transports: ['tcp'],
  secrets: [],
  recognises,
  speaks: {
    tls: [
      ...['version', 'version.legacy', 'versions', 'sni', 'alpn', 'ja4', 'cipher', 'ciphers', 'extensions'],
      ...[
        'groups',
        'group',
        'key_shares',
        'signature_algorithms',
        'compressions',
        'random',
        'session',
        'grease',
      ],
      ...['session_ticket', 'psk', 'early_data', 'extended_master_secret', 'renegotiation_info', 'ech'],
      ...['resumed', 'downgraded', 'level', 'alert', 'encrypted', 'records', 'bytes', 'certificate.*'],
    ],
  },
  begin,
  client: (bytes, from, to, state) => records('client', bytes, from, to, state),
  server: (bytes, from, to, state) => records('server', bytes, from, to, state),
  end(side, state) {
    const lane = state[side];
    if (lane.records === 0) {
      return [];
    }
    const { records: count, bytes } = lane;
    lane.unsaid += bytes + HEADER * count;
    return [say(lane, 'notice', 'ApplicationData', () => ({ records: count, bytes }))];
  },
  summary: (one, fields) => shortened(oneLine(tlsSummary(one, fields)), 200),
});
