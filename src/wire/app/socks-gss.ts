/** GSSAPI in SOCKS 5 (RFC 1961): tokens in frames; once they encapsulate, only counted. */
import { type Message, malformed, need, ok, type Step } from './decoder.ts';
import { gssName } from './socks-names.ts';
import { type Lane, type State, say } from './socks-state.ts';

const ENCAPSULATED = 3;
const ABORT = 255;
const HEAD = 4;

const NO_MESSAGES: readonly Message[] = [];

/** bytes[from] is 1, the version. */
export function gssFrame(lane: Lane, bytes: Uint8Array, from: number, to: number, state: State): Step {
  if (to - from < 2) {
    return need(2);
  }
  const type = bytes[from + 1]!;
  if (type === ABORT) {
    state.over = 'refused';
    return ok([say('notice', gssName(type), 2, () => ({ version: '5' }), { failed: true })], 2);
  }
  if (type < 1 || type > ENCAPSULATED) {
    return malformed(1, `a frame ${type} around a GSSAPI token`);
  }
  if (type === ENCAPSULATED) {
    lane.sealed = true;
    lane.sealedBytes = 2;
    return ok([say('notice', 'Encrypted', 0, () => ({ version: '5', method: 'GSSAPI' }))], 2);
  }
  if (to - from < HEAD) {
    return need(HEAD);
  }
  const length = (bytes[from + 2]! << 8) | bytes[from + 3]!;
  if (to - from < HEAD + length) {
    return need(HEAD + length);
  }
  const fields = () => ({ version: '5', 'token.length': length });
  return ok([say('notice', gssName(type), HEAD + length, fields)], HEAD + length);
}

export function sealed(lane: Lane, from: number, to: number): Step {
  lane.sealedBytes += to - from;
  return ok(NO_MESSAGES, to - from);
}
