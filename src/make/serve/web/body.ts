/** A request's body, whole. */
import type { WebRequest } from './handler.ts';

const LENGTH = 'content-length';
const ENCODING = 'transfer-encoding';

/**
 * The body; `too large` as soon as it is known to be longer than `most` (0 is no limit), `gone` when the client went away within it.
 * What is too large is read on and forgotten: closing with unread bytes would reset the connection before the answer is read.
 */
export function readBody(request: WebRequest, most: number): Promise<Buffer | 'too large' | 'gone'> {
  if (request.destroyed && !request.readableEnded) {
    return Promise.resolve('gone');
  }
  const limit = most === 0 ? Number.POSITIVE_INFINITY : most;
  if (announcedLength(request) > limit) {
    request.resume();
    return Promise.resolve('too large');
  }
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let length = 0;
    request.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length > limit) {
        chunks.length = 0;
        resolve('too large');
      } else {
        chunks.push(chunk);
      }
    });
    request.once('end', () => resolve(Buffer.concat(chunks)));
    request.once('aborted', () => resolve('gone'));
    request.once('close', () => resolve('gone'));
    request.once('error', () => resolve('gone'));
  });
}

/** What Content-Length says; 0 when nothing is said. */
export function announcedLength(request: WebRequest): number {
  return Number(request.headers['content-length'] ?? 0);
}

/** Looks at the fields as they came: for `headers` Node would make an object of all of them, which many requests never need. */
export function mayCarryBody({ rawHeaders, httpVersionMajor, method }: WebRequest): boolean {
  if (httpVersionMajor === 2 && method !== 'GET' && method !== 'HEAD') {
    return true;
  }
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]!;
    if (
      (name.length === LENGTH.length && name.toLowerCase() === LENGTH) ||
      (name.length === ENCODING.length && name.toLowerCase() === ENCODING)
    ) {
      return true;
    }
  }
  return false;
}
