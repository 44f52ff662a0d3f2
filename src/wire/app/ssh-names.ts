/** What the numbers of SSH mean: messages (RFC 4250, section 4.1), key exchanges, reasons to disconnect. */
import type { Message, Side } from './decoder.ts';

export const DISCONNECT = 1;
export const IGNORE = 2;
export const UNIMPLEMENTED = 3;
export const DEBUG = 4;
export const SERVICE_REQUEST = 5;
export const SERVICE_ACCEPT = 6;
export const EXT_INFO = 7;
export const KEXINIT = 20;
export const NEWKEYS = 21;

const MESSAGES = new Map([
  [DISCONNECT, 'DISCONNECT'],
  [IGNORE, 'IGNORE'],
  [UNIMPLEMENTED, 'UNIMPLEMENTED'],
  [DEBUG, 'DEBUG'],
  [SERVICE_REQUEST, 'SERVICE_REQUEST'],
  [SERVICE_ACCEPT, 'SERVICE_ACCEPT'],
  [EXT_INFO, 'EXT_INFO'],
  [8, 'NEWCOMPRESS'],
  [KEXINIT, 'KEXINIT'],
  [NEWKEYS, 'NEWKEYS'],
]);

export function messageName(type: number): string {
  return MESSAGES.get(type) ?? `message ${type}`;
}

/** RFC 4253, section 11.1. */
const REASONS = [
  '',
  'host not allowed to connect',
  'protocol error',
  'key exchange failed',
  'reserved',
  'MAC error',
  'compression error',
  'service not available',
  'protocol version not supported',
  'host key not verifiable',
  'connection lost',
  'by application',
  'too many connections',
  'authentication cancelled by user',
  'no more authentication methods available',
  'illegal user name',
];
export const BY_APPLICATION = 11;

export function reasonName(reason: number): string {
  return REASONS[reason] || `reason ${reason}`;
}

/** A message of a key exchange: 30 to 49 mean something else in each. */
export interface KexMessage {
  readonly name: string;
  /** Null: either side may send it. */
  readonly from: Side | null;
  readonly kind: Message['kind'];
  readonly pair: 'kex' | 'group' | null;
  readonly holds: 'public' | 'reply' | 'host key' | 'wish' | 'size' | 'group' | null;
}

type Exchange = ReadonlyMap<number, KexMessage>;

function asks(name: string, holds: KexMessage['holds'], pair: 'kex' | 'group' = 'kex'): KexMessage {
  return { name, from: 'client', kind: 'request', pair, holds };
}

function answers(name: string, holds: KexMessage['holds'], pair: 'kex' | 'group' = 'kex'): KexMessage {
  return { name, from: 'server', kind: 'reply', pair, holds };
}

function tells(name: string, from: Side | null, holds: KexMessage['holds'] = null): KexMessage {
  return { name, from, kind: 'notice', pair: null, holds };
}

function twoSteps(prefix: string): Exchange {
  return new Map([
    [30, asks(`${prefix}_INIT`, 'public')],
    [31, answers(`${prefix}_REPLY`, 'reply')],
  ]);
}

/** RFC 4253 section 8, RFC 5656 section 4 (RFC 8731 for Curve25519), and the hybrids with a post-quantum method. */
const DH = twoSteps('KEXDH');
const ECDH = twoSteps('KEX_ECDH');
const HYBRID = twoSteps('KEX_HYBRID');
/** RFC 4419, section 5. */
const GEX: Exchange = new Map([
  [30, asks('KEX_DH_GEX_REQUEST_OLD', 'size', 'group')],
  [31, answers('KEX_DH_GEX_GROUP', 'group', 'group')],
  [32, asks('KEX_DH_GEX_INIT', 'public')],
  [33, answers('KEX_DH_GEX_REPLY', 'reply')],
  [34, asks('KEX_DH_GEX_REQUEST', 'wish', 'group')],
]);
/** RFC 4462, section 2. */
const GSS: Exchange = new Map([
  [30, asks('KEXGSS_INIT', null)],
  [31, tells('KEXGSS_CONTINUE', null)],
  [32, answers('KEXGSS_COMPLETE', null)],
  [33, tells('KEXGSS_HOSTKEY', 'server', 'host key')],
  [34, tells('KEXGSS_ERROR', 'server')],
  [40, asks('KEXGSS_GROUPREQ', 'wish', 'group')],
  [41, answers('KEXGSS_GROUP', 'group', 'group')],
]);
/** RFC 4432, section 4. */
const RSA: Exchange = new Map([
  [30, tells('KEXRSA_PUBKEY', 'server', 'host key')],
  [31, asks('KEXRSA_SECRET', null)],
  [32, answers('KEXRSA_DONE', null)],
]);

function exchangeOf(kex: string): Exchange | null {
  if (kex.startsWith('gss-')) {
    return GSS;
  }
  if (kex.startsWith('diffie-hellman-group-exchange-')) {
    return GEX;
  }
  if (kex.startsWith('diffie-hellman-')) {
    return DH;
  }
  if (/^(sntrup|mlkem)/.test(kex)) {
    return HYBRID;
  }
  if (/^(ecdh-|curve)/.test(kex)) {
    return ECDH;
  }
  return /^rsa\d/.test(kex) ? RSA : null;
}

/** `kex` is the method in use, '' when it is not known. */
export function kexMessage(kex: string, type: number): KexMessage {
  return exchangeOf(kex)?.get(type) ?? tells(`KEX message ${type}`, null);
}
