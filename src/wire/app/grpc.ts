/** What gRPC adds to HTTP/2: messages with a length before them, and a status in the trailers. */
import { latin1, text } from './text.ts';

/** Sizes kept of the messages of one direction; all are counted. */
const SIZES_KEPT = 16;
const PREFIX = 5;

const STATUS_NAMES: readonly string[] = [
  'OK',
  'CANCELLED',
  'UNKNOWN',
  'INVALID_ARGUMENT',
  'DEADLINE_EXCEEDED',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'PERMISSION_DENIED',
  'RESOURCE_EXHAUSTED',
  'FAILED_PRECONDITION',
  'ABORTED',
  'OUT_OF_RANGE',
  'UNIMPLEMENTED',
  'INTERNAL',
  'UNAVAILABLE',
  'DATA_LOSS',
  'UNAUTHENTICATED',
];

/** The messages of one direction of a call. They need not keep to the borders of DATA frames. */
export interface Framing {
  /** Begun, whole or not. */
  messages: number;
  compressed: number;
  /** Of the payloads, as announced. */
  bytes: number;
  readonly sizes: number[];
  /** How much of the next message's prefix was seen, and its length so far. */
  prefix: number;
  length: number;
  /** Of the current message's payload still to come. */
  left: number;
}

export function newFraming(): Framing {
  return { messages: 0, compressed: 0, bytes: 0, sizes: [], prefix: 0, length: 0, left: 0 };
}

/** Counts what bytes[from, to) hold of the messages. */
export function frame(framing: Framing, bytes: Uint8Array, from: number, to: number): void {
  let at = from;
  while (at < to) {
    if (framing.left > 0) {
      const passed = Math.min(framing.left, to - at);
      framing.left -= passed;
      at += passed;
    } else if (framing.prefix === 0) {
      framing.compressed += bytes[at++]! & 1;
      framing.prefix = 1;
      framing.length = 0;
    } else {
      framing.length = framing.length * 256 + bytes[at++]!;
      framing.prefix++;
      if (framing.prefix === PREFIX) {
        complete(framing);
      }
    }
  }
}

function complete(framing: Framing): void {
  framing.messages++;
  framing.bytes += framing.length;
  if (framing.sizes.length < SIZES_KEPT) {
    framing.sizes.push(framing.length);
  }
  framing.left = framing.length;
  framing.prefix = 0;
}

/** `application/grpc`, with any `+format`. Not gRPC-Web, which is for HTTP/1 and has its trailers in the body. */
export function isGrpc(contentType: string | null): boolean {
  return contentType !== null && /^application\/grpc(?:$|[+; ])/i.test(contentType);
}

export function grpcStatusName(code: number): string {
  return STATUS_NAMES[code] ?? String(code);
}

/** `/package.Service/Method`; null when the path is something else. */
export function serviceAndMethod(path: string | null): { service: string; method: string } | null {
  const found = /^\/(.+)\/([^/]+)$/.exec(path ?? '');
  return found === null ? null : { service: found[1]!, method: found[2]! };
}

/** The percent-encoding of grpc-message: bytes of UTF-8; what is no escape stands for itself. */
export function percentDecoded(value: string): string {
  if (!value.includes('%')) {
    return value;
  }
  const raw = encoder.encode(value);
  let written = 0;
  for (let i = 0; i < raw.length; i++) {
    let byte = raw[i]!;
    if (byte === 37 && i + 2 < raw.length) {
      const hex = latin1(raw, i + 1, i + 3);
      if (/^[0-9a-f]{2}$/i.test(hex)) {
        byte = Number.parseInt(hex, 16);
        i += 2;
      }
    }
    raw[written++] = byte;
  }
  return text(raw, 0, written);
}

const encoder = new TextEncoder();
