/** What a request asks for, whichever version it came by: the parts that a proxy looks at. */
import type { Http2ServerRequest } from 'node:http2';
import type { Fields } from '../../cache/fields.ts';
import { fieldOf } from '../../cache/fields.ts';
import type { WebRequest } from '../web/handler.ts';

export interface Asked {
  readonly method: string;
  readonly scheme: 'http' | 'https';
  /** As the client names the server: Host, or what stands in the target. */
  readonly authority: string;
  /** Path and query as they came, or `*`. */
  readonly path: string;
  readonly fields: Fields;
  readonly hasBody: boolean;
  /** The target was a whole URI, as a forward proxy wants it. */
  readonly absolute: boolean;
}

/** Of a host and port nothing else: the authority becomes a part of the key of the cache. */
const AUTHORITY = /^[a-z0-9._~!$&'()*+,;=%:[\]-]*$/i;
const ABSOLUTE = /^(https?):\/\/([^/?#]*)([^#]*)$/i;

/** A text: what is wrong with it. */
export function readAsked(request: WebRequest, secure: boolean): Asked | string {
  const second = request.httpVersionMajor === 2;
  const fields = second ? fromSecond(request as Http2ServerRequest) : request.rawHeaders;
  const target = request.url ?? '';
  const whole = ABSOLUTE.exec(target);
  // Node would make an object of all fields for `headers`.
  const host = fieldOf(fields, 'host') ?? '';
  const named = second ? ((request as Http2ServerRequest).authority ?? host) : host;
  const authority = (whole === null ? named : whole[2]!).toLowerCase();
  const path = whole === null ? target : whole[3]!.startsWith('/') ? whole[3]! : `/${whole[3]!}`;
  if (!AUTHORITY.test(authority)) {
    return 'this is no host';
  }
  if (!path.startsWith('/') && path !== '*') {
    return 'this is no path';
  }
  return {
    method: request.method ?? '',
    scheme: whole === null ? (secure ? 'https' : 'http') : (whole[1]!.toLowerCase() as 'http' | 'https'),
    authority,
    path,
    fields,
    hasBody: second ? !(request as Http2ServerRequest).stream.endAfterHeaders : bodyFollows(fields),
    absolute: whole !== null,
  };
}

function bodyFollows(fields: Fields): boolean {
  const length = fieldOf(fields, 'content-length');
  return fieldOf(fields, 'transfer-encoding') !== undefined || (length !== undefined && Number(length) > 0);
}

/** Without the pseudo fields, and with the crumbs of Cookie as one again (RFC 9113, section 8.2.3). */
function fromSecond({ rawHeaders, headers }: Http2ServerRequest): Fields {
  const fields: string[] = [];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!;
    if (!name.startsWith(':') && name !== 'cookie') {
      fields.push(name, rawHeaders[i + 1]!);
    }
  }
  return headers.cookie === undefined ? fields : [...fields, 'cookie', headers.cookie];
}

/** What may make a path another one when it is read. */
const NOT_PLAIN = /[%?\0]|\/[/.]/;

/** As locations and files are looked up: decoded, without `.`, `..` and empty parts. Null: it cannot be decoded, or leaves the root. */
export function plainPath(path: string): string | null {
  if (path.startsWith('/') && !NOT_PLAIN.test(path)) {
    return path;
  }
  const before = path.split('?', 1)[0]!;
  let decoded: string;
  try {
    decoded = decodeURIComponent(before);
  } catch {
    return null;
  }
  if (decoded.includes('\0')) {
    return null;
  }
  const parts: string[] = [];
  const given = decoded.split('/').slice(1);
  for (const part of given) {
    if (part === '..') {
      if (parts.pop() === undefined) {
        return null;
      }
    } else if (part !== '' && part !== '.') {
      parts.push(part);
    }
  }
  const last = given.at(-1);
  const folder = last === '' || last === '.' || last === '..';
  return `/${parts.join('/')}${folder && parts.length > 0 ? '/' : ''}`;
}
