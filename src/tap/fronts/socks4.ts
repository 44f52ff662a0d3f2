/** SOCKS 4, and 4a, where an address 0.0.0.x means that a name follows. The user's name is ignored. */
import type { Address } from '../../reactor/reactor.ts';
import { ipv4Text, parseIpv4 } from '../../wire/net/address.ts';
import { type FrontState, type FrontStep, hostText, NEED, refuse } from './front.ts';

const CONNECT = 1;
const GRANTED = 90;
const FAILED = 91;
const HEAD = 8;
const MOST_TEXT = 255;

export function step4(state: FrontState, bytes: Uint8Array, from: number, to: number): FrontStep {
  if (to - from < HEAD) {
    return NEED;
  }
  if (bytes[from + 1] !== CONNECT) {
    return refuse('the client asks for BIND, and only CONNECT is known here', answer4(-95, null));
  }
  const userEnd = terminator(bytes, from + HEAD, to);
  if (userEnd === null) {
    return NEED;
  }
  const ip = from + 4;
  const named = bytes[ip] === 0 && bytes[ip + 1] === 0 && bytes[ip + 2] === 0 && bytes[ip + 3] !== 0;
  const end = named && userEnd > 0 ? terminator(bytes, userEnd + 1, to) : userEnd;
  if (end === null) {
    return NEED;
  }
  if (end < 0) {
    return refuse("the client's request does not end", answer4(-71, null));
  }
  const host = named ? hostText(bytes, userEnd + 1, end) : ipv4Text(bytes, ip);
  const port = (bytes[from + 2]! << 8) | bytes[from + 3]!;
  if (host === null || port === 0) {
    return refuse('the client names no host and port that could be dialled', answer4(-22, null));
  }
  state.phase = 'socks4';
  return { kind: 'dial', host, port, consumed: end + 1 - from };
}

/** Where the NUL is; null when it may still come, -1 when too much came before it. */
function terminator(bytes: Uint8Array, from: number, to: number): number | null {
  const last = Math.min(to, from + MOST_TEXT + 1);
  for (let at = from; at < last; at++) {
    if (bytes[at] === 0) {
      return at;
    }
  }
  return to - from > MOST_TEXT ? -1 : null;
}

export function answer4(result: number, bound: Address | null): Uint8Array {
  const port = bound === null || bound.kind === 'unix' ? 0 : bound.port;
  const address =
    (bound === null || bound.kind === 'unix' ? null : parseIpv4(bound.host)) ?? new Uint8Array(4);
  return Uint8Array.of(0, result >= 0 ? GRANTED : FAILED, port >> 8, port & 255, ...address);
}
