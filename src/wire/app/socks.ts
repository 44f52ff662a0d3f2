/** SOCKS 4, 4a and 5 (RFC 1928, RFC 1929, RFC 1961). Behind a success, whatever client and target speak. */
import type { Values } from '../value.ts';
import { decoderOf, type Hint, type Message } from './decoder.ts';
import { BEFORE_ADDRESS, joined, OLD_HEAD, oldRequest, portAt, wholeLength } from './socks-address.ts';
import { client } from './socks-client.ts';
import { BIND, CONNECT, isMethod, PASSWORD, UDP_ASSOCIATE } from './socks-names.ts';
import { server } from './socks-server.ts';
import { begin, type State, say } from './socks-state.ts';
import { oneLine } from './sql.ts';
import { shortened } from './text.ts';

const PORT = 1080;

function recognises(hint: Hint, bytes: Uint8Array, from: number, to: number): number {
  const byPort = hint.serverPort === PORT ? 0.3 : 0;
  if (from === to) {
    return byPort;
  }
  if (hint.side === 'server') {
    return bytes[from] === 5 && to - from <= 2 ? byPort : 0;
  }
  const found =
    bytes[from] === 5 ? greetingFits(bytes, from, to) : bytes[from] === 4 ? oldFits(bytes, from, to) : 'no';
  return found === 'fits' ? 0.9 : found === 'no' ? 0 : byPort > 0 ? 0.5 : 0.2;
}

type Fit = 'fits' | 'so far' | 'no';

/** Exactly the greeting, or a greeting and what a client that does not wait sends with it. */
function greetingFits(bytes: Uint8Array, from: number, to: number): Fit {
  if (to - from < 2) {
    return 'so far';
  }
  const end = from + 2 + bytes[from + 1]!;
  for (let at = from + 2; at < Math.min(end, to); at++) {
    if (!isMethod(bytes[at]!) || bytes.indexOf(bytes[at]!, from + 2) < at) {
      return 'no';
    }
  }
  if (end === from + 2) {
    return 'no';
  }
  if (to <= end) {
    return to === end ? 'fits' : 'so far';
  }
  const rest = to - end;
  if (bytes[end] === 1 && bytes.subarray(from + 2, end).includes(PASSWORD)) {
    const user = bytes[end + 1] ?? 0;
    return rest < 3 + user ? 'so far' : 'fits';
  }
  if (bytes[end] !== 5) {
    return 'no';
  }
  if (rest < BEFORE_ADDRESS + 2) {
    return 'so far';
  }
  const size = wholeLength(bytes, end);
  const command = bytes[end + 1]!;
  return command < CONNECT || command > UDP_ASSOCIATE || bytes[end + 2] !== 0 || size < 0
    ? 'no'
    : rest < size
      ? 'so far'
      : 'fits';
}

function oldFits(bytes: Uint8Array, from: number, to: number): Fit {
  const command = bytes[from + 1];
  if (to - from > 1 && command !== CONNECT && command !== BIND) {
    return 'no';
  }
  if (to - from <= OLD_HEAD) {
    return 'so far';
  }
  const { userEnd, hostEnd, named } = oldRequest(bytes, from, to);
  if (bytes[from + 4] === 0 && !named) {
    return 'no';
  }
  const stop = hostEnd < 0 ? to : hostEnd;
  for (let at = from + OLD_HEAD; at < stop; at++) {
    if (at !== userEnd && (bytes[at]! <= 32 || bytes[at] === 127)) {
      return 'no';
    }
  }
  return hostEnd === to - 1 && portAt(bytes, from + 2) > 0 ? 'fits' : 'so far';
}

function summarised({ name, kind }: Message, fields: Values): string {
  const start = `SOCKS${fields.version}`;
  const target = `${fields.command} ${joined(String(fields.host), Number(fields.port))}`;
  if (fields.methods !== undefined) {
    return `${start} offers ${(fields.methods as readonly string[]).join(', ')}`;
  }
  if (name === 'Method') {
    return `${start} method ${fields.method}`;
  }
  if (name === 'Password') {
    return `${start} password of ${fields.user}`;
  }
  if (name === 'EncryptedData') {
    return `${start} ${fields.bytes} encrypted bytes`;
  }
  if (fields.command === undefined) {
    return kind === 'reply' ? `${start} password ${name}` : `${start} ${name}`;
  }
  if (kind === 'request') {
    return `${start} ${target}${fields.user === undefined ? '' : ` for ${fields.user}`}`;
  }
  return `${start} ${name}: ${target}, from ${joined(String(fields['bound.host']), Number(fields['bound.port']))}`;
}

export const decoder = decoderOf<State>({
  name: 'socks',
  transports: ['tcp'],
  secrets: ['password'],
  recognises,
  speaks: {
    socks: [
      ...['version', 'methods', 'method', 'user', 'password', 'command', 'host', 'port'],
      ...['reply', 'reply.code', 'bound.host', 'bound.port', 'token.length', 'bytes'],
    ],
  },
  begin,
  client,
  server,
  end(side, state) {
    const { sealedBytes } = state[side];
    return sealedBytes === 0
      ? []
      : [
          say('notice', 'EncryptedData', sealedBytes, () => ({
            version: '5',
            method: 'GSSAPI',
            bytes: sealedBytes,
          })),
        ];
  },
  summary: (message, fields) => shortened(oneLine(summarised(message, fields)), 200),
});
