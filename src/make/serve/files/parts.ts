/** Several ranges in one answer: multipart/byteranges (RFC 9110, section 14.6). */
import { randomBytes } from 'node:crypto';
import type { Slice } from './ranges.ts';

export interface Parts {
  readonly type: string;
  /** Of all of it. */
  readonly length: number;
  /** What stands before each slice. */
  readonly heads: readonly Buffer[];
  readonly end: Buffer;
}

export function partsOf(slices: readonly Slice[], size: number, type: string): Parts {
  // Random, so that no file can hold it.
  const boundary = randomBytes(16).toString('hex');
  const heads = slices.map(({ from, to }) =>
    Buffer.from(
      `\r\n--${boundary}\r\nContent-Type: ${type}\r\nContent-Range: bytes ${from}-${to - 1}/${size}\r\n\r\n`,
      'latin1',
    ),
  );
  const end = Buffer.from(`\r\n--${boundary}--\r\n`, 'latin1');
  const length = slices.reduce((sum, { from, to }, i) => sum + to - from + heads[i]!.length, end.length);
  return { type: `multipart/byteranges; boundary=${boundary}`, length, heads, end };
}
