/** What a SOCKS proxy answers. */

import { ipv4Text } from '../net/address.ts';
import { become, malformed, need, ok, type Step } from './decoder.ts';
import { BEFORE_ADDRESS, hostOf, OLD_REPLY, portAt, wholeLength } from './socks-address.ts';
import { askedFields } from './socks-client.ts';
import { gssFrame, sealed } from './socks-gss.ts';
import {
  BIND,
  GRANTED,
  GSSAPI,
  methodName,
  NO_METHOD,
  oldReplyName,
  replyName,
  UDP_ASSOCIATE,
} from './socks-names.ts';
import { type Asked, type State, say } from './socks-state.ts';

export function server(bytes: Uint8Array, from: number, to: number, state: State): Step {
  const { asked, method } = state;
  if (state.server.sealed) {
    return sealed(state.server, from, to);
  }
  if (state.over !== 'no') {
    return malformed(0, 'bytes of the proxy after its last answer');
  }
  if (from === to) {
    return need(1);
  }
  if (asked !== null && asked.version !== '5') {
    return oldReply(bytes, from, to, asked, state);
  }
  if (state.offered === null) {
    return malformed(0, 'an answer to a question that was not seen');
  }
  if (method < 0) {
    return methodTaken(bytes, from, to, state);
  }
  if (state.proving) {
    return proved(bytes, from, to, state);
  }
  if (method === GSSAPI && bytes[from] === 1) {
    return gssFrame(state.server, bytes, from, to, state);
  }
  return asked === null
    ? malformed(0, `an answer to nothing; authentication is by ${methodName(method)}`)
    : reply(bytes, from, to, asked, state);
}

function methodTaken(bytes: Uint8Array, from: number, to: number, state: State): Step {
  if (to - from < 2) {
    return need(2);
  }
  if (bytes[from] !== 5) {
    return malformed(0, `version ${bytes[from]} in answer to SOCKS 5`);
  }
  const method = bytes[from + 1]!;
  const failed = method === NO_METHOD;
  if (!failed && state.offered?.includes(method) !== true) {
    return malformed(1, `method ${methodName(method)} was not offered`);
  }
  state.method = method;
  state.over = failed ? 'refused' : 'no';
  const fields = () => ({ version: '5', method: methodName(method) });
  return ok([say('reply', 'Method', 2, fields, { pair: 'greeting', failed })], 2);
}

/** RFC 1929: version 1; some proxies write 5. */
function proved(bytes: Uint8Array, from: number, to: number, state: State): Step {
  if (to - from < 2) {
    return need(2);
  }
  if (bytes[from] !== 1 && bytes[from] !== 5) {
    return malformed(0, `version ${bytes[from]} in answer to a password`);
  }
  const code = bytes[from + 1]!;
  const failed = code !== 0;
  state.proving = false;
  state.over = failed ? 'refused' : 'no';
  const name = failed ? 'refused' : 'accepted';
  const fields = () => ({ version: '5', reply: name, 'reply.code': code });
  return ok([say('reply', name, 2, fields, { pair: 'password', failed })], 2);
}

function reply(bytes: Uint8Array, from: number, to: number, asked: Asked, state: State): Step {
  if (bytes[from] !== 5) {
    return malformed(0, `version ${bytes[from]} in answer to SOCKS 5`);
  }
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
  const code = bytes[from + 1]!;
  const host = hostOf(bytes, from);
  return answered(
    state,
    asked,
    size,
    replyName(code),
    code,
    code !== 0,
    host,
    portAt(bytes, from + size - 2),
  );
}

function oldReply(bytes: Uint8Array, from: number, to: number, asked: Asked, state: State): Step {
  // The version is 0 in the paper; some proxies write 4.
  if (bytes[from] !== 0 && bytes[from] !== 4) {
    return malformed(0, `version ${bytes[from]} in answer to SOCKS 4`);
  }
  if (to - from < OLD_REPLY) {
    return need(OLD_REPLY);
  }
  const code = bytes[from + 1]!;
  const host = ipv4Text(bytes, from + 4);
  return answered(
    state,
    asked,
    OLD_REPLY,
    oldReplyName(code),
    code,
    code !== GRANTED,
    host,
    portAt(bytes, from + 2),
  );
}

function answered(
  state: State,
  asked: Asked,
  size: number,
  name: string,
  code: number,
  failed: boolean,
  host: string,
  port: number,
): Step {
  const fields = () => ({
    ...askedFields(asked),
    reply: name,
    'reply.code': code,
    'bound.host': host,
    'bound.port': port,
  });
  // BIND is answered twice: when the proxy listens, and when somebody came (RFC 1928, section 6).
  const more = !failed && asked.command === BIND && !state.bound;
  const message = say('reply', name, size, fields, { pair: 'request', failed, ...(more ? { more } : {}) });
  if (failed) {
    state.over = 'refused';
  } else if (asked.command === UDP_ASSOCIATE) {
    state.over = 'datagrams';
  } else if (more) {
    state.bound = true;
  } else {
    return become(null, [message], size);
  }
  return ok([message], size);
}
