/** What is asked, in the words of dig: the server, the type and the name in any order, and its `+` options. */
import { domainToASCII } from 'node:url';
import { SockscopeError } from '../../../errors.ts';
import { nearMisses } from '../../../session/near.ts';
import { TYPES } from '../../../wire/app/dns-names.ts';
import { parseIpv4, parseIpv6 } from '../../../wire/net/address.ts';
import { type Name, ROOT, readNameText } from '../../serve/dns/name.ts';

export interface DigWords {
  readonly name: Name;
  readonly type: number;
  readonly class: number;
  /** As typed, without the @. */
  readonly servers: readonly string[];
  /** What stood behind a `+`, by its name here. */
  readonly plus: Plus;
}

export interface Plus {
  short?: boolean;
  tcp?: boolean;
  recurse?: boolean;
  edns?: boolean;
  bufsize?: string;
  /** In seconds, as dig has it. */
  time?: string;
  tries?: string;
}

const CLASSES: Readonly<Record<string, number>> = { IN: 1, CH: 3, HS: 4 };
const A = 1;
const NS = 2;
const PTR = 12;
const CODES: ReadonlyMap<string, number> = new Map(
  Object.entries(TYPES).map(([code, name]) => [name, Number(code)]),
);
const SWITCHES: Readonly<Record<string, Plus>> = {
  short: { short: true },
  tcp: { tcp: true },
  vc: { tcp: true },
  recurse: { recurse: true },
  norecurse: { recurse: false },
  edns: { edns: true },
  noedns: { edns: false },
};
const VALUES = ['bufsize', 'time', 'tries'] as const;

/** `reverse`: the address behind -x, or null. */
export function readDigWords(words: readonly string[], reverse: string | null): DigWords {
  const servers: string[] = [];
  const plus: Plus = {};
  const types: string[] = [];
  const names: string[] = [];
  let klass = 1;
  for (const word of words) {
    const upper = word.toUpperCase();
    if (word.startsWith('@')) {
      servers.push(word.slice(1));
    } else if (word.startsWith('+')) {
      Object.assign(plus, readPlus(word));
    } else if (Object.hasOwn(CLASSES, upper)) {
      klass = CLASSES[upper]!;
    } else if (typeNumber(word) !== null) {
      types.push(word);
    } else {
      names.push(word);
    }
  }
  // A word that is a type may be a name too: with nothing else, and `mx mx`.
  if (
    names.length === 0 &&
    reverse === null &&
    types.length > 0 &&
    (types.length > 1 || words.length === 1)
  ) {
    names.push(types.shift()!);
  }
  if (types.length > 1 || names.length + (reverse === null ? 0 : 1) > 1) {
    throw usage(
      `One question at a time: ${[...names, ...types].join(', ')} are more than one.`,
      'Write one name and one type.',
    );
  }
  const type = types[0] === undefined ? null : typeNumber(types[0]);
  if (reverse !== null) {
    return { name: nameOf(reverseName(reverse)), type: type ?? PTR, class: klass, servers, plus };
  }
  if (names[0] === undefined) {
    // dig without a name asks for the servers of the root.
    return { name: ROOT, type: type ?? NS, class: klass, servers, plus };
  }
  return { name: nameOf(names[0]), type: type ?? A, class: klass, servers, plus };
}

function typeNumber(word: string): number | null {
  const upper = word.toUpperCase();
  const number = /^TYPE(\d{1,5})$/.exec(upper)?.[1];
  return number === undefined ? (CODES.get(upper) ?? null) : Number(number) <= 0xffff ? Number(number) : null;
}

function readPlus(word: string): Plus {
  const [name = '', value] = word.slice(1).split('=', 2);
  const low = name.toLowerCase();
  if (value === undefined && Object.hasOwn(SWITCHES, low)) {
    return SWITCHES[low]!;
  }
  const own = VALUES.find((one) => one === (low === 'timeout' ? 'time' : low));
  if (own !== undefined && value !== undefined && value !== '') {
    return { [own]: value };
  }
  if (own !== undefined) {
    throw usage(`${word} needs a number.`, `Write it like +${own}=2.`);
  }
  const known = [...Object.keys(SWITCHES), ...VALUES];
  const near = nearMisses(low, known)[0];
  throw usage(
    `${word} is not known here.`,
    near === undefined ? `There are ${known.map((one) => `+${one}`).join(' ')}.` : `Did you mean +${near}?`,
  );
}

function nameOf(text: string): Name {
  let ascii = text;
  if (/[^ -~]/.test(text)) {
    ascii = domainToASCII(text);
    if (ascii === '') {
      throw usage(
        `${text} is no name that can be written in punycode.`,
        'Look for characters that do not belong.',
      );
    }
  }
  const name = readNameText(ascii, ROOT);
  if (typeof name !== 'string') {
    throw usage(`${text} cannot be asked for: ${name.error}.`, 'Write it like www.example.org.');
  }
  return name;
}

/** RFC 1035 section 3.5, RFC 3596 section 2.5. */
export function reverseName(address: string): string {
  const four = parseIpv4(address);
  if (four !== null) {
    return `${[...four].reverse().join('.')}.in-addr.arpa.`;
  }
  const six = parseIpv6(address);
  if (six === null) {
    throw usage(`-x ${address} is no address.`, 'Write it like -x 192.0.2.1 or -x 2001:db8::1.');
  }
  const nibbles = [...six].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  return `${[...nibbles].reverse().join('.')}.ip6.arpa.`;
}

function usage(message: string, hint: string): SockscopeError {
  return new SockscopeError('DNS_WORDS', message, hint, 2);
}
