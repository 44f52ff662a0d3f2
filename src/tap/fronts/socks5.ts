/** SOCKS 5 (RFC 1928, with RFC 1929's user name and password, which are accepted whatever they are), and SOCKS 4 and 4a beside it. */
import type { Address } from '../../reactor/reactor.ts';
import { ipv4Text, ipv6Text, parseIpv4, parseIpv6 } from '../../wire/net/address.ts';
import { type FrontSpeaker, type FrontState, type FrontStep, hostText, NEED, refuse } from './front.ts';
import { answer4, step4 } from './socks4.ts';

const NO_AUTHENTICATION = 0;
const PASSWORD = 2;
const NONE_ACCEPTABLE = 0xff;
const CONNECT = 1;
const IPV4 = 1;
const NAME = 3;
const IPV6 = 4;

/** RFC 1928 section 6. */
const GENERAL_FAILURE = 1;
const NOT_ALLOWED = 2;
const NETWORK_UNREACHABLE = 3;
const HOST_UNREACHABLE = 4;
const REFUSED = 5;
const COMMAND_UNKNOWN = 7;
const ADDRESS_UNKNOWN = 8;

const COMMANDS: Readonly<Record<number, string>> = { 2: 'BIND', 3: 'UDP ASSOCIATE' };

/** By errno; a time-out is the host's silence: code 6 would claim that a TTL ran out. */
const REPLIES: Readonly<Record<number, number>> = {
  1: NOT_ALLOWED, // EPERM
  2: HOST_UNREACHABLE, // ENOENT: the name is unknown
  13: NOT_ALLOWED, // EACCES
  97: ADDRESS_UNKNOWN, // EAFNOSUPPORT
  100: NETWORK_UNREACHABLE, // ENETDOWN
  101: NETWORK_UNREACHABLE, // ENETUNREACH
  110: HOST_UNREACHABLE, // ETIMEDOUT
  111: REFUSED, // ECONNREFUSED
  112: HOST_UNREACHABLE, // EHOSTDOWN
  113: HOST_UNREACHABLE, // EHOSTUNREACH
};

export const socks5: FrontSpeaker = {
  begin: () => ({ phase: 'greeting', looked: 0 }),
  step(state, bytes, from, to) {
    if (to <= from) {
      return NEED;
    }
    switch (state.phase) {
      case 'greeting':
        return bytes[from] === 4 ? step4(state, bytes, from, to) : greeting(state, bytes, from, to);
      case 'password':
        return password(state, bytes, from, to);
      case 'request':
        return request(bytes, from, to);
      default:
        return step4(state, bytes, from, to);
    }
  },
  answer(state, result, bound) {
    if (state.phase === 'socks4') {
      return answer4(result, bound);
    }
    return reply(result >= 0 ? 0 : (REPLIES[-result] ?? GENERAL_FAILURE), bound);
  },
};

function greeting(state: FrontState, bytes: Uint8Array, from: number, to: number): FrontStep {
  const version = bytes[from]!;
  if (version !== 5) {
    // Somebody entered it as an HTTP proxy: a browser shows this sentence.
    return version >= 0x41 && version <= 0x5a
      ? refuse('the client speaks HTTP, and this is a SOCKS front', SPEAKS_HTTP)
      : refuse(`the client speaks neither SOCKS 5 nor 4: its first byte is ${version}`, NOTHING);
  }
  const count = to - from < 2 ? -1 : bytes[from + 1]!;
  if (count < 0 || to - from < 2 + count) {
    return NEED;
  }
  const methods = bytes.subarray(from + 2, from + 2 + count);
  const method = methods.includes(NO_AUTHENTICATION)
    ? NO_AUTHENTICATION
    : methods.includes(PASSWORD)
      ? PASSWORD
      : NONE_ACCEPTABLE;
  const said = Uint8Array.of(5, method);
  if (method === NONE_ACCEPTABLE) {
    return refuse('the client offers no way to authenticate that is known here', said);
  }
  state.phase = method === PASSWORD ? 'password' : 'request';
  return { kind: 'say', bytes: said, consumed: 2 + count };
}

const NOTHING = new Uint8Array(0);
const SPEAKS_HTTP = Buffer.from(
  'HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: text/plain\r\n\r\n' +
    'This is a SOCKS 5 front of sockscope tap. For HTTP, listen on connect://.\n',
);

/** RFC 1929 section 2. */
function password(state: FrontState, bytes: Uint8Array, from: number, to: number): FrontStep {
  if (bytes[from] !== 1) {
    return refuse('the user name and password are in no known form', Uint8Array.of(1, 1));
  }
  const user = to - from < 2 ? -1 : bytes[from + 1]!;
  const secretAt = 2 + user;
  if (user < 0 || to - from < secretAt + 1) {
    return NEED;
  }
  const consumed = secretAt + 1 + bytes[from + secretAt]!;
  if (to - from < consumed) {
    return NEED;
  }
  state.phase = 'request';
  return { kind: 'say', bytes: Uint8Array.of(1, 0), consumed };
}

function request(bytes: Uint8Array, from: number, to: number): FrontStep {
  if (to - from < 5) {
    return NEED;
  }
  if (bytes[from] !== 5) {
    return refuse(`the request is of version ${bytes[from]}`, reply(GENERAL_FAILURE, null));
  }
  const command = bytes[from + 1]!;
  if (command !== CONNECT) {
    const what = COMMANDS[command] ?? `command ${command}`;
    return refuse(
      `the client asks for ${what}, and only CONNECT is known here`,
      reply(COMMAND_UNKNOWN, null),
    );
  }
  const type = bytes[from + 3]!;
  const length = type === IPV4 ? 4 : type === IPV6 ? 16 : type === NAME ? 1 + bytes[from + 4]! : -1;
  if (length < 0) {
    return refuse(`the address is of the unknown type ${type}`, reply(ADDRESS_UNKNOWN, null));
  }
  const consumed = 4 + length + 2;
  if (to - from < consumed) {
    return NEED;
  }
  const at = from + 4;
  const host =
    type === IPV4
      ? ipv4Text(bytes, at)
      : type === IPV6
        ? ipv6Text(bytes, at)
        : hostText(bytes, at + 1, at + length);
  const port = (bytes[at + length]! << 8) | bytes[at + length + 1]!;
  if (host === null || port === 0) {
    return refuse('the client names no host and port that could be dialled', reply(GENERAL_FAILURE, null));
  }
  return { kind: 'dial', host, port, consumed };
}

function reply(code: number, bound: Address | null): Uint8Array {
  const host = bound === null || bound.kind === 'unix' ? '0.0.0.0' : bound.host.replace(/%.*$/, '');
  const port = bound === null || bound.kind === 'unix' ? 0 : bound.port;
  const six = parseIpv6(host);
  const address = six ?? parseIpv4(host) ?? new Uint8Array(4);
  return Uint8Array.of(5, code, 0, address.length === 16 ? IPV6 : IPV4, ...address, port >> 8, port & 255);
}
