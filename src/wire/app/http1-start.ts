/** The first line of an HTTP/1 message: what is asked for, or what became of it (RFC 9112 3 and 4). */
import type { Hint } from './decoder.ts';
import { find, latin1, startsWith } from './text.ts';

/** What is longer is no method. */
const MAX_METHOD_LENGTH = 32;

/** Positions count from the line's first byte. */
export interface StartLine {
  /** The status of a reply; 0 in a request. Of a request: where the method and the target end. */
  status: number;
  methodEnd: number;
  targetEnd: number;
  /** HTTP/1.`minor`. */
  minor: number;
}

/** What is wrong with it, or ''. */
export function readStartLine(head: StartLine, bytes: Uint8Array, from: number, end: number): string {
  if (startsWith(bytes, from, end, 'HTTP/')) {
    return statusLine(head, bytes, from, end);
  }
  return requestLine(head, bytes, from, end);
}

/** RFC 9112 4. The reason may be missing, and its space too. */
function statusLine(head: StartLine, bytes: Uint8Array, from: number, end: number): string {
  head.minor = minorVersion(bytes, from, end);
  const status = end - from < 12 ? -1 : decimal(bytes, from + 9, from + 12);
  if (
    head.minor < 0 ||
    bytes[from + 8] !== 32 ||
    status < 100 ||
    (end - from > 12 && bytes[from + 12] !== 32)
  ) {
    return 'not a status line';
  }
  head.status = status;
  return '';
}

/** RFC 9112 3. The version is looked for at the end: a target with spaces in it is wrong, and seen. */
function requestLine(head: StartLine, bytes: Uint8Array, from: number, end: number): string {
  let stop = end;
  while (stop > from && blank(bytes[stop - 1]!)) {
    stop--;
  }
  const version = stop - 8;
  const method = tokenLength(bytes, from, end, MAX_METHOD_LENGTH);
  head.minor = version > from + method + 2 ? minorVersion(bytes, version, stop) : -1;
  if (method === 0 || bytes[from + method] !== 32 || head.minor < 0 || bytes[version - 1] !== 32) {
    return 'not a request line';
  }
  head.methodEnd = method;
  head.targetEnd = version - 1 - from;
  return '';
}

/** White space within a line. */
export function blank(byte: number): boolean {
  return byte === 32 || byte === 9;
}

/** -1 when it is not all digits. */
function decimal(bytes: Uint8Array, from: number, to: number): number {
  let value = 0;
  for (let i = from; i < to; i++) {
    const digit = bytes[i]! - 48;
    if (digit < 0 || digit > 9) {
      return -1;
    }
    value = value * 10 + digit;
  }
  return value;
}

/** The methods of RFC 9110 and 5789, WebDAV's, and a few that caches and UPnP use. Others are read as they are. */
const methods = [
  'GET',
  'POST',
  'PUT',
  'DELETE',
  'HEAD',
  'OPTIONS',
  'PATCH',
  'CONNECT',
  'TRACE',
  'PROPFIND',
  'PROPPATCH',
  'MKCOL',
  'COPY',
  'MOVE',
  'LOCK',
  'UNLOCK',
  'REPORT',
  'SEARCH',
  'QUERY',
  'PURGE',
  'SUBSCRIBE',
  'UNSUBSCRIBE',
  'NOTIFY',
];

/** The known method that stands before a space at `from`, or ''. */
function knownMethod(bytes: Uint8Array, from: number, to: number): string {
  for (let i = 0; i < methods.length; i++) {
    const method = methods[i]!;
    if (bytes[from + method.length] === 32 && startsWith(bytes, from, to, method)) {
      return method;
    }
  }
  return '';
}

/** RFC 9110 5.6.2. A method is a token, and so is a header's name. */
export function isToken(byte: number): boolean {
  return (
    (byte >= 97 && byte <= 122) ||
    (byte >= 65 && byte <= 90) ||
    (byte >= 48 && byte <= 57) ||
    (byte > 32 && byte < 127 && "!#$%&'*+-.^_`|~".includes(String.fromCharCode(byte)))
  );
}

/** The length of the token at `from`, at most `limit`. */
export function tokenLength(bytes: Uint8Array, from: number, to: number, limit: number): number {
  const stop = Math.min(to, from + limit);
  let at = from;
  while (at < stop && isToken(bytes[at]!)) {
    at++;
  }
  return at - from;
}

/** The minor version when `HTTP/1.x` (RFC 9112 2.3) stands at `at`, or -1. */
function minorVersion(bytes: Uint8Array, at: number, to: number): number {
  const digit = bytes[at + 7]!;
  return startsWith(bytes, at, to, 'HTTP/1.') && at + 8 <= to && digit >= 48 && digit <= 57 ? digit - 48 : -1;
}

/** A method as a name for statistics. */
export function methodName(bytes: Uint8Array, from: number, to: number): string {
  return knownMethod(bytes, from, to + 1) || latin1(bytes, from, to);
}

/** Whether these may be the first bytes of a side that speaks HTTP/1. */
export function recognises(hint: Hint, bytes: Uint8Array, from: number, to: number): number {
  let start = from;
  while (start < to && start < from + 4 && (bytes[start] === 13 || bytes[start] === 10)) {
    start++;
  }
  if (hint.side === 'server') {
    if (to - start >= 8) {
      return minorVersion(bytes, start, to) < 0 ? 0 : 0.95;
    }
    return to - start >= 4 && startsWith(bytes, start, to, 'HTTP') ? 0.5 : 0;
  }
  const method = tokenLength(bytes, start, to, 24);
  if (method < 3 || start + method >= to || bytes[start + method] !== 32) {
    return 0;
  }
  const line = find(bytes, 10, start, to);
  if (line >= 0) {
    const end = bytes[line - 1] === 13 ? line - 1 : line;
    return minorVersion(bytes, end - 8, end) < 0 || bytes[end - 9] !== 32 ? 0 : 0.95;
  }
  const known = knownMethod(bytes, start, to) !== '';
  const path = bytes[start + method + 1] === 47;
  return known && path ? 0.8 : known || path ? 0.3 : 0;
}
