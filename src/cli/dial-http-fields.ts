/** The header fields of a request: our own, those that options stand for, and those that were typed. */
import { MANNERS } from '../make/dial/http/plan.ts';
import { usage } from './dial-http-values.ts';

/** The options that become fields. */
export interface FieldFlags {
  readonly header?: string[];
  readonly data?: string[];
  readonly jsonBody?: string;
  readonly user?: string;
  readonly compressed?: boolean;
  readonly userAgent?: string;
  readonly referer?: string;
  readonly cookie?: string;
}

export const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: RFC 9110 section 5.5 forbids just these.
const NO_VALUE = /[\x00-\x08\x0a-\x1f\x7f]|[^\x00-\xff]/;

type Field = readonly [string, string];

/** `Name: value`; `Name:` takes away what would be sent by itself; `Name;` has no value. */
function readField(line: string): { readonly name: string; readonly value: string | null } {
  const colon = line.indexOf(':');
  const empty = colon < 0 && line.endsWith(';');
  const name = empty ? line.slice(0, -1) : line.slice(0, Math.max(0, colon));
  const value = empty ? '' : line.slice(colon + 1).trim();
  if (!TOKEN.test(name) || NO_VALUE.test(value)) {
    throw usage(
      `-H '${line}' is no header field.`,
      "Write it like -H 'Accept: text/plain'; 'Name;' is sent empty.",
    );
  }
  return { name, value: value === '' && !empty ? null : value };
}

function checked(option: string, value: string): string {
  if (NO_VALUE.test(value)) {
    throw usage(
      `${option} has characters that no header field may have.`,
      'No line ends, and nothing beyond Latin-1.',
    );
  }
  return value;
}

export function basic(pair: string): string {
  return `Basic ${Buffer.from(pair.includes(':') ? pair : `${pair}:`).toString('base64')}`;
}

/** The name or the password in a URL; what is no escape stands for itself. */
export function unescaped(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export function fieldsOf(flags: FieldFlags, url: URL, body: Buffer | null): Field[] {
  const { user, userAgent, referer, cookie, compressed, jsonBody, data } = flags;
  const named = url.username === '' ? undefined : `${unescaped(url.username)}:${unescaped(url.password)}`;
  if (cookie !== undefined && !cookie.includes('=')) {
    throw usage(`-b ${cookie} is no cookie.`, 'Write it like -b name=value; files of cookies are not read.');
  }
  const own: Field[] = [...MANNERS];
  const add = (name: string, value: string | undefined): void => {
    if (value !== undefined) {
      own.push([name, checked(name, value)]);
    }
  };
  const pair = user ?? named;
  add('Authorization', pair === undefined ? undefined : basic(pair));
  add('Referer', referer);
  add('Cookie', cookie);
  add('Accept-Encoding', compressed === true ? 'gzip, deflate, br' : undefined);
  add('Content-Type', body === null || data === undefined ? undefined : 'application/x-www-form-urlencoded');
  add('Content-Type', jsonBody === undefined ? undefined : 'application/json');
  const typed = (flags.header ?? []).map(readField);
  const instead = new Set(typed.map(({ name }) => name.toLowerCase()));
  const base = own
    .map(([name, value]): Field => {
      if (name === 'User-Agent' && userAgent !== undefined) {
        return [name, checked('-A', userAgent)];
      }
      return name === 'Accept' && jsonBody !== undefined ? [name, 'application/json'] : [name, value];
    })
    .filter(([name]) => !instead.has(name.toLowerCase()));
  const given = typed.flatMap(({ name, value }): Field[] => (value === null ? [] : [[name, value]]));
  return [...base, ...given];
}
