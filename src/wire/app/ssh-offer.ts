/** KEXINIT: what each side offers, and what both settle on (RFC 4253, section 7.1). */
import type { Value, Values } from '../value.ts';
import { stringEnd } from './ssh-bytes.ts';
import { shortened, text } from './text.ts';

/** In the order of the packet; `client` is what the client sends with, `server` the server. */
const LISTS = [
  'kex',
  'host_key',
  'cipher.client',
  'cipher.server',
  'mac.client',
  'mac.server',
  'compression.client',
  'compression.server',
  'language.client',
  'language.server',
] as const;

const KEX = 0;
const HOST_KEY = 1;
const CIPHER = 2;
const MAC = 4;
/** The languages come after those that must agree. */
const MUST_AGREE = 8;

const COOKIE = 16;
const MAX_SHOWN = 200;
/** Names have at most 64 characters (RFC 4251, section 6). */
const MAX_NAME = 64;

/** No methods: they say what else the sender can (RFC 8308 section 2.1, OpenSSH's PROTOCOL section 1.9). */
const EXT_INFO = /^ext-info-[cs]$/;
const STRICT = /^kex-strict-[cs]-v00@openssh\.com$/;

/** Ciphers that are their own MAC: what the MAC lists say does not count. */
const OWN_MAC = /^(chacha20-poly1305(@openssh\.com)?|aes\d+-gcm(@openssh\.com)?)$/;
export const IMPLICIT = 'implicit';

export interface Chosen {
  readonly kex: string | null;
  readonly hostKey: string | null;
  readonly client: Protection;
  readonly server: Protection;
  /** Both sides said that they number packets strictly. */
  readonly strict: boolean;
  /** The first choices differ: a key exchange that was begun on a guess does not count. */
  readonly guessedWrong: boolean;
  /** The lists without anything in common. */
  readonly disagreement: readonly string[];
}

/** How one direction is protected after its NEWKEYS. */
export interface Protection {
  readonly cipher: string | null;
  readonly mac: string | null;
  readonly compression: string | null;
}

/** True when ten lists, a flag and the reserved number fit. */
export function isOffer(bytes: Uint8Array, from: number, to: number): boolean {
  let at = from + COOKIE;
  for (let i = 0; i < LISTS.length && at >= 0; i++) {
    at = stringEnd(bytes, at, to);
  }
  return at >= 0 && to - at >= 5;
}

/** For what `isOffer`. */
function listsOf(bytes: Uint8Array, from: number, to: number): string[][] {
  let at = from + COOKIE;
  return LISTS.map(() => {
    const end = stringEnd(bytes, at, to);
    const names = end - at > 4 ? text(bytes, at + 4, end).split(',') : [];
    at = end;
    return names;
  });
}

export function firstPacketFollows(bytes: Uint8Array, from: number, to: number): boolean {
  let at = from + COOKIE;
  for (let i = 0; i < LISTS.length; i++) {
    at = stringEnd(bytes, at, to);
  }
  return bytes[at] !== 0;
}

/** The key exchange this side likes best: what it guesses with. */
export function favourite(bytes: Uint8Array): string {
  return listsOf(bytes, 0, bytes.length)[KEX]![0] ?? '';
}

/** The first of the client's that the server has too. */
export function choose(client: Uint8Array, server: Uint8Array): Chosen {
  const ours = listsOf(client, 0, client.length);
  const theirs = listsOf(server, 0, server.length);
  const agreed: (string | null)[] = [];
  for (let i = 0; i < MUST_AGREE; i++) {
    const has = new Set(theirs[i]);
    const common = ours[i]!.find((name) => has.has(name) && !(i === KEX && isMarker(name)));
    agreed.push(common === undefined ? null : shortened(common, MAX_NAME));
  }
  for (let i = 0; i < 2; i++) {
    if (OWN_MAC.test(agreed[CIPHER + i] ?? '')) {
      agreed[MAC + i] = IMPLICIT;
    }
  }
  const protection = (i: number): Protection => ({
    cipher: agreed[CIPHER + i]!,
    mac: agreed[MAC + i]!,
    compression: agreed[6 + i]!,
  });
  return {
    kex: agreed[KEX]!,
    hostKey: agreed[HOST_KEY]!,
    client: protection(0),
    server: protection(1),
    strict: ours[KEX]!.some((name) => STRICT.test(name)) && theirs[KEX]!.some((name) => STRICT.test(name)),
    guessedWrong: ours[KEX]![0] !== theirs[KEX]![0] || ours[HOST_KEY]![0] !== theirs[HOST_KEY]![0],
    disagreement: LISTS.slice(0, MUST_AGREE).filter((_, i) => agreed[i] === null),
  };
}

function isMarker(name: string): boolean {
  return EXT_INFO.test(name) || STRICT.test(name);
}

/** What the packet says; and for the second of the two, what was chosen. */
export function offerFields(bytes: Uint8Array, from: number, to: number, chosen: Chosen | null): Values {
  const fields: { [name: string]: Value } = {};
  const lists = listsOf(bytes, from, to);
  for (const [i, name] of LISTS.entries()) {
    const names = i === KEX ? lists[i]!.filter((one) => !isMarker(one)) : lists[i]!;
    if (names.length > 0 || i < MUST_AGREE) {
      fields[`offer.${name}`] = names.slice(0, MAX_SHOWN).map((one) => shortened(one, MAX_NAME));
    }
  }
  fields['offer.strict_kex'] = lists[KEX]!.some((name) => STRICT.test(name));
  fields['offer.ext_info'] = lists[KEX]!.some((name) => EXT_INFO.test(name));
  fields.first_kex_packet_follows = firstPacketFollows(bytes, from, to);
  if (chosen !== null) {
    addChosen(fields, chosen);
  }
  return fields;
}

function addChosen(fields: { [name: string]: Value }, chosen: Chosen): void {
  fields.kex = chosen.kex;
  fields.host_key = chosen.hostKey;
  for (const side of ['client', 'server'] as const) {
    fields[`cipher.${side}`] = chosen[side].cipher;
    fields[`mac.${side}`] = chosen[side].mac;
    fields[`compression.${side}`] = chosen[side].compression;
  }
  fields.strict_kex = chosen.strict;
  if (chosen.disagreement.length > 0) {
    fields.disagreement = chosen.disagreement;
  }
}

export const OFFER_NAMES: readonly string[] = [
  ...LISTS.map((name) => `offer.${name}`),
  ...LISTS.slice(0, MUST_AGREE),
  ...['offer.strict_kex', 'offer.ext_info', 'first_kex_packet_follows', 'strict_kex', 'disagreement'],
];
