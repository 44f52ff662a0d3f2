/**
 * The head of an HTTP/1 message, scanned once (RFC 9112). Only what decides how the message goes on is looked at here, and no
 * string is made: everything else waits until the fields are asked for.
 */
import { blank, readStartLine, type StartLine } from './http1-start.ts';

/** What a head may take. Servers allow 8 to 64 KiB. */
export const MAX_HEAD = 65_536;

/** Oddities that two programs in a row may read differently. Bits, in the order of `warningTexts`. */
export const Warn = {
  both: 1,
  lengthTwice: 2,
  notLastChunked: 4,
  notChunked: 8,
  oldChunked: 16,
  bareLf: 32,
  folded: 64,
  spaceBeforeColon: 128,
  hostTwice: 256,
  cutShort: 512,
} as const;

export const warningTexts: readonly string[] = [
  'Transfer-Encoding and Content-Length together: the shape of request smuggling',
  'Content-Length is repeated',
  'chunked is not the only and last transfer coding',
  'the transfer coding is not chunked',
  'Transfer-Encoding in HTTP/1.0',
  'lines end without CR',
  'a header is folded over lines',
  'white space before a colon',
  'Host is repeated',
  'the connection ended inside the message',
];

/** What a head says about its message. Positions count from the head's first byte. One per direction, used again and again. */
export interface Head extends StartLine {
  /** How far the search for its end has come, and where the line under way begins. */
  seen: number;
  line: number;
  lines: number;
  startEnd: number;
  warnings: number;
  /** -1 without Content-Length. */
  length: number;
  /** A Transfer-Encoding was there, and its last coding is chunked. */
  coded: boolean;
  chunked: boolean;
  /** Content-Encoding other than identity. */
  encoded: boolean;
  upgrade: boolean;
  eventStream: boolean;
  hostFrom: number;
  hostTo: number;
  settingsFrom: number;
  settingsTo: number;
  why: string;
}

export function newHead(): Head {
  const head = {} as Head;
  clearHead(head);
  return head;
}

export function clearHead(head: Head): void {
  head.seen = 0;
  head.line = 0;
  head.lines = 0;
  head.startEnd = 0;
  head.status = 0;
  head.methodEnd = 0;
  head.targetEnd = 0;
  head.minor = 1;
  head.warnings = 0;
  head.length = -1;
  head.coded = false;
  head.chunked = false;
  head.encoded = false;
  head.upgrade = false;
  head.eventStream = false;
  head.hostFrom = 0;
  head.hostTo = 0;
  head.settingsFrom = 0;
  head.settingsTo = 0;
  head.why = '';
}

/** The length of the head that starts at `from`; 0: not all of it is here yet; -1: broken, and `why` says how. */
export function scanHead(head: Head, bytes: Uint8Array, from: number, to: number): number {
  const stop = Math.min(to, from + MAX_HEAD);
  let line = from + head.line;
  let i = from + head.seen;
  for (;;) {
    while (i < stop && bytes[i] !== 10) {
      i++;
    }
    if (i >= stop) {
      break;
    }
    let end = i;
    if (end > line && bytes[end - 1] === 13) {
      end--;
    } else {
      head.warnings |= Warn.bareLf;
    }
    i++;
    if (head.lines++ === 0) {
      head.startEnd = end - from;
      head.why = readStartLine(head, bytes, from, end);
    } else if (end === line) {
      return i - from;
    } else {
      steer(head, bytes, from, line, end);
    }
    if (head.why !== '') {
      return -1;
    }
    line = i;
  }
  head.line = line - from;
  head.seen = i - from;
  if (stop - from === MAX_HEAD) {
    head.why = `a head of more than ${MAX_HEAD} bytes`;
    return -1;
  }
  return 0;
}

/** A copy of a head in which folded lines are one line, of the same length (RFC 9112 5.2). */
export function unfolded(bytes: Uint8Array, from: number, to: number): Uint8Array {
  const flat = bytes.slice(from, to);
  for (let i = 0; i + 1 < flat.length; i++) {
    const next = flat[i + 1]!;
    if (flat[i] === 10 && (next === 32 || next === 9)) {
      flat[i] = 32;
      if (i > 0 && flat[i - 1] === 13) {
        flat[i - 1] = 32;
      }
    }
  }
  return flat;
}

const C = 99;
const H = 104;
const T = 116;
const U = 117;

function steer(head: Head, bytes: Uint8Array, from: number, line: number, end: number): void {
  const first = bytes[line]! | 32;
  if (first === C || first === T || first === U || first === H) {
    steered(head, bytes, from, line, end);
  } else if (bytes[line] === 32 || bytes[line] === 9) {
    head.warnings |= Warn.folded;
  }
}

function steered(head: Head, bytes: Uint8Array, from: number, line: number, end: number): void {
  let colon = line;
  while (colon < end && bytes[colon] !== 58) {
    colon++;
  }
  if (colon === end) {
    return;
  }
  let nameEnd = colon;
  while (blank(bytes[nameEnd - 1]!)) {
    nameEnd--;
  }
  if (nameEnd < colon) {
    head.warnings |= Warn.spaceBeforeColon;
  }
  let start = colon + 1;
  let stop = end;
  while (start < stop && blank(bytes[start]!)) {
    start++;
  }
  while (stop > start && blank(bytes[stop - 1]!)) {
    stop--;
  }
  switch (nameEnd - line) {
    case 4:
      if (same(bytes, line, 'host')) {
        if (head.hostTo > 0) {
          head.warnings |= Warn.hostTwice;
        }
        head.hostFrom = start - from;
        head.hostTo = stop - from;
      }
      break;
    case 7:
      if (same(bytes, line, 'upgrade')) {
        head.upgrade = true;
      }
      break;
    case 12:
      if (same(bytes, line, 'content-type')) {
        head.eventStream = isEventStream(bytes, start, stop);
      }
      break;
    case 14:
      if (same(bytes, line, 'content-length')) {
        contentLength(head, bytes, start, stop);
      } else if (same(bytes, line, 'http2-settings')) {
        head.settingsFrom = start - from;
        head.settingsTo = stop - from;
      }
      break;
    case 16:
      if (same(bytes, line, 'content-encoding')) {
        head.encoded = !(stop - start === 8 && same(bytes, start, 'identity'));
      }
      break;
    case 17:
      if (same(bytes, line, 'transfer-encoding')) {
        transferEncoding(head, bytes, start, stop);
      }
  }
}

/** Decimal digits, maybe the same number several times (RFC 9112 6.3): anything else makes the end of the message unknown. */
function contentLength(head: Head, bytes: Uint8Array, start: number, stop: number): void {
  let at = start;
  for (;;) {
    while (at < stop && blank(bytes[at]!)) {
      at++;
    }
    const digits = at;
    let value = 0;
    while (at < stop && bytes[at]! >= 48 && bytes[at]! <= 57) {
      value = value * 10 + bytes[at]! - 48;
      at++;
    }
    if (at === digits || at - digits > 15) {
      head.why = 'a Content-Length that is not a number';
      return;
    }
    if (head.length >= 0) {
      head.warnings |= Warn.lengthTwice;
      if (head.length !== value) {
        head.why = 'Content-Length values that differ';
        return;
      }
    }
    head.length = value;
    while (at < stop && blank(bytes[at]!)) {
      at++;
    }
    if (at === stop) {
      return;
    }
    if (bytes[at] !== 44) {
      head.why = 'a Content-Length that is not a number';
      return;
    }
    at++;
  }
}

function transferEncoding(head: Head, bytes: Uint8Array, start: number, stop: number): void {
  head.coded = true;
  for (let at = start; at < stop; at++) {
    let end = at;
    while (end < stop && bytes[end] !== 44) {
      end++;
    }
    let first = at;
    let last = end;
    while (first < last && blank(bytes[first]!)) {
      first++;
    }
    while (last > first && blank(bytes[last - 1]!)) {
      last--;
    }
    if (last > first) {
      if (head.chunked) {
        head.warnings |= Warn.notLastChunked;
      }
      head.chunked = last - first === 7 && same(bytes, first, 'chunked');
    }
    at = end;
  }
}

function isEventStream(bytes: Uint8Array, start: number, stop: number): boolean {
  const name = 'text/event-stream';
  const after = start + name.length;
  return (
    stop >= after &&
    same(bytes, start, name) &&
    (stop === after || bytes[after] === 59 || blank(bytes[after]!))
  );
}

/** `word` is lower case; a header's name may be in any. */
function same(bytes: Uint8Array, from: number, word: string): boolean {
  for (let i = 0; i < word.length; i++) {
    const byte = bytes[from + i]!;
    if ((byte >= 65 && byte <= 90 ? byte | 32 : byte) !== word.charCodeAt(i)) {
      return false;
    }
  }
  return true;
}
