/** What a request is refused for before its kind hears of it. */
import type { IncomingMessage } from 'node:http';
import type { NodeHouse } from '../kind.ts';
import { announcedLength } from './body.ts';
import type { WebRequest } from './handler.ts';
import { hasOneHost, type Refusal, refusal } from './refusal.ts';

export function whyRefused(house: NodeHouse, request: WebRequest, client: string): Refusal | null {
  const { maxBody } = house.common;
  if (!house.allows(client)) {
    return refusal(429, 'too many requests', { 'Retry-After': '1' });
  }
  if (request.httpVersionMajor === 1 && !hasOneHost(request as IncomingMessage)) {
    return refusal(400, 'a request has exactly one Host', { Connection: 'close' });
  }
  if (maxBody > 0 && announcedLength(request) > maxBody) {
    const close = request.httpVersionMajor === 1 ? { Connection: 'close' } : {};
    return refusal(413, `a body has at most ${maxBody} bytes here`, close);
  }
  return request.method === 'CONNECT' ? refusal(405, 'no tunnels here', { Allow: '' }) : null;
}
