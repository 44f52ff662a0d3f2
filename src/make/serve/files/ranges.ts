/** `Range: bytes=…` with one range or several (RFC 9110, section 14). */

export interface Slice {
  readonly from: number;
  /** Not included. */
  readonly to: number;
}

/** More of them in one request is an attack or a mistake (section 14.2), and the whole is the answer. */
const MOST = 64;
const SPEC = /^(\d*)-(\d*)$/;

/** `whole`: there is nothing to cut, or what is asked for cannot be read. `beyond`: 416. */
export function readRanges(text: string | undefined, size: number): readonly Slice[] | 'whole' | 'beyond' {
  const [, list] = /^bytes[ \t]*=(.*)$/is.exec(text ?? '') ?? [];
  if (list === undefined) {
    return 'whole';
  }
  const slices: Slice[] = [];
  let seen = 0;
  let total = 0;
  for (const one of list.split(',', MOST + 2)) {
    const spec = one.trim();
    if (spec === '') {
      // Lists may have empty places (section 5.6.1).
      continue;
    }
    seen++;
    const slice = sliceOf(spec, size);
    if (slice === null || seen > MOST) {
      return 'whole';
    }
    if (slice.to > slice.from) {
      slices.push(slice);
      total += slice.to - slice.from;
    }
  }
  if (seen === 0) {
    return 'whole';
  }
  if (slices.length === 0) {
    return 'beyond';
  }
  // Overlaps would make the answer longer than the file.
  return total > size ? 'whole' : slices;
}

/** Empty when it lies beyond the end. Null for what is no range. */
function sliceOf(spec: string, size: number): Slice | null {
  const found = SPEC.exec(spec);
  if (found === null || spec === '-') {
    return null;
  }
  const [, first = '', last = ''] = found;
  if (first === '') {
    return { from: Math.max(0, size - Number(last)), to: size };
  }
  const from = Number(first);
  if (last === '') {
    return { from: Math.min(from, size), to: size };
  }
  if (Number(last) < from) {
    return null;
  }
  return { from: Math.min(from, size), to: Math.min(Number(last) + 1, size) };
}
