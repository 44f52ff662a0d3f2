/** One direction of a WebSocket (RFC 6455 5): frame heads, unmasking, and how far payloads are kept. */

/** Of a message's payload this much is kept; of a compressed one all of it is needed, up to COMPRESSED_KEPT. */
export const PAYLOAD_KEPT = 16_384;
export const COMPRESSED_KEPT = 256 * 1024;

export const Opcode = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

/** What is odd about a message. Bits, in the order of `warningTexts`. */
export const Warn = { unmasked: 1, masked: 2, longLength: 4, cutShort: 8 } as const;
export const warningTexts: readonly string[] = [
  'a client must mask its frames',
  'a server must not mask its frames',
  'the length is not written in the shortest way',
  'the connection ended inside the message',
];

/** What has come of a message, or of a control frame between its fragments. */
export interface Payload {
  kept: Uint8Array;
  keptLength: number;
  limit: number;
  /** The payload's length as far as it has been announced, and all bytes with the frames' heads. */
  length: number;
  bytes: number;
  warnings: number;
}

export interface Lane {
  /** The frame under way; opcode -1: none. */
  opcode: number;
  final: boolean;
  remaining: number;
  masked: boolean;
  readonly mask: Uint8Array;
  maskAt: number;
  into: Payload;
  readonly control: Payload;
  readonly message: Payload;
  /** The opcode of the message under way; -1: none. 0: its beginning was not seen. */
  type: number;
  compressed: boolean;
  frames: number;
  /** The end of what was said before, which compressed messages reach back into. Empty too after some of it was lost. */
  before: Uint8Array;
  readonly takeover: boolean;
  closed: boolean;
}

export function newLane(takeover: boolean): Lane {
  const message = newPayload();
  return {
    opcode: -1,
    final: false,
    remaining: 0,
    masked: false,
    mask: new Uint8Array(4),
    maskAt: 0,
    into: message,
    control: newPayload(),
    message,
    type: -1,
    compressed: false,
    frames: 0,
    before: NOTHING,
    takeover,
    closed: false,
  };
}

const NOTHING = new Uint8Array(0);

function newPayload(): Payload {
  return { kept: NOTHING, keptLength: 0, limit: PAYLOAD_KEPT, length: 0, bytes: 0, warnings: 0 };
}

export function clearPayload(payload: Payload, limit: number): void {
  payload.kept = NOTHING;
  payload.keptLength = 0;
  payload.limit = limit;
  payload.length = 0;
  payload.bytes = 0;
  payload.warnings = 0;
}

/** The length of the head whose first two bytes are at `from`. */
export function headLength(second: number): number {
  const length = second & 127;
  return 2 + (length === 126 ? 2 : length === 127 ? 8 : 0) + (second & 128 ? 4 : 0);
}

/** The payload's length that the head at `from` announces; -1 when it is no number of bytes (RFC 6455 5.2). */
export function payloadLength(bytes: Uint8Array, from: number): number {
  const length = bytes[from + 1]! & 127;
  if (length < 126) {
    return length;
  }
  if (length === 126) {
    return bytes[from + 2]! * 256 + bytes[from + 3]!;
  }
  let high = 0;
  let low = 0;
  for (let i = 2; i < 6; i++) {
    high = high * 256 + bytes[from + i]!;
    low = low * 256 + bytes[from + i + 4]!;
  }
  const value = high * 2 ** 32 + low;
  return Number.isSafeInteger(value) ? value : -1;
}

/** Unmasks bytes[from, to) of the frame under way into its payload, as far as that keeps them. */
export function take(lane: Lane, bytes: Uint8Array, from: number, to: number): void {
  const { into } = lane;
  const length = Math.min(to - from, into.limit - into.keptLength);
  if (length > 0) {
    room(into, length, Math.min(into.limit, into.keptLength + lane.remaining));
    const { kept } = into;
    let at = into.keptLength;
    if (lane.masked) {
      const { mask, maskAt } = lane;
      for (let i = 0; i < length; i++) {
        kept[at++] = bytes[from + i]! ^ mask[(maskAt + i) & 3]!;
      }
    } else {
      kept.set(bytes.subarray(from, from + length), at);
    }
    into.keptLength += length;
  }
  lane.maskAt = (lane.maskAt + to - from) & 3;
  lane.remaining -= to - from;
}

/** `likely` is what the frame asks for in all: taken at once when it is small, grown into when a hostile head promises much. */
function room(into: Payload, length: number, likely: number): void {
  const total = into.keptLength + length;
  if (total <= into.kept.length) {
    return;
  }
  // Only at first: a message of many small frames asks for little more each time.
  const wanted =
    into.kept.length === 0 && likely <= PAYLOAD_KEPT ? likely : Math.max(total, 2 * into.kept.length);
  const larger = new Uint8Array(Math.min(into.limit, Math.max(total, wanted)));
  larger.set(into.kept.subarray(0, into.keptLength));
  into.kept = larger;
}
