/** The short words: `:8080`, `node`, `pid:1234`, `10.0.0.0/8`, `tcp`. A word that is nothing else is a program's name. */
import { PROTOCOLS } from '../../session/socket.ts';
import { prefix } from './address.ts';
import { anyOf, type Filter } from './ast.ts';
import type { Context } from './context.ts';
import { fault, type Parsed } from './fault.ts';
import { host, portsOf } from './host.ts';
import { integer, isPortFault, ports } from './number.ts';
import type { Token } from './tokens.ts';

export const SHORT_WORDS = [
  ':PORT',
  'ADDRESS',
  'STATE',
  'PROGRAM',
  'pid:N',
  'user:NAME',
  'program:NAME',
  ...PROTOCOLS,
] as const;
const NAMED_PORT = [':8080', ':http', ':8000-8100', ':80,443'] as const;

const KEYS: Record<string, (value: Token, context: Context) => Parsed<Filter>> = {
  pid: (value) => {
    const pids = value.text.split(',').map(integer);
    return pids.every((pid) => pid !== null)
      ? anyOf(pids.map((pid) => ({ kind: 'pid', pid })))
      : fault(value.at, value.text.length, `'${value.text}' is no process id`, ['pid:1234', 'pid:1234,1240']);
  },
  user: (value) => ({ kind: 'user', user: integer(value.text) ?? value.text }),
  uid: (value) => {
    const uid = integer(value.text);
    return uid === null
      ? fault(value.at, value.text.length, `'${value.text}' is no user id`, ['uid:1000', 'user:www-data'])
      : { kind: 'user', user: uid };
  },
  program: (value) => ({ kind: 'program', text: value.text }),
  port: (value, context) => eitherPort(value, context),
};

export function short(token: Token, context: Context): Parsed<Filter> {
  context.ours = true;
  const { text, plain } = token;
  if (text.startsWith(':') && !text.startsWith('::')) {
    return eitherPort(inside(token, 1), context);
  }
  if (/^\d[\d,-]*$/.test(text)) {
    return eitherPort(token, context);
  }
  const key = /^([a-z]+):(?!:)/.exec(text)?.[1];
  if (key !== undefined && Object.hasOwn(KEYS, key)) {
    const value = inside(token, key.length + 1);
    return value.text === ''
      ? fault(token.end, 1, `${key}: wants a value`, [`${key}:VALUE`])
      : KEYS[key]!(value, context);
  }
  const protocol = plain ? PROTOCOLS.find((name) => name === text) : undefined;
  if (protocol !== undefined) {
    return { kind: 'protocol', protocol };
  }
  if (isPlace(text)) {
    return host(token, 'either', context, true);
  }
  if (text.startsWith('-') || /[:=<>]/.test(text) || text === '') {
    return fault(token.at, Math.max(1, token.end - token.at), `'${text}' is no filter`, SHORT_WORDS);
  }
  if (/^[\d.]+$/.test(text)) {
    return fault(token.at, token.end - token.at, `'${text}' is not a whole address`, [
      '10.0.0.1',
      '10.0.0.0/8',
      ':8080',
    ]);
  }
  return { kind: 'program', text };
}

/** `*`, `*:80`, `/run/x`, `@name`, `[::1]:80`, `inet:…`, addresses with or without port and length, `localhost:80`. */
function isPlace(text: string): boolean {
  return (
    /^(\*($|:)|[/@[])/.test(text) ||
    /^(inet6?|unix|link|netlink|vsock):/.test(text) ||
    prefix(text, true) !== null ||
    /^[^:]+:[^:]+$/.test(text) ||
    (text.split(':').length > 2 && /^[\da-f:.%]+/i.test(text))
  );
}

function eitherPort(token: Token, context: Context): Parsed<Filter> {
  const ranges = ports(token.text, context);
  if (isPortFault(ranges)) {
    return fault(token.at + ranges.at, ranges.length, ranges.message, NAMED_PORT);
  }
  return ranges === null ? { kind: 'everything' } : portsOf('either', ranges);
}

/** The token without its first characters. */
function inside(token: Token, from: number): Token {
  return { ...token, text: token.text.slice(from), at: Math.min(token.at + from, token.end) };
}
