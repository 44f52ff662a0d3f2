/** HTTP CONNECT (RFC 9110 section 9.3.6, RFC 9112 section 3.2.3). Every other method is told what this is. */
import { errnoMeaning, errnoName } from '../../kernel/errno.ts';
import { parseIpv6 } from '../../wire/net/address.ts';
import {
  type FrontSpeaker,
  type FrontState,
  type FrontStep,
  hostText,
  MOST_FRONT_BYTES,
  NEED,
  refuse,
} from './front.ts';

const CR = 13;
const LF = 10;
const SPACE = 32;
const COLON = 58;
const TIMED_OUT = -110;
/** A request line of CONNECT holds a host and a port. */
const MOST_LINE = 8 * 1024;
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

interface HeadState extends FrontState {
  /** The unfinished line begins here, counted from the first unconsumed byte. */
  line: number;
  host: string;
  port: number;
}

export const connect: FrontSpeaker = {
  begin(): HeadState {
    return { phase: 'request line', looked: 0, line: 0, host: '', port: 0 };
  },
  step: (state, bytes, from, to) => head(state as HeadState, bytes, from, to),
  answer(_state, result) {
    if (result >= 0) {
      return ESTABLISHED;
    }
    const status = result === TIMED_OUT ? '504 Gateway Timeout' : '502 Bad Gateway';
    return response(
      status,
      `The target could not be reached: ${errnoName(result)}, ${errnoMeaning(result)}.`,
    );
  },
};

const ESTABLISHED = Buffer.from('HTTP/1.1 200 Connection established\r\n\r\n');

/** Line by line, so that it does not matter how the bytes were split: what comes first decides. */
function head(state: HeadState, bytes: Uint8Array, from: number, to: number): FrontStep {
  const end = Math.min(to - from, MOST_FRONT_BYTES);
  while (state.looked < end) {
    const at = from + state.looked;
    const byte = bytes[at]!;
    state.looked++;
    if (byte === LF) {
      const stop = state.looked - 1 > state.line && bytes[at - 1] === CR ? at - 1 : at;
      const step = oneLine(state, bytes, from + state.line, stop);
      if (step !== null) {
        return step;
      }
      state.line = state.looked;
    } else if ((byte < SPACE && byte !== CR && byte !== 9) || byte === 127) {
      return bad(`the byte ${byte} has no place in an HTTP request`);
    } else if (state.looked - state.line > MOST_LINE) {
      return refuse(
        'a line of the request is too long',
        response(TOO_LARGE, `A line has at most ${MOST_LINE} bytes.`),
      );
    }
  }
  return state.looked >= MOST_FRONT_BYTES
    ? refuse(
        "the request's head is too large",
        response(TOO_LARGE, `The head of a request has at most ${MOST_FRONT_BYTES} bytes.`),
      )
    : NEED;
}

const TOO_LARGE = '431 Request Header Fields Too Large';

function oneLine(state: HeadState, bytes: Uint8Array, from: number, to: number): FrontStep | null {
  if (state.phase === 'request line') {
    // RFC 9112 section 2.2: an empty line before the request is passed over.
    return to === from ? null : requestLine(state, bytes, from, to);
  }
  if (to === from) {
    return { kind: 'dial', host: state.host, port: state.port, consumed: state.looked };
  }
  const colon = bytes.subarray(from, to).indexOf(COLON);
  return colon > 0 && TOKEN.test(latin1(bytes, from, from + colon))
    ? null
    : bad('a line of the head is not a header');
}

function requestLine(state: HeadState, bytes: Uint8Array, from: number, to: number): FrontStep | null {
  const [method = '', target = '', version = '', ...more] = latin1(bytes, from, to).split(' ');
  if (!TOKEN.test(method) || !/^HTTP\/\d\.\d$/.test(version) || more.length > 0) {
    return bad('this is not an HTTP request');
  }
  if (method !== 'CONNECT') {
    return refuse(
      `the client asks for ${method.slice(0, 20)}, and only CONNECT is known here`,
      response('405 Method Not Allowed', ONLY_CONNECT, 'Allow: CONNECT\r\n'),
    );
  }
  if (!version.startsWith('HTTP/1.')) {
    return refuse(
      `the client speaks ${version}`,
      response('505 HTTP Version Not Supported', 'This front speaks HTTP/1.1.'),
    );
  }
  const read = authority(bytes, from + method.length + 1, from + method.length + 1 + target.length);
  if (read === null) {
    return bad('CONNECT is followed by host:port');
  }
  state.host = read.host;
  state.port = read.port;
  state.phase = 'headers';
  return null;
}

const ONLY_CONNECT =
  'This is an HTTP CONNECT front of sockscope tap: it opens connections to any host and shows what passes. ' +
  'Only CONNECT is understood; for plain HTTP put a tap before the server: sockscope tap http://HOST.';

/** RFC 9112 section 3.2.3: always with a port. */
function authority(bytes: Uint8Array, from: number, to: number): { host: string; port: number } | null {
  const colon = bytes.subarray(from, to).lastIndexOf(COLON);
  const digits = colon < 0 ? '' : latin1(bytes, from + colon + 1, to);
  const port = /^\d{1,5}$/.test(digits) ? Number(digits) : 0;
  const text = colon <= 0 ? null : hostText(bytes, from, from + colon);
  if (text === null || port === 0 || port > 65_535) {
    return null;
  }
  if (text.startsWith('[')) {
    const host = text.slice(1, -1);
    return text.endsWith(']') && parseIpv6(host) !== null ? { host, port } : null;
  }
  return /[:/@?#[\]]/.test(text) ? null : { host: text, port };
}

function latin1(bytes: Uint8Array, from: number, to: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString('latin1');
}

function bad(why: string): FrontStep {
  return refuse(why, response('400 Bad Request', `${why[0]!.toUpperCase()}${why.slice(1)}.`));
}

function response(status: string, sentence: string, headers = ''): Uint8Array {
  const body = `${sentence}\n`;
  const length = Buffer.byteLength(body);
  return Buffer.from(
    `HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\n` +
      `${headers}Content-Length: ${length}\r\n\r\n${body}`,
  );
}
