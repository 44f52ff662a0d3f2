/** Whole answers as bytes, made when they are first needed and again every second: the date is all that changes. */

const REASONS: Readonly<Record<number, string>> = {
  200: 'OK',
  400: 'Bad Request',
  404: 'Not Found',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  413: 'Content Too Large',
  429: 'Too Many Requests',
  431: 'Request Header Fields Too Large',
  501: 'Not Implemented',
  505: 'HTTP Version Not Supported',
};

const EXTRA: Readonly<Record<number, string>> = {
  405: 'Allow: GET, HEAD, POST\r\n',
  429: 'Retry-After: 1\r\n',
};

const MOST_KEPT = 64;
const SECOND = 1000;

export const CONTINUE = Buffer.from('HTTP/1.1 100 Continue\r\n\r\n');

export interface Answers {
  /** The bytes of an answer; `head`: without its body (RFC 9110, section 9.3.2). They are kept and shared. */
  of(status: number, body: string, close: boolean, head: boolean): Buffer;
}

export function createAnswers(): Answers {
  let second = -1;
  let kept = new Map<string, Buffer>();
  let lastKey = '';
  let last: Buffer | null = null;
  return {
    of(status, body, close, head) {
      const now = Math.floor(Date.now() / SECOND);
      if (now !== second || kept.size > MOST_KEPT) {
        second = now;
        kept = new Map();
        last = null;
      }
      const key = `${status}${close ? 'c' : 'k'}${head ? 'h' : 'b'}${body}`;
      if (last !== null && key === lastKey) {
        return last;
      }
      let bytes = kept.get(key);
      if (bytes === undefined) {
        const length = Buffer.byteLength(body);
        bytes = Buffer.from(
          `HTTP/1.1 ${status} ${REASONS[status] ?? 'Unknown'}\r\nDate: ${new Date(second * SECOND).toUTCString()}\r\n` +
            `Content-Type: text/plain; charset=utf-8\r\nContent-Length: ${length}\r\n${EXTRA[status] ?? ''}` +
            `${close ? 'Connection: close\r\n' : ''}\r\n${head ? '' : body}`,
        );
        kept.set(key, bytes);
      }
      lastKey = key;
      last = bytes;
      return bytes;
    },
  };
}
