/** Redirects as the fetch standard has them ("HTTP-redirect fetch"): where to, by which method, and with which fields. Pure. */
import type { HttpRedirect } from '../../../session/http-exchange.ts';

export type Fields = readonly (readonly [string, string])[];

export interface Redirectable {
  readonly method: string;
  readonly url: URL;
  readonly fields: Fields;
  readonly body: Uint8Array | null;
}

export interface Redirected {
  readonly facts: Omit<HttpRedirect, 'followed'>;
  /** Null where it may not be followed. */
  readonly next: Redirectable | null;
}

const REDIRECTS = new Set([301, 302, 303, 307, 308]);
/** The standard's "request-body-header names", and the length, which is no field of the request there. */
const BODY_FIELDS = /^(content-encoding|content-language|content-location|content-type|content-length)$/i;
/** The standard names Authorization; a browser's cookies and Host are not fields that anybody sets. */
const OWN_TO_ORIGIN = /^(authorization|cookie|proxy-authorization|host)$/i;

/** Null: that is no redirect (RFC 9110 section 15.4 lets a server leave out Location). */
export function redirectOf(status: number, location: string | null, from: Redirectable): Redirected | null {
  if (!REDIRECTS.has(status) || location === null) {
    return null;
  }
  const { method, url, fields } = from;
  const to = URL.canParse(location, url.href) ? new URL(location, url) : null;
  if (to === null || (to.protocol !== 'http:' && to.protocol !== 'https:')) {
    const refused =
      to === null ? `${location} is no address` : `${to.protocol.slice(0, -1)} is neither http nor https`;
    const facts = {
      to: location,
      refused,
      method,
      kept: [],
      stripped: [],
      crossOrigin: false,
      downgrade: false,
    };
    return { facts, next: null };
  }
  const named = to.username !== '' || to.password !== '';
  to.username = '';
  to.password = '';
  if (to.hash === '') {
    to.hash = url.hash;
  }
  const becomesGet =
    ((status === 301 || status === 302) && method === 'POST') ||
    (status === 303 && method !== 'GET' && method !== 'HEAD');
  const crossOrigin = to.origin !== url.origin;
  const goes = (name: string): boolean =>
    (becomesGet && BODY_FIELDS.test(name)) || (crossOrigin && OWN_TO_ORIGIN.test(name));
  const kept = fields.filter(([name]) => !goes(name));
  const next: Redirectable = {
    method: becomesGet ? 'GET' : method,
    url: to,
    fields: kept,
    body: becomesGet ? null : from.body,
  };
  const stripped = fields.filter(([name]) => goes(name)).map(([name]) => name);
  return {
    facts: {
      to: to.href,
      refused: null,
      method: next.method,
      kept: kept.map(([name]) => name),
      stripped: named ? [...stripped, 'the name and password in Location'] : stripped,
      crossOrigin,
      downgrade: url.protocol === 'https:' && to.protocol === 'http:',
    },
    next,
  };
}
