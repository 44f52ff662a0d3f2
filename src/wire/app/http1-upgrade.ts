/** Where a connection goes after HTTP/1 said so: a tunnel (RFC 9110 9.3.6) or another protocol (RFC 9110 7.8). */

import { become, type Message, type Step } from './decoder.ts';
import { addHeaders, type Fields } from './http1-fields.ts';
import { type Asked, askedFor } from './http1-message.ts';
import { maskedUrl } from './http1-secrets.ts';
import { find } from './text.ts';

/** RFC 7692 7.1: what both sides agreed on. */
export interface DeflateGiven {
  readonly serverNoContextTakeover: boolean;
  readonly clientNoContextTakeover: boolean;
}

/** What a WebSocket starts from; `deflate` is null without compression. */
export interface WebSocketGiven {
  readonly deflate: DeflateGiven | null;
  readonly protocol: string;
  /** As it may be shown. */
  readonly path: string;
}

/** The request that was sent in HTTP/1; its reply comes as stream 1 of HTTP/2 (RFC 7540 3.2). */
export interface Http2Given {
  readonly upgrade: 'h2c';
  readonly method: string;
  /** As it was sent, secrets and all. */
  readonly path: string;
  readonly host: string;
  /** The payload of the client's SETTINGS, in base64url. */
  readonly settings: string;
}

const UPGRADED_STREAM = 1;

/** After a reply 101 whose head is bytes[from, to). */
export function switched(
  reply: Message,
  asked: Asked | null,
  bytes: Uint8Array,
  from: number,
  to: number,
  consumed: number,
): Step {
  const fields: Fields = {};
  addHeaders(fields, '', bytes, find(bytes, 10, from, to) + 1, to);
  const { path, host } = asked === null ? { path: '', host: '' } : askedFor(asked);
  const upgrade = String(fields.upgrade ?? '').toLowerCase();
  if (/^websocket\b/.test(upgrade)) {
    const given: WebSocketGiven = {
      deflate: deflateOf(String(fields['sec-websocket-extensions'] ?? '')),
      protocol: String(fields['sec-websocket-protocol'] ?? ''),
      path: maskedUrl(path),
    };
    return become('websocket', [reply], consumed, given);
  }
  if (/^h2c\b/.test(upgrade)) {
    const given: Http2Given = {
      upgrade: 'h2c',
      method: asked?.method ?? '',
      path,
      host,
      settings: asked?.settings ?? '',
    };
    return become('http2', [reply], consumed, given, UPGRADED_STREAM);
  }
  return become(null, [reply], consumed);
}

function deflateOf(extensions: string): DeflateGiven | null {
  const chosen = extensions
    .split(',')
    .map((one) => one.split(';').map((part) => part.trim().toLowerCase()))
    .find((one) => one[0] === 'permessage-deflate');
  if (chosen === undefined) {
    return null;
  }
  return {
    serverNoContextTakeover: chosen.includes('server_no_context_takeover'),
    clientNoContextTakeover: chosen.includes('client_no_context_takeover'),
  };
}
