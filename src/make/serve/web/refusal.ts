/** What the server itself answers, before or instead of its kind. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { statusText } from '../../../kernel/web-server.ts';
import type { WebResponse } from './handler.ts';

export interface Refusal {
  readonly status: number;
  readonly text: string;
  readonly headers: Readonly<Record<string, string>>;
}

export function refusal(status: number, text: string, headers: Readonly<Record<string, string>>): Refusal {
  return { status, text, headers };
}

export function answer(
  response: WebResponse,
  status: number,
  text: string,
  headers: Readonly<Record<string, string>>,
): void {
  const body = `${text}\n`;
  (response as ServerResponse).writeHead(status, {
    'Content-Type': 'text/plain; charset=utf-8',
    'Content-Length': Buffer.byteLength(body),
    ...headers,
  });
  response.end(body);
}

/** For what has no response object. */
export function rawAnswer(status: number, text: string, headers: string): string {
  const body = `${text}\n`;
  return (
    `HTTP/1.1 ${status} ${statusText(status)}\r\nContent-Type: text/plain; charset=utf-8\r\n` +
    `Content-Length: ${Buffer.byteLength(body)}\r\n${headers}Connection: close\r\n\r\n${body}`
  );
}

/** RFC 9112, section 3.2. HTTP/1.0 may do without. */
export function hasOneHost({ rawHeaders, httpVersionMinor }: IncomingMessage): boolean {
  let count = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]!;
    if (name.length === 4 && name.toLowerCase() === 'host') {
      count++;
    }
  }
  return count === 1 || (count === 0 && httpVersionMinor === 0);
}
