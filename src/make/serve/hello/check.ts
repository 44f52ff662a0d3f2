/**
 * What a head may not be (RFC 9112): everything that two servers in a row could read differently is refused, because that is how
 * requests are smuggled. The scan itself is the decoder's (wire/app/http1-head.ts).
 */
import { type Head, Warn } from '../../../wire/app/http1-head.ts';
import { isToken } from '../../../wire/app/http1-start.ts';

export interface Verdict {
  /** 0: the request is sound. */
  status: number;
  why: string;
  keepAlive: boolean;
  expectsContinue: boolean;
}

export const verdict: Verdict = { status: 0, why: '', keepAlive: true, expectsContinue: false };

/** In the order in which they are told. */
const REFUSED: readonly (readonly [number, string])[] = [
  [Warn.lengthTwice, 'Content-Length is repeated'],
  [Warn.notLastChunked, 'chunked is not the last transfer coding'],
  [Warn.bareLf, 'a line ends without CR'],
  [Warn.folded, 'a header is folded over lines'],
  [Warn.spaceBeforeColon, 'there is white space before a colon'],
  [Warn.hostTwice, 'Host is repeated'],
];
const REFUSED_BITS = REFUSED.reduce((all, [bit]) => all | bit, 0);

const TOKEN = Uint8Array.from({ length: 256 }, (_, byte) => (isToken(byte) ? 1 : 0));
const CR = 13;
const LF = 10;
const COLON = 58;

/** Of the head at `from` whose scan gave `length` bytes; the answer stands in `verdict`, which is used again. */
export function checkHead(head: Head, bytes: Uint8Array, from: number, length: number): Verdict {
  verdict.status = 0;
  verdict.why = '';
  verdict.keepAlive = head.minor > 0;
  verdict.expectsContinue = false;
  if (head.status !== 0) {
    return refuse(400, 'this is an answer, not a request');
  }
  if ((head.warnings & REFUSED_BITS) !== 0) {
    return refuse(400, REFUSED.find(([bit]) => (head.warnings & bit) !== 0)![1]);
  }
  if (head.coded && head.length >= 0) {
    return refuse(400, 'Transfer-Encoding and Content-Length contradict each other');
  }
  if (head.coded && head.minor === 0) {
    return refuse(400, 'Transfer-Encoding does not exist in HTTP/1.0');
  }
  if (head.coded && !head.chunked) {
    return refuse(501, 'only the transfer coding chunked is known here');
  }
  if (head.minor > 0 && head.hostTo === 0) {
    return refuse(400, 'Host is missing');
  }
  for (let at = from + head.methodEnd + 1; at < from + head.targetEnd; at++) {
    if (bytes[at]! <= 32 || bytes[at] === 127) {
      return refuse(400, 'the target has white space or a control character in it');
    }
  }
  return checkLines(bytes, from + head.startEnd + 2, from + length - 2);
}

function checkLines(bytes: Uint8Array, start: number, end: number): Verdict {
  let at = start;
  while (at < end) {
    const name = at;
    while (TOKEN[bytes[at]!] === 1) {
      at++;
    }
    if (at === name || bytes[at] !== COLON) {
      return refuse(400, 'a header line has no proper name');
    }
    const nameEnd = at;
    at++;
    const value = at;
    while (bytes[at] !== CR) {
      const byte = bytes[at]!;
      if (byte === 0 || byte === LF) {
        return refuse(400, 'a header value has a control character in it');
      }
      at++;
    }
    if (bytes[at + 1] !== LF) {
      return refuse(400, 'a CR stands alone in a header');
    }
    const letter = bytes[name]! | 32;
    // connection, expect
    if (nameEnd - name === 10 && letter === 99) {
      connection(bytes, name, value, at);
    } else if (nameEnd - name === 6 && letter === 101) {
      expectation(bytes, name, value, at);
    }
    at += 2;
  }
  return verdict;
}

function connection(bytes: Uint8Array, name: number, value: number, end: number): void {
  if (textOf(bytes, name, value - 1) === 'connection') {
    for (const option of textOf(bytes, value, end).split(',')) {
      const word = option.trim();
      if (word === 'close') {
        verdict.keepAlive = false;
      } else if (word === 'keep-alive' && !verdict.keepAlive) {
        verdict.keepAlive = true;
      }
    }
  }
}

function expectation(bytes: Uint8Array, name: number, value: number, end: number): void {
  if (textOf(bytes, name, value - 1) === 'expect') {
    verdict.expectsContinue = textOf(bytes, value, end).trim() === '100-continue';
  }
}

function textOf(bytes: Uint8Array, from: number, to: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from)
    .toString('latin1')
    .toLowerCase();
}

function refuse(status: number, why: string): Verdict {
  verdict.status = status;
  verdict.why = why;
  verdict.keepAlive = false;
  return verdict;
}
