/** The handshake of TLS as far as it is in the clear: messages put together from records, and what they settle. */
import type { Message, Side } from './decoder.ts';
import { cipherName } from './tls-ciphers.ts';
import {
  alpnNames,
  certificateMessageFields,
  clientHelloFields,
  keyExchangeFields,
  serverHelloFields,
} from './tls-fields.ts';
import { extension, type Hello, isRetry, readHello, spokenVersion, u24 } from './tls-hello.ts';
import {
  CERTIFICATE,
  CLIENT_HELLO,
  handshakeName,
  SERVER_HELLO,
  SERVER_KEY_EXCHANGE,
  versionName,
} from './tls-names.ts';
import { type Lane, NOTHING, type State, say } from './tls-state.ts';

/** The most of one handshake message that is kept; long chains of certificates are longer. */
const HANDSHAKE_KEPT = 64 * 1024;
export const TLS13 = 0x0304;
const PRE_SHARED_KEY = 41;

export function nowEncrypted(state: State, lane: Lane, said: Message[]): void {
  const { version, cipher, alpn, resumed } = state;
  state.encrypted = true;
  const fields = () => ({
    version: versionName(version),
    cipher: cipherName(cipher),
    ...(alpn !== null ? { alpn } : {}),
    resumed,
  });
  said.push(say(lane, 'notice', 'Encrypted', fields));
}

/** Messages may share a record, and one may fill many. */
export function handshake(
  state: State,
  side: Side,
  bytes: Uint8Array,
  from: number,
  to: number,
  said: Message[],
): string | null {
  const lane = state[side];
  for (let at = from; at < to; ) {
    if (lane.pass > 0) {
      const passed = Math.min(lane.pass, to - at);
      lane.pass -= passed;
      lane.unsaid += passed;
      at += passed;
    } else if (lane.have < 4) {
      if (lane.have === 0) {
        lane.message = new Uint8Array(4);
      }
      lane.message[lane.have++] = bytes[at++]!;
      lane.unsaid++;
      if (lane.have < 4) {
        continue;
      }
      if (handshakeName(lane.message[0]!) === null) {
        return `handshake message ${lane.message[0]} is unknown`;
      }
    } else {
      const whole = 4 + u24(lane.message, 1);
      const taken = Math.min(Math.min(whole, HANDSHAKE_KEPT) - lane.have, to - at);
      append(lane, bytes, at, at + taken);
      at += taken;
      if (lane.have === HANDSHAKE_KEPT && whole > lane.have) {
        lane.pass = whole - lane.have;
      }
    }
    if (lane.have >= 4 && lane.pass === 0) {
      const whole = 4 + u24(lane.message, 1);
      if (lane.have >= Math.min(whole, HANDSHAKE_KEPT)) {
        const body = lane.message.subarray(4, lane.have);
        const kind = lane.message[0]!;
        lane.have = 0;
        lane.message = NOTHING;
        const problem = message(state, side, kind, body, whole > HANDSHAKE_KEPT, said);
        if (problem !== null) {
          return problem;
        }
      }
    }
  }
  return null;
}

/** The room grows with what comes, not with what is announced. */
function append(lane: Lane, bytes: Uint8Array, from: number, to: number): void {
  const needed = lane.have + to - from;
  if (needed > lane.message.length) {
    const larger = new Uint8Array(Math.max(needed, 2 * lane.message.length));
    larger.set(lane.message.subarray(0, lane.have));
    lane.message = larger;
  }
  lane.message.set(bytes.subarray(from, to), lane.have);
  lane.unsaid += to - from;
  lane.have = needed;
}

/** One handshake message; `body` is ours to keep. */
function message(
  state: State,
  side: Side,
  kind: number,
  body: Uint8Array,
  cut: boolean,
  said: Message[],
): string | null {
  const lane = state[side];
  const name = handshakeName(kind) ?? '';
  if (kind === CLIENT_HELLO || kind === SERVER_HELLO) {
    if ((kind === CLIENT_HELLO) !== (side === 'client')) {
      return `a ${name} from the ${side}`;
    }
    const hello = readHello(body, side === 'client');
    if (hello === null) {
      return `the lengths in a ${name} do not fit`;
    }
    said.push(kind === CLIENT_HELLO ? clientHello(state, hello) : serverHello(state, hello));
  } else if (kind === CERTIFICATE) {
    said.push(say(lane, 'notice', name, () => certificateMessageFields(body, cut)));
  } else if (kind === SERVER_KEY_EXCHANGE) {
    said.push(say(lane, 'notice', name, () => keyExchangeFields(body)));
  } else {
    said.push(say(lane, 'notice', name, () => ({})));
  }
  return null;
}

function clientHello(state: State, hello: Hello): Message {
  state.asked = true;
  state.session = hello.session;
  return say(state.client, 'request', 'ClientHello', () => clientHelloFields(hello), {
    pair: ++state.hellos,
  });
}

function serverHello(state: State, hello: Hello): Message {
  const retry = isRetry(hello);
  const version = spokenVersion(hello);
  const resumed =
    version === TLS13
      ? extension(hello, PRE_SHARED_KEY) !== undefined
      : hello.session !== '' && hello.session === state.session;
  if (!retry) {
    state.version = version;
    state.cipher = hello.ciphers[0]!;
    state.alpn = alpnNames(hello)[0] ?? null;
    state.resumed = resumed;
  }
  const name = retry ? 'HelloRetryRequest' : 'ServerHello';
  const extra = state.asked ? { pair: state.hellos } : {};
  state.asked = false;
  return say(state.server, 'reply', name, () => serverHelloFields(hello, resumed), extra);
}
