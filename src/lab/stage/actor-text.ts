/** What a story writes, and what its lane shows: addresses, flags and payloads as text. */

import { AF_INET6, type FlagTable } from '../../kernel/calls-flags.ts';
import { type End, plainMemory } from '../../kernel/calls-message.ts';
import { encodeAddress, type RawAddress } from '../../kernel/stream-sockets.ts';
import { nearestWord } from '../../wire/filter-words.ts';
import { parseIpv4, parseIpv6 } from '../../wire/net/address.ts';

/** The story asked for something that no system call can be made of, or a verb of several calls met an errno. */
export class Refused extends Error {}

export type Names = Readonly<Record<string, string>>;

const PREVIEW_BYTES = 64;
const ESCAPES: Readonly<Record<number, string>> = {
  9: '\\t',
  10: '\\n',
  13: '\\r',
  34: '\\"',
  92: '\\\\',
};

/** Printable, in quotes, cut, and as strace would write it. */
export function preview(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes.subarray(0, PREVIEW_BYTES)) {
    text +=
      ESCAPES[byte] ??
      (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, '0')}`);
  }
  return bytes.length > PREVIEW_BYTES ? `"${text}"…` : `"${text}"`;
}

/** UTF-8 where it is that, one character per byte elsewhere. */
export function textOf(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return Array.from(bytes, (byte) => String.fromCharCode(byte)).join('');
  }
}

const MOST_FILLER = 64 << 20;

export interface Payload {
  readonly bytes: Uint8Array;
  readonly address: number;
}

/** In memory of its own, which does not move. A number is so many letters of the alphabet, over and over: a lost byte shows. */
export function payload(data: unknown): Payload {
  if (typeof data === 'number') {
    const memory = plainMemory(within('a number of bytes', data, 0, MOST_FILLER));
    for (let i = 0; i < memory.bytes.length; i++) {
      memory.bytes[i] = 0x61 + (i % 26);
    }
    return memory;
  }
  const given = typeof data === 'string' ? new TextEncoder().encode(data) : data;
  if (!(given instanceof Uint8Array)) {
    throw new Refused(`data is a text, bytes or a number of bytes, not ${String(data)}`);
  }
  const memory = plainMemory(given.length);
  memory.bytes.set(given);
  return memory;
}

export function within(what: string, given: unknown, least: number, most: number): number {
  if (typeof given !== 'number' || !Number.isInteger(given) || given < least || given > most) {
    throw new Refused(`${what} is a whole number from ${least} to ${most}, not ${String(given)}`);
  }
  return given;
}

/** The sum of the flags' bits. */
export function bitsOf(table: FlagTable, names: unknown, what: string): number {
  if (!Array.isArray(names)) {
    throw new Refused(`${what} are a list of names, not ${String(names)}`);
  }
  return names.reduce((bits: number, name: unknown) => bits | bitOf(table, name, what), 0);
}

function bitOf(table: FlagTable, name: unknown, what: string): number {
  const bit = Object.hasOwn(table, String(name)) ? table[String(name)] : undefined;
  if (bit === undefined) {
    throw new Refused(unknown(what, String(name), Object.keys(table)));
  }
  return bit;
}

/** One sentence that names what is known nearby. */
export function unknown(what: string, typed: string, known: readonly string[]): string {
  const family = typed.split('_', 1)[0]!.toUpperCase();
  // Names are compared without regard to case.
  const lower = known.map((name) => name.toLowerCase());
  const near = known[lower.indexOf(nearestWord(typed, lower) ?? '')];
  const related = known.filter((name) => name.startsWith(`${family}_`));
  return near !== undefined
    ? `${what} has no ${typed}; did you mean ${near}?`
    : `${what} has no ${typed}; known are ${(related.length > 0 ? related : known).join(', ')}`;
}

/** `A|B`, or 0 for none, as strace has it. */
export function flagText(names: readonly string[]): string | 0 {
  return names.length === 0 ? 0 : names.join('|');
}

export function endText({ address, port }: End): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

export interface Destination {
  readonly end: End;
  readonly raw: RawAddress;
}

/** A host's IPv6 address goes by its name with a 6 behind it; an IPv6 socket means that one anyway. */
function nameOf(host: string, family: number, names: Names): string | undefined {
  const name = family === AF_INET6 && Object.hasOwn(names, `${host}6`) ? `${host}6` : host;
  return Object.hasOwn(names, name) ? names[name] : undefined;
}

/** `*:80` is every address of the socket's own family. */
export function destination(text: unknown, family: number, names: Names): Destination {
  const bracketed = /^\[([^\]]*)\]:(\d{1,5})$/.exec(String(text));
  const plain = /^([^:]*):(\d{1,5})$/.exec(String(text));
  const [, host = '', port = ''] = bracketed ?? plain ?? [];
  const address =
    bracketed !== null
      ? parseIpv6(host) && host
      : host === '*'
        ? family === AF_INET6
          ? '::'
          : '0.0.0.0'
        : parseIpv4(host) !== null
          ? host
          : nameOf(host, family, names);
  const raw =
    address === undefined || address === null
      ? -1
      : encodeAddress({ kind: 'tcp', host: address, port: Number(port) });
  if (typeof raw === 'number' || typeof address !== 'string') {
    const hosts = Object.keys(names).join(', ') || 'none';
    throw new Refused(
      `${String(text)} is no address: write 10.9.0.2:80, [fd09::2]:80, *:80 or a host's name and port (hosts: ${hosts})`,
    );
  }
  return { end: { address, port: Number(port) }, raw };
}
