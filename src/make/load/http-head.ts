/** The head of an HTTP answer: where it ends, and what it says about the end of its body. No strings are made. */

/** What decides where an answer ends (RFC 9112 section 6.3). */
export interface Head {
  status: number;
  /** -1 without Content-Length. */
  length: number;
  chunked: boolean;
  /** `Connection: close`, or HTTP/1.0 without keep-alive. */
  close: boolean;
}

const LINE_FEED = 10;
const CARRIAGE_RETURN = 13;
const SPACE = 0x20;
const TAB = 9;
const COLON = 0x3a;

/** Behind the empty line of the head that begins at `from`; -1 while it is not there. */
export function headEnd(bytes: Uint8Array, from: number, to: number): number {
  for (let at = from; at + 1 < to; at++) {
    if (bytes[at] === LINE_FEED) {
      const next = bytes[at + 1];
      if (next === LINE_FEED) {
        return at + 2;
      }
      if (next === CARRIAGE_RETURN && at + 2 < to && bytes[at + 2] === LINE_FEED) {
        return at + 3;
      }
    }
  }
  return -1;
}

const VERSION = Buffer.from('HTTP/1.');
const CONTENT_LENGTH = Buffer.from('content-length');
const TRANSFER_ENCODING = Buffer.from('transfer-encoding');
const CONNECTION = Buffer.from('connection');
const CHUNKED = Buffer.from('chunked');
const CLOSE = Buffer.from('close');
const KEEP_ALIVE = Buffer.from('keep-alive');

/** False: these first bytes are not those of HTTP/1, whatever follows. */
export function mayBeHead(bytes: Uint8Array, length: number): boolean {
  return begins(VERSION, 0, VERSION.length, bytes.subarray(0, Math.min(length, VERSION.length)));
}

/** Reads the head [from, to) into `into`. False: this is not HTTP/1. */
export function readHead(bytes: Uint8Array, from: number, to: number, into: Head): boolean {
  if (!begins(bytes, from, to, VERSION)) {
    return false;
  }
  const minor = bytes[from + 7]!;
  into.status = digits(bytes, from + 9, from + 12);
  if (into.status < 100 || bytes[from + 8] !== SPACE) {
    return false;
  }
  into.length = -1;
  into.chunked = false;
  into.close = minor === 0x30;
  let line = lineEnd(bytes, from, to) + 1;
  while (line < to) {
    const end = lineEnd(bytes, line, to);
    const colon = bytes.indexOf(COLON, line);
    if (colon > line && colon < end && !readField(bytes, line, colon, end, into)) {
      return false;
    }
    line = end + 1;
  }
  return true;
}

function readField(bytes: Uint8Array, from: number, colon: number, end: number, into: Head): boolean {
  const start = afterBlanks(bytes, colon + 1, end);
  const stop = beforeBlanks(bytes, start, end);
  if (named(bytes, from, colon, CONTENT_LENGTH)) {
    const length = digits(bytes, start, stop);
    // Two that differ are how requests are smuggled (RFC 9112 section 6.3).
    if (length < 0 || (into.length >= 0 && into.length !== length)) {
      return false;
    }
    into.length = length;
  } else if (named(bytes, from, colon, TRANSFER_ENCODING)) {
    into.chunked = contains(bytes, start, stop, CHUNKED);
  } else if (named(bytes, from, colon, CONNECTION)) {
    if (contains(bytes, start, stop, CLOSE)) {
      into.close = true;
    } else if (contains(bytes, start, stop, KEEP_ALIVE)) {
      into.close = false;
    }
  }
  return true;
}

function lineEnd(bytes: Uint8Array, from: number, to: number): number {
  for (let at = from; at < to; at++) {
    if (bytes[at] === LINE_FEED) {
      return at;
    }
  }
  return to;
}

function afterBlanks(bytes: Uint8Array, from: number, to: number): number {
  let at = from;
  while (at < to && (bytes[at] === SPACE || bytes[at] === TAB)) {
    at++;
  }
  return at;
}

function beforeBlanks(bytes: Uint8Array, from: number, to: number): number {
  let at = to;
  while (at > from && (bytes[at - 1]! <= SPACE || bytes[at - 1] === TAB)) {
    at--;
  }
  return at;
}

/** -1 for what is no number, or one too large to be true. */
function digits(bytes: Uint8Array, from: number, to: number): number {
  if (to <= from || to - from > 15) {
    return -1;
  }
  let number = 0;
  for (let at = from; at < to; at++) {
    const digit = bytes[at]! - 0x30;
    if (!(digit >= 0 && digit <= 9)) {
      return -1;
    }
    number = number * 10 + digit;
  }
  return number;
}

function begins(bytes: Uint8Array, from: number, to: number, word: Uint8Array): boolean {
  if (to - from < word.length) {
    return false;
  }
  for (let index = 0; index < word.length; index++) {
    if (bytes[from + index] !== word[index]) {
      return false;
    }
  }
  return true;
}

/** `word` is in lower case; bit 0x20 is what letters of both cases differ in. */
function matches(bytes: Uint8Array, from: number, word: Uint8Array): boolean {
  for (let index = 0; index < word.length; index++) {
    if ((bytes[from + index]! | 0x20) !== word[index]) {
      return false;
    }
  }
  return true;
}

function named(bytes: Uint8Array, from: number, to: number, word: Uint8Array): boolean {
  return to - from === word.length && matches(bytes, from, word);
}

function contains(bytes: Uint8Array, from: number, to: number, word: Uint8Array): boolean {
  for (let at = from; at + word.length <= to; at++) {
    if (matches(bytes, at, word)) {
      return true;
    }
  }
  return false;
}
