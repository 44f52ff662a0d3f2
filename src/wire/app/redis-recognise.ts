/** Whether first bytes are Redis. */
import type { Hint } from './decoder.ts';
import { known } from './redis-commands.ts';
import { latin1 } from './text.ts';

const PORTS = new Set([6379, 6380, 26379, 16379]);
const INLINE_PLAUSIBLE = 0.3;
/** Less than text of any kind is given: these words begin lines of mail, FTP and many a toy. */
const ANYBODYS = 0.1;
const COMMON = /^(auth|copy|dump|echo|hello|info|keys|move|ping|quit|role|save|sort|time|type)$/i;

export function recogniseClient(hint: Hint, bytes: Uint8Array, from: number, to: number): number {
  const home = PORTS.has(hint.serverPort);
  if (from >= to) {
    return home ? 0.3 : 0;
  }
  if (bytes[from] === 42) {
    const after = digits(bytes, from + 1, to);
    if (after < 0) {
      return 0;
    }
    if (after + 2 < to) {
      return bytes[after] === 13 && bytes[after + 1] === 10 && bytes[after + 2] === 36 ? 0.95 : 0;
    }
    return home ? 0.6 : 0.5;
  }
  // A line: of a command that Redis has, and that memcached or a mail server may have too.
  let end = from;
  while (end < to && end - from < 24 && isLetter(bytes[end]!)) {
    end++;
  }
  const ends = end < to && (bytes[end] === 32 || bytes[end] === 13 || bytes[end] === 10);
  if (!ends || !known(bytes, from, end)) {
    return 0;
  }
  if (home) {
    return 0.6;
  }
  return COMMON.test(latin1(bytes, from, end)) ? ANYBODYS : INLINE_PLAUSIBLE;
}

/** Replies say more the longer they are; `+OK` is many a protocol's. */
export function recogniseServer(hint: Hint, bytes: Uint8Array, from: number, to: number): number {
  const home = PORTS.has(hint.serverPort);
  if (from >= to) {
    return home ? 0.3 : 0;
  }
  const first = bytes[from]!;
  switch (first) {
    case 36:
    case 42:
    case 37:
    case 126:
    case 62: {
      const after = bytes[from + 1] === 45 ? from + 2 : from + 1;
      const end = digits(bytes, after, to);
      if (end < 0) {
        return 0;
      }
      if (end + 2 > to) {
        return home ? 0.5 : 0.3;
      }
      if (bytes[end] !== 13 || bytes[end + 1] !== 10) {
        return 0;
      }
      return follows(first, Number(String.fromCharCode(...bytes.subarray(after, end))), bytes, end + 2, to);
    }
    case 58: {
      const end = digits(bytes, bytes[from + 1] === 45 ? from + 2 : from + 1, to);
      if (end < 0 || (end < to && bytes[end] !== 13)) {
        return 0;
      }
      return line(home, hint, end < to);
    }
    case 43:
    case 45: {
      // `+OK`, `-ERR …`, `-WRONGTYPE …`
      let end = from + 1;
      while (end < to && end - from < 32 && isLetter(bytes[end]!)) {
        end++;
      }
      if (end === from + 1 || (end < to && bytes[end] !== 13 && bytes[end] !== 32)) {
        return 0;
      }
      return line(home, hint, end < to);
    }
    default:
      return 0;
  }
}

/** One line is little to go by; in the middle of a conversation on Redis's port it is enough to go on. */
function line(home: boolean, hint: Hint, whole: boolean): number {
  if (!home) {
    return ANYBODYS;
  }
  return whole && hint.midStream ? 0.8 : 0.5;
}

function follows(first: number, length: number, bytes: Uint8Array, at: number, to: number): number {
  if (at >= to) {
    return 0.5;
  }
  if (first !== 36) {
    return TYPE_BYTES.includes(String.fromCharCode(bytes[at]!)) ? 0.85 : length === 0 ? 0.4 : 0;
  }
  const end = at + length;
  if (end + 2 > to) {
    return 0.6;
  }
  return bytes[end] === 13 && bytes[end + 1] === 10 ? 0.85 : 0;
}

const TYPE_BYTES = '$*:+-%~>_#,(=!|';

/** The position behind one to nine digits; -1 when there is something else. */
function digits(bytes: Uint8Array, from: number, to: number): number {
  let at = from;
  while (at < to && bytes[at]! >= 48 && bytes[at]! <= 57) {
    at++;
  }
  return (at === from && at < to) || at - from > 9 ? -1 : at;
}

function isLetter(byte: number): boolean {
  const lower = byte | 32;
  return lower >= 97 && lower <= 122;
}
