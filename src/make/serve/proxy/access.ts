/** Who may: Basic (RFC 7617) and Bearer (RFC 6750). Passwords and tokens are known by their SHA-256 only. */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { Access } from './plan.ts';

export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** For a user that does not exist, so that a wrong name takes as long as a wrong password. */
const NOBODY = sha256('');

/** Null: the client may. Otherwise what WWW-Authenticate says. */
export function challenge(access: Access, authorization: string | undefined): string[] | null {
  const { users, tokens, realm } = access;
  const [, scheme = '', given = ''] = /^(\S+) +(\S+)\s*$/.exec(authorization ?? '') ?? [];
  if (scheme.toLowerCase() === 'basic' && isUser(users, given)) {
    return null;
  }
  const digest = sha256(given);
  const bearer = scheme.toLowerCase() === 'bearer';
  if (bearer && tokens.map((one) => same(one, digest)).includes(true)) {
    return null;
  }
  const basics = Object.keys(users).length === 0 ? [] : [`Basic realm="${realm}", charset="UTF-8"`];
  const wrong = bearer ? ', error="invalid_token"' : '';
  return tokens.length === 0 ? basics : [...basics, `Bearer realm="${realm}"${wrong}`];
}

function isUser(users: Readonly<Record<string, string>>, given: string): boolean {
  const text = Buffer.from(given, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  const name = text.slice(0, Math.max(0, colon));
  const known = Object.hasOwn(users, name);
  const fits = same(known ? users[name]! : NOBODY, sha256(text.slice(colon + 1)));
  return colon >= 0 && known && fits;
}

function same(one: string, other: string): boolean {
  return one.length === other.length && timingSafeEqual(Buffer.from(one), Buffer.from(other));
}
