/**
 * Who may use the control API. Toxiproxy refuses user agents that begin with `Mozilla/`; a page can be kept out better by
 * what browsers cannot leave out: the Origin of a request that changes something, and the Host under which they found us
 * (a name that its owner points at 127.0.0.1, "DNS rebinding", stays that name in Host).
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { isIP } from 'node:net';
import { Refusal } from './errors.ts';

export interface GuardRules {
  /** What it was told to listen on, and what that became. */
  readonly hosts: readonly string[];
  readonly token: string | null;
  readonly tokenForEverybody: boolean;
}

export interface Asked {
  readonly host: string | undefined;
  readonly origin: string | undefined;
  readonly authorization: string | undefined;
  readonly remote: string;
}

const LOOPBACK_NAMES = ['localhost', '127.0.0.1', '::1'];
const WILDCARDS = ['0.0.0.0', '::'];

export function guard(asked: Asked, rules: GuardRules): Refusal | null {
  const name = hostName(asked.host ?? '');
  if (name === null || !isOurs(name, rules.hosts)) {
    return new Refusal(
      403,
      `the Host ${JSON.stringify(asked.host ?? '')} is not this control API: use localhost, 127.0.0.1, [::1] or the address it listens on`,
    );
  }
  if (asked.origin !== undefined && asked.origin.toLowerCase() !== `http://${asked.host?.toLowerCase()}`) {
    return new Refusal(
      403,
      `a page of ${JSON.stringify(asked.origin)} may not use this control API: browsers may only from its own origin`,
    );
  }
  const wanted = rules.tokenForEverybody || asked.origin !== undefined || !isLoopback(asked.remote);
  if (rules.token !== null && wanted && !carries(asked.authorization, rules.token)) {
    return new Refusal(401, 'this control API wants its token: Authorization: Bearer TOKEN');
  }
  return null;
}

/** The name or address in `NAME:PORT`, in small letters and without brackets; null when it is neither. */
function hostName(host: string): string | null {
  const parts = /^(?:\[([0-9a-f:.]+)\]|([^:[\]\s/@]+))(?::\d+)?$/i.exec(host);
  return parts === null ? null : (parts[1] ?? parts[2] ?? '').toLowerCase();
}

/** Listening on every address, any address may have led here; a number in Host cannot have been rebound, a name can. */
function isOurs(name: string, hosts: readonly string[]): boolean {
  if (LOOPBACK_NAMES.includes(name) || hosts.some((host) => host.toLowerCase() === name)) {
    return true;
  }
  return isIP(name) !== 0 && hosts.some((host) => WILDCARDS.includes(host));
}

function isLoopback(address: string): boolean {
  return address === '::1' || /^(::ffff:)?127\./.test(address);
}

function carries(authorization: string | undefined, token: string): boolean {
  const given = /^Bearer +(.+)$/i.exec(authorization ?? '')?.[1];
  return given !== undefined && timingSafeEqual(digest(given), digest(token));
}

/** Of equal length, as timingSafeEqual wants them. */
function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
