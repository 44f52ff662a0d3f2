/** What differs between the two versions of HTTP as far as an answer goes. */
import type { Http2ServerResponse } from 'node:http2';
import type { WebResponse } from './handler.ts';

export function isSecond(response: WebResponse): response is Http2ServerResponse {
  return 'stream' in response;
}

/** HTTP/2's `finish` comes whenever the stream is closed, however that happened. */
export function isComplete({ stream }: Http2ServerResponse): boolean {
  return stream.writableFinished && stream.rstCode === 0;
}
