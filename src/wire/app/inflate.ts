/** Compressed bodies, undone as far as they are shown. Output is bounded whatever the input says. */
import {
  brotliDecompressSync,
  constants,
  gunzipSync,
  inflateRawSync,
  inflateSync,
  type ZlibOptions,
} from 'node:zlib';

export type Inflated =
  /** `size` is the length of all of it, where that is known; otherwise -1. */
  { readonly bytes: Uint8Array; readonly whole: boolean; readonly size: number } | { readonly why: string };

/** Codings one after the other (`gzip, br`): nobody sends more than two. */
const MAX_CODINGS = 3;
/** What one try may put out before it is cut. Deflate makes at most 1032 bytes of one, so this holds nearly every true text. */
const MOST_OUTPUT = 1024 * 1024;
/** One byte of brotli can finish a meta-block, and that is 16 MiB at most (RFC 7932 9.2). */
const ONE_STEP = 16 * 1024 * 1024;

/** The first `limit` bytes of what `bytes` hold; `whole` when that is all, and the input was complete. */
export function inflated(bytes: Uint8Array, encoding: string, limit: number): Inflated {
  const codings = encoding
    .toLowerCase()
    .split(',')
    .map((coding) => coding.trim())
    .filter((coding) => coding !== '' && coding !== 'identity');
  if (codings.length > MAX_CODINGS) {
    return { why: `${codings.length} codings on top of each other` };
  }
  let now = bytes;
  let whole = true;
  for (const coding of codings.reverse()) {
    const result = undone(now, coding, limit);
    if ('why' in result) {
      return result;
    }
    now = result.bytes;
    whole &&= result.whole;
  }
  const size = whole ? now.length : -1;
  return now.length > limit
    ? { bytes: now.subarray(0, limit), whole: false, size }
    : { bytes: now, whole, size };
}

function undone(bytes: Uint8Array, coding: string, limit: number): Inflated {
  switch (coding) {
    case 'gzip':
    case 'x-gzip':
      return bounded(bytes, gunzipSync, constants.Z_SYNC_FLUSH, limit);
    case 'deflate':
      return bounded(bytes, zlibHead(bytes) ? inflateSync : inflateRawSync, constants.Z_SYNC_FLUSH, limit);
    case 'br':
      return bounded(bytes, brotliDecompressSync, constants.BROTLI_OPERATION_FLUSH, limit);
    case 'zstd':
      return { why: 'zstd, which Node 20 cannot undo' };
    default:
      return { why: `the unknown coding ${coding.slice(0, 32)}` };
  }
}

/** `deflate` means the zlib format (RFC 9110 8.4.1.2), and some send raw deflate under that name. RFC 1950 2.2. */
function zlibHead(bytes: Uint8Array): boolean {
  return bytes.length < 2 || ((bytes[0]! & 15) === 8 && (bytes[0]! * 256 + bytes[1]!) % 31 === 0);
}

type Undo = (bytes: Uint8Array, options: ZlibOptions) => Uint8Array;

function bounded(bytes: Uint8Array, undo: Undo, flush: number, limit: number): Inflated {
  const complete = attempt(bytes, undo, {});
  if (complete.bytes !== null) {
    return { bytes: complete.bytes, whole: true, size: complete.bytes.length };
  }
  const partly = attempt(bytes, undo, { finishFlush: flush });
  if (partly.bytes !== null) {
    return { bytes: partly.bytes, whole: false, size: -1 };
  }
  if (partly.code !== 'ERR_BUFFER_TOO_LARGE') {
    return { why: partly.why };
  }
  // Too much output is an exception that takes all of it along. So less input: as much as just fits.
  let fits: Uint8Array = new Uint8Array(0);
  let low = 0;
  let high = bytes.length;
  while (high - low > 1) {
    const middle = (low + high) >>> 1;
    const now = attempt(bytes.subarray(0, middle), undo, { finishFlush: flush });
    if (now.bytes === null) {
      high = middle;
    } else {
      low = middle;
      fits = now.bytes;
    }
  }
  if (fits.length < limit) {
    const step = attempt(bytes.subarray(0, high), undo, { finishFlush: flush }, MOST_OUTPUT + ONE_STEP);
    fits = step.bytes ?? fits;
  }
  return { bytes: fits.slice(0, limit), whole: false, size: -1 };
}

interface Attempt {
  bytes: Uint8Array | null;
  code: string;
  why: string;
}

function attempt(
  bytes: Uint8Array,
  undo: Undo,
  options: ZlibOptions,
  maxOutputLength = MOST_OUTPUT,
): Attempt {
  try {
    return { bytes: undo(bytes, { ...options, maxOutputLength }), code: '', why: '' };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return { bytes: null, code: code ?? '', why: message };
  }
}

const SYNC_TAIL = Uint8Array.of(0, 0, 255, 255);

/**
 * One WebSocket message under permessage-deflate (RFC 7692 7.2.2): raw deflate that ends before a sync marker, and may reach
 * back into `before`, the end of the messages before it. More output than `limit` is an error: the next message would need it.
 */
export function inflatedMessage(bytes: Uint8Array, before: Uint8Array, limit: number): Inflated {
  const input = new Uint8Array(bytes.length + SYNC_TAIL.length);
  input.set(bytes);
  input.set(SYNC_TAIL, bytes.length);
  const options: ZlibOptions = { finishFlush: constants.Z_SYNC_FLUSH, maxOutputLength: limit };
  if (before.length > 0) {
    options.dictionary = before;
  }
  try {
    const output = inflateRawSync(input, options);
    return { bytes: output, whole: true, size: output.length };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return { why: code === 'ERR_BUFFER_TOO_LARGE' ? `more than ${limit} bytes` : message };
  }
}
