/** `[user@]host[:port]`, `[user@][v6]:port`, `ssh://user@host:port`. */
import { isIPv6 } from 'node:net';
import { SockscopeError } from '../../errors.ts';
import { port as portOf } from './config-values.ts';

export interface Target {
  readonly user?: string;
  readonly host: string;
  readonly port?: number;
}

export function readTarget(typed: string): Target {
  const url = /^ssh:\/\//i.test(typed);
  const text = url ? typed.slice('ssh://'.length).replace(/\/$/, '') : typed;
  const at = text.lastIndexOf('@');
  const user = at === -1 ? undefined : url ? decoded(text.slice(0, at)) : text.slice(0, at);
  const place = text.slice(at + 1);
  const bracketed = /^\[([^\]]*)\](?::(.*))?$/.exec(place);
  const colon = place.lastIndexOf(':');
  const bare = bracketed === null && (colon === -1 || isIPv6(place));
  const host = bracketed?.[1] ?? (bare ? place : place.slice(0, colon));
  const digits = bracketed !== null ? bracketed[2] : bare ? undefined : place.slice(colon + 1);
  const port = digits === undefined ? undefined : (portOf(digits) ?? undefined);
  // A host that begins with a dash is an option that lost its way; ssh refuses it too.
  if (
    !/^[^\s\p{Cc}/@[\]-][^\s\p{Cc}/@[\]]*$/u.test(host) ||
    user === '' ||
    (digits !== undefined && port === undefined)
  ) {
    throw new SockscopeError(
      'SSH_TARGET',
      `"${typed}" is no place to log in to.`,
      'Write host, user@host, user@host:port or ssh://user@host:port.',
      2,
    );
  }
  return { host, ...(user === undefined ? {} : { user }), ...(port === undefined ? {} : { port }) };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
