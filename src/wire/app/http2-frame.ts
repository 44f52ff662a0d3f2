/** HTTP/2 frames (RFC 9113 sections 4 and 6): numbers, names, and whether bytes look like them. */

export const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
export const FRAME_HEAD = 9;

export const DATA = 0;
export const HEADERS = 1;
export const PRIORITY = 2;
export const RST_STREAM = 3;
export const SETTINGS = 4;
export const PUSH_PROMISE = 5;
export const PING = 6;
export const GOAWAY = 7;
export const WINDOW_UPDATE = 8;
export const CONTINUATION = 9;

/** On DATA and HEADERS; the same bit is ACK on SETTINGS and PING. */
export const END_STREAM = 0x1;
export const ACK = 0x1;
export const END_HEADERS = 0x4;
export const PADDED = 0x8;
export const HAS_PRIORITY = 0x20;

export const HEADER_TABLE_SIZE = 1;
export const MAX_FRAME_SIZE = 5;
export const DEFAULT_MAX_FRAME = 16384;
export const LARGEST_FRAME = 0xffffff;

const SETTING_NAMES: readonly (string | undefined)[] = [
  undefined,
  'header_table_size',
  'enable_push',
  'max_concurrent_streams',
  'initial_window_size',
  'max_frame_size',
  'max_header_list_size',
  undefined,
  // RFC 8441 and RFC 9218.
  'enable_connect_protocol',
  'no_rfc7540_priorities',
];

const ERROR_NAMES: readonly string[] = [
  'NO_ERROR',
  'PROTOCOL_ERROR',
  'INTERNAL_ERROR',
  'FLOW_CONTROL_ERROR',
  'SETTINGS_TIMEOUT',
  'STREAM_CLOSED',
  'FRAME_SIZE_ERROR',
  'REFUSED_STREAM',
  'CANCEL',
  'COMPRESSION_ERROR',
  'CONNECT_ERROR',
  'ENHANCE_YOUR_CALM',
  'INADEQUATE_SECURITY',
  'HTTP_1_1_REQUIRED',
];

// Flags that mean something, by type. Others must be ignored (section 4.1), so they count only for recognising.
const FLAGS: readonly number[] = [0x09, 0x2d, 0, 0, 0x01, 0x0c, 0x01, 0, 0, 0x04];
// Payloads of one size only, by type; 0 for the others.
const SIZES: readonly number[] = [0, 0, 5, 4, 0, 0, 8, 0, 4, 0];

export function settingName(id: number): string {
  return SETTING_NAMES[id] ?? `0x${id.toString(16)}`;
}

export function errorName(code: number): string {
  return ERROR_NAMES[code] ?? `0x${code.toString(16)}`;
}

export function uint32(bytes: Uint8Array, at: number): number {
  return bytes[at]! * 0x1000000 + ((bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!);
}

/** A number of 31 bits; the first bit is reserved and ignored. */
export function uint31(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! & 0x7f) << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
}

export function frameLength(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!;
}

/** What is wrong with a frame by its head alone, or null. */
export function wrongHead(type: number, length: number, stream: number): string | null {
  if (type > CONTINUATION) {
    return null;
  }
  const size = SIZES[type]!;
  if (size !== 0 && length !== size) {
    return `a frame of type ${type} with ${length} bytes`;
  }
  if (type === WINDOW_UPDATE) {
    return null;
  }
  const ofConnection = type === SETTINGS || type === PING || type === GOAWAY;
  if (ofConnection !== (stream === 0)) {
    return `a frame of type ${type} on stream ${stream}`;
  }
  if ((type === SETTINGS && length % 6 !== 0) || (type === GOAWAY && length < 8)) {
    return `a frame of type ${type} with ${length} bytes`;
  }
  return null;
}

/** How many frames in a row bytes[from, to) can be, counting one whose payload is cut off; -1 when they cannot be frames. */
export function framesInSight(bytes: Uint8Array, from: number, to: number): number {
  let count = 0;
  let at = from;
  while (to - at >= FRAME_HEAD && count < 8) {
    const length = frameLength(bytes, at);
    const type = bytes[at + 3]!;
    const reserved = bytes[at + 5]! >= 0x80;
    if (type > CONTINUATION || reserved || (bytes[at + 4]! & ~FLAGS[type]!) !== 0) {
      return -1;
    }
    if (length > DEFAULT_MAX_FRAME || wrongHead(type, length, uint31(bytes, at + 5)) !== null) {
      return -1;
    }
    count++;
    at += FRAME_HEAD + length;
  }
  return count;
}

/** A server's first frame: SETTINGS, not an acknowledgement, with parameters that exist. */
export function startsWithSettings(bytes: Uint8Array, from: number, to: number): boolean {
  if (to - from < FRAME_HEAD || bytes[from + 3] !== SETTINGS || bytes[from + 4] !== 0) {
    return false;
  }
  const length = frameLength(bytes, from);
  if (length % 6 !== 0 || length > 120 || uint32(bytes, from + 5) !== 0) {
    return false;
  }
  const end = Math.min(to, from + FRAME_HEAD + length);
  for (let at = from + FRAME_HEAD; at + 2 <= end; at += 6) {
    // Beyond the named ones only GREASE (0x?a?a) is met in the wild.
    if (bytes[at] !== 0 && (bytes[at]! & 0x0f) !== 0x0a) {
      return false;
    }
  }
  return true;
}
