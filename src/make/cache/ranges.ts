/** `Range: bytes=…` (RFC 9110, section 14.1.2). Several ranges in one request are answered with the whole, which section 14.2 allows. */

export interface Slice {
  readonly from: number;
  /** Not included. */
  readonly to: number;
}

/** `none`: there is nothing to cut. `beyond`: 416. */
export function readRange(text: string | undefined, length: number): Slice | 'none' | 'beyond' {
  const found = /^bytes=\s*(\d*)-(\d*)\s*$/i.exec(text ?? '');
  if (found === null || (found[1] === '' && found[2] === '')) {
    return 'none';
  }
  const [first, last] = [found[1]!, found[2]!];
  if (first === '') {
    const count = Math.min(Number(last), length);
    return count === 0 ? 'beyond' : { from: length - count, to: length };
  }
  const from = Number(first);
  if (last !== '' && Number(last) < from) {
    return 'none';
  }
  return from >= length ? 'beyond' : { from, to: last === '' ? length : Math.min(Number(last) + 1, length) };
}
