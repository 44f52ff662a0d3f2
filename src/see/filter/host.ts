/** HOST of ss: `[FAMILY:]ADDRESS[/LENGTH][:PORT]`, IPv6 in brackets, `*` for any, `unix:PATTERN`. */
import { prefix } from './address.ts';
import { allOf, anyOf, type Filter, type Side } from './ast.ts';
import type { Context } from './context.ts';
import { fault, isFault, type Parsed } from './fault.ts';
import { isPortFault, type PortRange, ports } from './number.ts';
import type { Token } from './tokens.ts';

export const HOST_WORDS = [
  '10.0.0.1',
  '10.0.0.0/8',
  '[::1]',
  '127.0.0.1:80',
  '*:443',
  'unix:PATTERN',
] as const;
const FAMILIES = { 'inet:': 4, 'inet6:': 6, 'unix:': 0 } as const;
const UNLISTED = ['link:', 'netlink:', 'vsock:'] as const;
const ANY_ADDRESS = new Set(['', '*', 'any', 'all', 'default']);

export interface FamilyPrefix {
  family: 4 | 6 | 0 | null;
  rest: string;
}

/** Takes `inet:`, `inet6:`, `unix:` off; a fault for kinds of sockets that are not listed. */
export function familyPrefix(token: Token): Parsed<FamilyPrefix> {
  const { text } = token;
  for (const [word, family] of Object.entries(FAMILIES)) {
    if (text.startsWith(word)) {
      return { family, rest: text.slice(word.length) };
    }
  }
  const unlisted = UNLISTED.find((word) => text.startsWith(word));
  if (unlisted !== undefined) {
    return fault(
      token.at,
      unlisted.length,
      `${unlisted.slice(0, -1)} sockets are not listed`,
      Object.keys(FAMILIES),
    );
  }
  return { family: null, rest: text };
}

/** `wordFirst`: a lone IPv6 address is an address before its last group is a port. */
export function host(token: Token, side: Side, context: Context, wordFirst = false): Parsed<Filter> {
  const split = familyPrefix(token);
  if (isFault(split)) {
    return split;
  }
  const { family, rest } = split;
  if (family === 0 || (family === null && /^[/@]/.test(rest))) {
    context.family = family ?? context.family;
    return { kind: 'path', side, pattern: rest };
  }
  const shift = token.text.length - rest.length;
  const wrong = (at: number, length: number, message: string, expected: readonly string[] = HOST_WORDS) =>
    fault(token.at + shift + at, Math.max(1, length), message, expected);

  const parts = cut(rest, wordFirst);
  if (parts === null) {
    return wrong(0, rest.length, `'${rest}' has no closing bracket`, ['[::1]', '[::1]:443', '[fe80::/10]']);
  }
  const addresses = ANY_ADDRESS.has(parts.address) ? [] : find(parts.address, context);
  if (addresses === null) {
    return wrong(0, rest.length, `'${parts.address}' is neither an address nor a known host name`);
  }
  const fitting = addresses.filter((address) => family === null || address.family === family);
  if (addresses.length > 0 && fitting.length === 0) {
    return wrong(0, rest.length, `'${parts.address}' is not an IPv${family} address`);
  }
  const range = ports(parts.port, context);
  if (isPortFault(range)) {
    return wrong(parts.portAt + range.at, range.length, range.message, [
      'a port 0-65535',
      'a service name',
      '*',
    ]);
  }
  context.family = family ?? context.family;
  return ends(side, (end) => [
    family === null ? [] : [{ kind: 'family' as const, family }],
    fitting.length === 0
      ? []
      : [anyOf(fitting.map((address) => ({ kind: 'host' as const, side: end, ...address })))],
    range === null ? [] : [portsOf(end, range)],
  ]);
}

export function portsOf(side: Side, ranges: readonly PortRange[]): Filter {
  return anyOf(ranges.map(({ from, to }) => ({ kind: 'port', side, from, to })));
}

/** Address and port of "either side" must be of the same end. */
export function ends(side: Side, parts: (end: Side) => Filter[][]): Filter {
  if (side !== 'either') {
    return allOf(parts(side).flat());
  }
  if (parts('either').flat().length < 2) {
    return allOf(parts('either').flat());
  }
  return anyOf([allOf(parts('local').flat()), allOf(parts('peer').flat())]);
}

interface Cut {
  address: string;
  port: string;
  portAt: number;
}

function cut(text: string, wordFirst: boolean): Cut | null {
  if (text.startsWith('[')) {
    const close = text.indexOf(']');
    if (close < 0) {
      return null;
    }
    const after = text.slice(close + 1);
    const length = /^\/[^:]*/.exec(after)?.[0] ?? '';
    return at(text.slice(1, close) + length, text, close + 1 + length.length);
  }
  if (wordFirst && text.includes('::') && prefix(text) !== null) {
    return { address: text, port: '', portAt: text.length };
  }
  const slash = text.indexOf('/');
  const colon = text.lastIndexOf(':');
  if (colon < 0 || colon < slash) {
    return { address: text, port: '', portAt: text.length };
  }
  const split = { address: text.slice(0, colon), port: text.slice(colon + 1), portAt: colon + 1 };
  // ss takes the last colon as the port's; where that leaves no address, the whole may still be one.
  const ambiguous = split.address.includes(':');
  return ambiguous && prefix(split.address) === null && prefix(text) !== null
    ? { address: text, port: '', portAt: text.length }
    : split;
}

function at(address: string, text: string, end: number): Cut {
  const colon = text[end] === ':' ? 1 : 0;
  return { address, port: text.slice(end + colon), portAt: end + colon };
}

function find(name: string, context: Context) {
  const literal = prefix(name);
  if (literal !== null) {
    return [literal];
  }
  const found = context
    .hosts(name)
    .map((address) => prefix(address, true))
    .filter((address) => address !== null);
  return found.length === 0 ? null : found;
}
