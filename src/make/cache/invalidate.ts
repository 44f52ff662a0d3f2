/** What a request that changes something makes untrue (RFC 9111, section 4.4). */
import { fieldOf } from './fields.ts';
import type { Head } from './stored.ts';

/** RFC 9110, section 9.2.1; an unknown method may do anything. */
const SAFE = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE']);

export function unsafe(method: string): boolean {
  return !SAFE.has(method);
}

/** Nothing after an error. Location and Content-Location only of the same origin: nobody empties another one's cache. */
export function urisToForget(uri: string, { status, fields }: Head): string[] {
  if (status < 200 || status >= 400) {
    return [];
  }
  const others = [fieldOf(fields, 'location'), fieldOf(fields, 'content-location')].flatMap((text) => {
    if (text === undefined || !URL.canParse(uri) || !URL.canParse(text, uri)) {
      return [];
    }
    const named = new URL(text, uri);
    return named.origin === new URL(uri).origin ? [`${named.origin}${named.pathname}${named.search}`] : [];
  });
  return [uri, ...others];
}
