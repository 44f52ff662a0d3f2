/** What an HTTP/1 message says, made when somebody asks. HTTP/2 shares the parts about bodies and secrets. */
import type { Value, Values } from '../value.ts';
import { maskedForm, maskedJson, maskedUrl } from './http1-secrets.ts';
import { inflated } from './inflate.ts';
import { find, latin1, shortened, text } from './text.ts';

export type Fields = { [name: string]: Value };

/** Of a body this much is kept, and this much text is shown. */
export const BODY_KEPT = 16_384;
const MAX_HEADERS = 256;
const MAX_NAME = 128;
const MAX_VALUE = 8192;

export const httpSecrets: readonly string[] = [
  'path.raw',
  'body.raw',
  'request.header.authorization',
  'request.header.proxy-authorization',
  'request.header.cookie',
  'request.header.x-api-key',
  'request.header.api-key',
  'request.header.apikey',
  'request.header.x-auth-token',
  'request.header.x-access-token',
  'request.header.x-csrf-token',
  'request.header.x-xsrf-token',
  'request.header.x-amz-security-token',
  'request.header.x-vault-token',
  'request.header.x-goog-api-key',
  'request.header.private-token',
  'request.header.referer.raw',
  'response.header.set-cookie',
  'response.header.authorization',
  'response.header.x-auth-token',
  'response.header.x-access-token',
  'response.header.x-csrf-token',
  'response.header.location.raw',
  'response.header.content-location.raw',
  'trailer.authorization',
  'trailer.set-cookie',
];

export const httpFields: readonly string[] = [
  'method',
  'path',
  'path.raw',
  'host',
  'version',
  'status',
  'reason',
  'request.header.*',
  'response.header.*',
  'trailer.*',
  'length',
  'encoding',
  'body',
  'body.raw',
  'body.bytes',
  'event',
  'data',
  'id',
  'warning',
];

/** Header values that are URLs, and so may hold what a path may hold. */
const urls = new Set(['referer', 'location', 'content-location']);

/** Adds the header lines in bytes[from, to) under `prefix`, names in lower case, repeated ones joined. */
export function addHeaders(
  fields: Fields,
  prefix: string,
  bytes: Uint8Array,
  from: number,
  to: number,
): boolean {
  let spaced = false;
  let count = 0;
  for (let line = from; line < to && count < MAX_HEADERS; count++) {
    let end = find(bytes, 10, line, to);
    if (end < 0) {
      end = to;
    }
    const stop = end > line && bytes[end - 1] === 13 ? end - 1 : end;
    const colon = find(bytes, 58, line, end);
    if (colon > line && colon < stop) {
      const written = latin1(bytes, line, Math.min(colon, line + MAX_NAME)).toLowerCase();
      const name = written.trim();
      // Where a long name was cut, white space within it may stand at the end.
      spaced ||= (colon <= line + MAX_NAME ? name : written.trimStart()) !== written;
      addHeader(fields, prefix, name, text(bytes, colon + 1, Math.min(stop, colon + 1 + MAX_VALUE)).trim());
    }
    line = end + 1;
  }
  return spaced;
}

/**
 * The first header of that name (lower case) among the lines in bytes[from, to), without making strings of the others. Null:
 * a name has white space around it, which is worth a warning, or this one is there twice.
 */
export function headerValue(bytes: Uint8Array, from: number, to: number, name: string): string | null {
  let value: string | null = null;
  for (let line = from; line < to; ) {
    let end = find(bytes, 10, line, to);
    if (end < 0) {
      end = to;
    }
    const colon = find(bytes, 58, line, end);
    if (colon > line && colon < end && (isBlank(bytes[line]!) || isBlank(bytes[colon - 1]!))) {
      return null;
    }
    if (colon === line + name.length && isNamed(bytes, line, name)) {
      if (value !== null) {
        return null;
      }
      value = text(bytes, colon + 1, Math.min(end, colon + 1 + MAX_VALUE)).trim();
    }
    line = end + 1;
  }
  return value ?? '';
}

/** Whatever `trim` may take away, and then some. */
function isBlank(byte: number): boolean {
  return byte <= 32 || byte === 0xa0;
}

function isNamed(bytes: Uint8Array, at: number, name: string): boolean {
  for (let i = 0; i < name.length; i++) {
    const byte = bytes[at + i]!;
    // Only letters have another case: a CR with that bit set would be a hyphen.
    if ((byte >= 65 && byte <= 90 ? byte | 32 : byte) !== name.charCodeAt(i)) {
      return false;
    }
  }
  return true;
}

/** One header; HTTP/2 has them apart already. */
export function addHeader(fields: Fields, prefix: string, name: string, value: string): void {
  const key = prefix + name;
  const before = Object.hasOwn(fields, key) ? fields[key] : undefined;
  let shown = value;
  if (urls.has(name)) {
    shown = maskedUrl(value);
    if (shown !== value) {
      fields[`${key}.raw`] = value;
    }
  }
  fields[key] = before === undefined ? shown : shortened(`${before}, ${shown}`, MAX_VALUE);
}

/** The path as it may be shown, and as it is when that differs. */
export function addPath(fields: Fields, path: string): void {
  const shown = maskedUrl(path);
  fields.path = shown;
  if (shown !== path) {
    fields['path.raw'] = path;
  }
}

/** A body as far as it was kept. */
export interface Content {
  readonly bytes: Uint8Array;
  readonly from: number;
  readonly to: number;
  /** How many bytes of it crossed the wire; more than are kept, maybe. -1: it was cut short, nobody knows. */
  readonly length: number;
}

/** `body`, `body.bytes`, `encoding`; returns what went wrong, or ''. `codings` are in the order in which they were applied. */
export function addContent(fields: Fields, content: Content, codings: string, type: string): string {
  const kept = content.bytes.subarray(content.from, Math.min(content.to, content.from + BODY_KEPT));
  let shown = kept;
  let whole = kept.length === content.length;
  let size = content.length;
  if (codings !== '') {
    fields.encoding = codings;
    if (kept.length === 0) {
      return '';
    }
    const plain = inflated(kept, codings, BODY_KEPT);
    if ('why' in plain) {
      return `the body cannot be shown: ${plain.why}`;
    }
    size = whole ? plain.size : -1;
    whole &&= plain.whole;
    shown = plain.bytes;
  }
  if (size >= 0) {
    fields['body.bytes'] = size;
  }
  if (shown.length > 0 && isText(type, shown)) {
    const charset = /charset="?(iso-8859-1|latin1|windows-1252)/i.test(type) ? 'latin1' : 'utf-8';
    // `stream` leaves out a character that the cut went through.
    addText(fields, new TextDecoder(charset).decode(shown, { stream: !whole }), type);
  }
  return '';
}

function addText(fields: Fields, raw: string, type: string): void {
  let shown = raw;
  if (/^application\/x-www-form-urlencoded/i.test(type)) {
    shown = maskedForm(raw);
  } else if (/[/+]json\b/i.test(type) || (type === '' && /^\s*[[{]/.test(raw))) {
    shown = maskedJson(raw);
  }
  fields.body = shown;
  if (shown !== raw) {
    fields['body.raw'] = raw;
  }
}

const textual =
  /^(text\/|application\/(json|xml|javascript|ecmascript|graphql|yaml|toml|sql|x-www-form-urlencoded|x-ndjson|x-yaml|x-javascript|x-sh|dns-json)\b|[^;]*\+(json|xml|yaml)\b|message\/)/i;

/** By its type; without one, by its first bytes. */
function isText(type: string, bytes: Uint8Array): boolean {
  if (type !== '') {
    return textual.test(type);
  }
  const stop = Math.min(bytes.length, 512);
  for (let i = 0; i < stop; i++) {
    const byte = bytes[i]!;
    if ((byte < 32 && byte !== 9 && byte !== 10 && byte !== 13) || byte === 127) {
      return false;
    }
  }
  return true;
}

/** `512 B`, `1.2 kB`: a size as a line shows it. */
export function sized(bytes: Value | undefined): string {
  if (typeof bytes !== 'number') {
    return '';
  }
  if (bytes < 1000) {
    return ` ${bytes} B`;
  }
  return bytes < 1_000_000 ? ` ${(bytes / 1000).toFixed(1)} kB` : ` ${(bytes / 1_000_000).toFixed(1)} MB`;
}

/** The line for one message: `GET /users?id=7`, `200 OK application/json 512 B`. Both versions of HTTP say it alike. */
export function httpSummary(kind: 'request' | 'reply' | 'notice', fields: Values): string {
  const given = fields['body.bytes'] ?? fields.length;
  const size = given === 0 ? '' : sized(given);
  const odd = fields.warning === undefined ? '' : ` (${String(fields.warning)})`;
  if (kind === 'request') {
    const type = shown(fields['request.header.content-type']);
    return clean(
      `${shown(fields.method)} ${shortened(shown(fields.path), 120)}${size && about(type)}${size}${odd}`,
    );
  }
  if (kind === 'reply') {
    const type = shown(fields['response.header.content-type']);
    return clean(`${shown(fields.status)} ${shown(fields.reason)}${about(type)}${size}${odd}`);
  }
  return clean(`event ${shown(fields.event)} ${shortened(shown(fields.data), 120)}`);
}

function about(type: string): string {
  return type === '' ? '' : ` ${type.split(';', 1)[0]}`;
}

function shown(value: Value | undefined): string {
  return value === undefined || value === null ? '' : String(value);
}

function clean(line: string): string {
  return shortened(
    line
      .replace(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, ' ')
      .replace(/ {2,}/g, ' ')
      .trim(),
    200,
  );
}
