/** The values that options and the file have in common, each with its complaint. */
import { realpathSync, statSync } from 'node:fs';
import { SockscopeError } from '../../../errors.ts';
import { nearMisses } from '../../../session/near.ts';
import { durationNs, sizeBytes } from '../../../session/quantities.ts';
import { sha256 } from './access.ts';
import type { Access, Balance } from './plan.ts';

export const REALM = 'sockscope';
const BALANCES: readonly Balance[] = ['round-robin', 'least'];

export function usage(message: string, hint: string): SockscopeError {
  return new SockscopeError('PROXY_WORDS', message, hint, 2);
}

export function size(text: string): number {
  const bytes = sizeBytes(text);
  if (bytes === null) {
    throw usage(`${text} is no size.`, 'Write it like 64MB or 512KiB; 0 is no cache.');
  }
  return bytes;
}

export function millis(text: string): number {
  const ns = durationNs(text);
  // Timers of Node take 31 bits.
  if (ns === null || ns < 1e6 || ns > 2 ** 31 * 1e6) {
    throw usage(`${text} is no time.`, 'Write it like 500ms, 10s or 2m.');
  }
  return ns / 1e6;
}

export function balanceOf(text: string): Balance {
  const found = BALANCES.find((one) => one === text);
  if (found === undefined) {
    const near = nearMisses(text, BALANCES)[0];
    throw usage(
      `${text} is no way to choose an upstream.`,
      near === undefined ? 'There are round-robin and least.' : `Did you mean ${near}?`,
    );
  }
  return found;
}

export function absolute(text: string, what: string): string {
  if (!/^\/[\x21-\x7e]*$/.test(text)) {
    throw usage(`${text} is no path for ${what}.`, 'It begins with a slash: /health.');
  }
  return text;
}

export function directory(text: string): string {
  try {
    if (statSync(text).isDirectory()) {
      return realpathSync(text);
    }
  } catch {
    throw usage(`There is no directory ${text}.`, 'Name one that exists.');
  }
  throw usage(`${text} is no directory.`, 'Name the directory that has the files.');
}

/** `10/s`, `300/m`: per second. */
export function rateOf(text: string): number {
  const found = /^(\d+(?:\.\d+)?)\/(s|m|h)$/.exec(text);
  const rate = found === null ? 0 : Number(found[1]) / { s: 1, m: 60, h: 3600 }[found[2] as 's' | 'm' | 'h'];
  if (rate <= 0) {
    throw usage(`${text} is no rate.`, 'Write it like 10/s or 300/m.');
  }
  return rate;
}

/** `user:password`; a password may be given as sha256:HEX. */
export function accessOf(users: readonly string[], tokens: readonly string[], realm: string): Access | null {
  const known: Record<string, string> = Object.create(null);
  for (const user of users) {
    const colon = user.indexOf(':');
    if (colon < 1) {
      throw usage('--auth is a user and a password.', 'Write --auth ann:secret, or --auth ann:sha256:HEX.');
    }
    known[user.slice(0, colon)] = secret(user.slice(colon + 1));
  }
  return users.length + tokens.length === 0
    ? null
    : { realm, users: { ...known }, tokens: tokens.map(secret) };
}

function secret(text: string): string {
  if (text === '') {
    throw usage('An empty password or token keeps nobody out.', 'Give it one.');
  }
  const hashed = /^sha256:([0-9a-f]{64})$/i.exec(text);
  return hashed === null ? sha256(text) : hashed[1]!.toLowerCase();
}
