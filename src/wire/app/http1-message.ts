/** One message of HTTP/1: cheap to make, and its fields only when asked for. */
import type { Values } from '../value.ts';
import type { Message } from './decoder.ts';
import { addContent, addHeaders, addPath, type Content, type Fields, headerValue } from './http1-fields.ts';
import { type Head, Warn, warningTexts } from './http1-head.ts';
import { methodName } from './http1-start.ts';
import { find, latin1, shortened, text } from './text.ts';

const MAX_REASON = 128;
const MAX_PATH = 8192;
/** Of a head this much is read for fields; a message that outlives its bytes keeps no more of it. */
export const HEAD_SHOWN = 16_384;
/** Of a request this much is remembered until its reply. */
const PATH_REMEMBERED = 2048;
const HOST_REMEMBERED = 255;
const SETTINGS_REMEMBERED = 1024;

/** A request that waits for its reply. Reused: its parts are copied into buffers that stay. */
export interface Asked {
  pair: number;
  method: string;
  target: Uint8Array;
  targetLength: number;
  host: Uint8Array;
  hostLength: number;
  upgrade: boolean;
  /** The value of HTTP2-Settings, when it asks to go on in HTTP/2. */
  settings: string;
  /** All of it has come. */
  complete: boolean;
  answered: boolean;
}

export function newAsked(): Asked {
  return {
    pair: 0,
    method: '',
    target: new Uint8Array(64),
    targetLength: 0,
    host: new Uint8Array(32),
    hostLength: 0,
    upgrade: false,
    settings: '',
    complete: false,
    answered: false,
  };
}

/** `from` is where the head begins in `bytes`. */
export function remember(
  asked: Asked,
  pair: number,
  method: string,
  head: Head,
  bytes: Uint8Array,
  from: number,
) {
  asked.pair = pair;
  asked.method = method;
  asked.targetLength = Math.min(head.targetEnd - head.methodEnd - 1, PATH_REMEMBERED);
  asked.target = kept(asked.target, bytes, from + head.methodEnd + 1, asked.targetLength);
  asked.hostLength = Math.min(head.hostTo - head.hostFrom, HOST_REMEMBERED);
  asked.host = kept(asked.host, bytes, from + head.hostFrom, asked.hostLength);
  asked.upgrade = head.upgrade;
  asked.settings = '';
  if (head.settingsTo > 0) {
    const end = Math.min(head.settingsTo, head.settingsFrom + SETTINGS_REMEMBERED);
    asked.settings = latin1(bytes, from + head.settingsFrom, from + end);
  }
  asked.complete = false;
  asked.answered = false;
}

function kept(into: Uint8Array, bytes: Uint8Array, from: number, length: number): Uint8Array {
  const target = length > into.length ? new Uint8Array(length) : into;
  for (let i = 0; i < length; i++) {
    target[i] = bytes[from + i]!;
  }
  return target;
}

/** The target and the host a request was for; an absolute target names its host itself (RFC 9112 3.2.2). */
export function askedFor(asked: Asked): { path: string; host: string } {
  const path = text(asked.target, 0, asked.targetLength);
  return { path, host: hostOf(path, text(asked.host, 0, asked.hostLength), asked.method) };
}

function hostOf(path: string, host: string, method: string): string {
  if (method === 'CONNECT') {
    return path;
  }
  const authority = path.startsWith('/')
    ? null
    : /^[a-z][a-z0-9+.-]*:\/\/(?:[^/?#@]*@)?([^/?#]*)/i.exec(path);
  return authority === null ? host : authority[1]!;
}

const statusNames: string[] = [];

/** A number as text, made once. */
export function statusName(status: number): string {
  statusNames[status] ??= String(status);
  return statusNames[status];
}

export class HttpMessage implements Message {
  readonly protocol = 'http';
  readonly kind: 'request' | 'reply';
  readonly name: string;
  readonly bytes: number;
  pair?: number;
  more?: boolean;
  failed?: boolean;
  private readonly head: Uint8Array;
  private readonly from: number;
  private readonly headLength: number;
  private readonly startEnd: number;
  private readonly methodEnd: number;
  private readonly targetEnd: number;
  private readonly minor: number;
  private readonly status: number;
  private readonly warnings: number;
  /** A content or transfer coding: sizes are then known only after undoing it. */
  private readonly encoded: boolean;
  private readonly content: Content | null;
  private readonly trailer: Uint8Array | null;
  /** The request, of a reply. */
  private readonly asked: Asked | null;

  constructor(
    name: string,
    length: number,
    found: Head,
    head: Uint8Array,
    from: number,
    headLength: number,
    content: Content | null,
    trailer: Uint8Array | null,
    asked: Asked | null,
  ) {
    this.kind = found.status === 0 ? 'request' : 'reply';
    this.name = name;
    this.bytes = length;
    this.head = head;
    this.from = from;
    this.headLength = headLength;
    this.startEnd = found.startEnd;
    this.methodEnd = found.methodEnd;
    this.targetEnd = found.targetEnd;
    this.minor = found.minor;
    this.status = found.status;
    this.warnings = found.warnings;
    this.encoded = found.encoded || found.coded;
    this.content = content;
    this.trailer = trailer;
    this.asked = asked;
  }

  fields(): Values {
    const fields: Fields = {};
    const request = this.kind === 'request';
    if (request) {
      this.addRequestLine(fields);
    } else {
      this.addStatusLine(fields);
    }
    const prefix = request ? 'request.header.' : 'response.header.';
    const end = this.from + Math.min(this.headLength, HEAD_SHOWN);
    const start = Math.min(this.from + this.startEnd, end);
    const line = find(this.head, 10, start, end) + 1;
    const spaced = line > 0 && line < end && addHeaders(fields, prefix, this.head, line, end);
    if (request) {
      this.addHost(fields);
    }
    const wrong = this.addBody(fields, prefix);
    const warnings = this.warnings | (spaced ? Warn.spaceBeforeColon : 0);
    const warning = [...warningTexts.filter((_, bit) => warnings & (1 << bit)), wrong].filter(
      (one) => one !== '',
    );
    if (warning.length > 0) {
      fields.warning = warning.join('; ');
    }
    return fields;
  }

  brief(): Values {
    if (this.encoded || this.warnings !== 0) {
      return this.fields();
    }
    const end = this.from + Math.min(this.headLength, HEAD_SHOWN);
    const start = find(this.head, 10, Math.min(this.from + this.startEnd, end), end) + 1;
    const type = start > 0 ? headerValue(this.head, start, end, 'content-type') : '';
    if (type === null) {
      return this.fields();
    }
    const fields: Fields = {};
    if (this.kind === 'request') {
      this.addRequestLine(fields);
    } else {
      this.addStatusLine(fields);
    }
    if (type !== '') {
      fields[`${this.kind === 'request' ? 'request' : 'response'}.header.content-type`] = type;
    }
    if (this.content !== null && this.content.length >= 0) {
      fields.length = this.content.length;
    }
    return fields;
  }

  private addRequestLine(fields: Fields): void {
    const { head, from } = this;
    fields.method = methodName(head, from, from + this.methodEnd);
    const target = from + this.methodEnd + 1;
    addPath(fields, text(head, target, Math.min(from + this.targetEnd, target + MAX_PATH)));
    fields.version = `1.${this.minor}`;
  }

  private addHost(fields: Fields): void {
    const named = fields['request.header.host'];
    const path = fields['path.raw'] ?? fields.path;
    const host = hostOf(String(path), typeof named === 'string' ? named : '', String(fields.method));
    if (host !== '') {
      fields.host = host;
    }
  }

  private addStatusLine(fields: Fields): void {
    const { head, from, asked } = this;
    if (asked !== null) {
      const { path, host } = askedFor(asked);
      fields.method = asked.method;
      addPath(fields, path);
      if (host !== '') {
        fields.host = host;
      }
    }
    fields.version = `1.${this.minor}`;
    fields.status = this.status;
    const reason = from + Math.min(13, this.startEnd);
    fields.reason = text(head, reason, Math.min(from + this.startEnd, reason + MAX_REASON)).trim();
  }

  private addBody(fields: Fields, prefix: string): string {
    const { content, trailer } = this;
    let wrong = '';
    if (content !== null) {
      const type = String(fields[`${prefix}content-type`] ?? '');
      if (content.length >= 0) {
        fields.length = content.length;
      }
      wrong = addContent(fields, content, codings(fields, prefix), type);
    }
    if (trailer !== null) {
      addHeaders(fields, 'trailer.', trailer, 0, trailer.length);
    }
    return wrong;
  }
}

/** Content codings, then transfer codings other than chunked, which is undone already. */
function codings(fields: Fields, prefix: string): string {
  const content = String(fields[`${prefix}content-encoding`] ?? '');
  const transfer = String(fields[`${prefix}transfer-encoding`] ?? '');
  return shortened(`${content},${transfer}`, 256)
    .toLowerCase()
    .split(',')
    .map((coding) => coding.trim())
    .filter((coding) => coding !== '' && coding !== 'chunked' && coding !== 'identity')
    .join(', ');
}
