/** ClientHello and ServerHello (RFC 8446, section 4.1; RFC 5246, section 7.4.1). The bytes are a copy of the body. */
import { text } from './text.ts';

const LIST_KEPT = 256;

/** The random of a ServerHello that is a HelloRetryRequest (RFC 8446, section 4.1.3). */
const RETRY = 'cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c';

export interface Extension {
  readonly type: number;
  readonly from: number;
  readonly to: number;
}

export interface Hello {
  readonly body: Uint8Array;
  /** The field that stands at the front: 0x0303 in TLS 1.3 too. */
  readonly version: number;
  readonly random: string;
  readonly session: string;
  /** What a client offers; of a server the one it chose. */
  readonly ciphers: number[];
  readonly compressions: number[];
  readonly extensions: Extension[];
}

/** Null when the lengths in it do not fit. */
export function readHello(body: Uint8Array, fromClient: boolean): Hello | null {
  if (body.length < 35) {
    return null;
  }
  const version = u16(body, 0);
  const sessionEnd = 35 + body[34]!;
  const session = hexOf(body, 35, Math.min(sessionEnd, body.length));
  let at = sessionEnd;
  const ciphers: number[] = [];
  const compressions: number[] = [];
  if (fromClient) {
    if (body.length - at < 2) {
      return null;
    }
    const end = at + 2 + u16(body, at);
    if (end > body.length - 1) {
      return null;
    }
    for (at += 2; at + 1 < end; at += 2) {
      ciphers.push(u16(body, at));
    }
    const compressionEnd = end + 1 + body[end]!;
    for (at = end + 1; at < compressionEnd && at < body.length; at++) {
      compressions.push(body[at]!);
    }
  } else {
    if (body.length - at < 3) {
      return null;
    }
    ciphers.push(u16(body, at));
    compressions.push(body[at + 2]!);
    at += 3;
  }
  const random = hexOf(body, 2, 34);
  return { body, version, random, session, ciphers, compressions, extensions: extensionsAt(body, at) };
}

function extensionsAt(body: Uint8Array, from: number): Extension[] {
  const found: Extension[] = [];
  if (body.length - from < 2) {
    return found;
  }
  const end = Math.min(body.length, from + 2 + u16(body, from));
  for (let at = from + 2; end - at >= 4 && found.length < LIST_KEPT; ) {
    const to = at + 4 + u16(body, at + 2);
    if (to > end) {
      break;
    }
    found.push({ type: u16(body, at), from: at + 4, to });
    at = to;
  }
  return found;
}

export function isRetry(hello: Hello): boolean {
  return hello.random === RETRY;
}

export function extension(hello: Hello, type: number): Extension | undefined {
  return hello.extensions.find((one) => one.type === type);
}

/** The 16-bit numbers of a list with its length in front, in `size` bytes. */
export function numbers(hello: Hello, type: number, size: 1 | 2): number[] {
  const found = extension(hello, type);
  const list: number[] = [];
  if (found === undefined) {
    return list;
  }
  for (let at = found.from + size; at + 1 < found.to && list.length < LIST_KEPT; at += 2) {
    list.push(u16(hello.body, at));
  }
  return list;
}

/** The version that is spoken when this is a server's; the highest a client would speak. */
export function spokenVersion(hello: Hello): number {
  const chosen = extension(hello, 43);
  return chosen !== undefined && chosen.to - chosen.from === 2 ? u16(hello.body, chosen.from) : hello.version;
}

/** RFC 6066, section 3: one name of type 0. */
export function serverName(hello: Hello): string | null {
  const found = extension(hello, 0);
  if (found === undefined || found.to - found.from < 5 || hello.body[found.from + 2] !== 0) {
    return null;
  }
  const from = found.from + 5;
  return text(hello.body, from, Math.min(found.to, from + u16(hello.body, from - 2)));
}

/** RFC 7301: the names as bytes, since they need not be text. */
export function protocols(hello: Hello): Uint8Array[] {
  const found = extension(hello, 16);
  const list: Uint8Array[] = [];
  if (found === undefined) {
    return list;
  }
  for (let at = found.from + 2; at < found.to && list.length < LIST_KEPT; ) {
    const end = Math.min(found.to, at + 1 + hello.body[at]!);
    list.push(hello.body.subarray(at + 1, end));
    at = end;
  }
  return list;
}

/** The groups of the client's shares; of a server's share, or of its retry's wish. */
export function shareGroups(hello: Hello, fromClient: boolean): number[] {
  const found = extension(hello, 51);
  if (found === undefined || found.to - found.from < 2) {
    return [];
  }
  if (!fromClient) {
    return [u16(hello.body, found.from)];
  }
  const groups: number[] = [];
  for (let at = found.from + 2; found.to - at >= 4 && groups.length < LIST_KEPT; ) {
    groups.push(u16(hello.body, at));
    at += 4 + u16(hello.body, at + 2);
  }
  return groups;
}

export function hexOf(bytes: Uint8Array, from: number, to: number): string {
  let hex = '';
  for (let i = from; i < to; i++) {
    hex += bytes[i]!.toString(16).padStart(2, '0');
  }
  return hex;
}

export function u16(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

export function u24(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!;
}
