/** What a client says to a SOCKS proxy. */
import { type Message, malformed, need, ok, type Step } from './decoder.ts';
import {
  BEFORE_ADDRESS,
  hostOf,
  MAX_HOST,
  MAX_USER,
  OLD_HEAD,
  oldHost,
  oldRequest,
  portAt,
  wholeLength,
} from './socks-address.ts';
import { gssFrame, sealed } from './socks-gss.ts';
import { commandName, GSSAPI, methodName, PASSWORD } from './socks-names.ts';
import { type Asked, type Fields, type State, say } from './socks-state.ts';
import { text } from './text.ts';

/** What a client that does not wait for the answer may send ahead. */
const MAX_AHEAD = 64 * 1024;

const NO_MESSAGES: readonly Message[] = [];

export function client(bytes: Uint8Array, from: number, to: number, state: State): Step {
  if (state.client.sealed) {
    return sealed(state.client, from, to);
  }
  if (state.over === 'datagrams') {
    return malformed(0, 'bytes on a connection that only keeps a UDP association open');
  }
  if (state.over === 'refused') {
    return ok(NO_MESSAGES, to - from);
  }
  if (state.asked !== null) {
    return to - from < MAX_AHEAD
      ? ok(NO_MESSAGES, 0)
      : malformed(0, 'the client did not wait for the answer of the proxy');
  }
  if (from === to) {
    return need(1);
  }
  const first = bytes[from]!;
  if (state.offered === null) {
    return first === 5
      ? greeting(bytes, from, to, state)
      : first === 4
        ? oldStyle(bytes, from, to, state)
        : malformed(0, `no version ${first} of SOCKS`);
  }
  if (first === 5) {
    return request(bytes, from, to, state);
  }
  if (first !== 1) {
    return malformed(0, `neither a request nor a proof of who asks: byte ${first}`);
  }
  // Before the server's choice is known, what was offered tells.
  const method = state.method >= 0 ? state.method : state.offered.includes(PASSWORD) ? PASSWORD : GSSAPI;
  if (method === PASSWORD) {
    return password(bytes, from, to, state);
  }
  return method === GSSAPI && state.offered.includes(GSSAPI)
    ? gssFrame(state.client, bytes, from, to, state)
    : malformed(0, `authentication by ${methodName(method)} is not read`);
}

function greeting(bytes: Uint8Array, from: number, to: number, state: State): Step {
  if (to - from < 2) {
    return need(2);
  }
  const size = 2 + bytes[from + 1]!;
  if (size === 2) {
    return malformed(1, 'a greeting that offers no method');
  }
  if (to - from < size) {
    return need(size);
  }
  const offered = bytes.slice(from + 2, from + size);
  state.offered = offered;
  const fields = () => ({ version: '5', methods: Array.from(offered, methodName) });
  return ok([say('request', 'Greeting', size, fields, { pair: 'greeting' })], size);
}

/** RFC 1929. */
function password(bytes: Uint8Array, from: number, to: number, state: State): Step {
  if (to - from < 2) {
    return need(2);
  }
  const userEnd = from + 2 + bytes[from + 1]!;
  if (to <= userEnd) {
    return need(userEnd + 1 - from);
  }
  const size = userEnd + 1 + bytes[userEnd]! - from;
  if (to - from < size) {
    return need(size);
  }
  state.proving = true;
  const fields = () => ({
    version: '5',
    user: text(bytes, from + 2, userEnd),
    password: text(bytes, userEnd + 1, from + size),
  });
  return ok([say('request', 'Password', size, fields, { pair: 'password' })], size);
}

function request(bytes: Uint8Array, from: number, to: number, state: State): Step {
  if (to - from < BEFORE_ADDRESS + 2) {
    return need(BEFORE_ADDRESS + 2);
  }
  const size = wholeLength(bytes, from);
  if (size < 0) {
    return malformed(BEFORE_ADDRESS, `address type ${bytes[from + BEFORE_ADDRESS]}`);
  }
  if (to - from < size) {
    return need(size);
  }
  return asks(state, size, {
    version: '5',
    command: bytes[from + 1]!,
    host: hostOf(bytes, from),
    port: portAt(bytes, from + size - 2),
    user: '',
  });
}

function oldStyle(bytes: Uint8Array, from: number, to: number, state: State): Step {
  if (to - from <= OLD_HEAD) {
    return need(OLD_HEAD + 1);
  }
  const found = oldRequest(bytes, from, to);
  if (found.hostEnd < 0) {
    const inUser = found.userEnd < 0;
    const start = inUser ? from + OLD_HEAD : found.userEnd + 1;
    return to - start > (inUser ? MAX_USER : MAX_HOST)
      ? malformed(start - from, `a name of more than ${inUser ? MAX_USER : MAX_HOST} bytes`)
      : ok(NO_MESSAGES, 0);
  }
  return asks(state, found.hostEnd + 1 - from, {
    version: found.named ? '4a' : '4',
    command: bytes[from + 1]!,
    host: oldHost(bytes, from, found),
    port: portAt(bytes, from + 2),
    user: text(bytes, from + OLD_HEAD, found.userEnd),
  });
}

function asks(state: State, size: number, asked: Asked): Step {
  state.asked = asked;
  const name = commandName(asked.command);
  return ok([say('request', name, size, () => askedFields(asked), { pair: 'request' })], size);
}

export function askedFields({ version, command, host, port, user }: Asked): Fields {
  const fields: Fields = { version, command: commandName(command), host, port };
  if (user !== '') {
    fields.user = user;
  }
  return fields;
}
