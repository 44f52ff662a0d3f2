/**
 * Timestamps of capture files: 64-bit counts of 10^-n or 2^-n seconds. A count of nanoseconds since 1970 needs 61 bits,
 * more than a number holds exactly; so counts stay split into 32-bit halves and are divided 16 bits at a time, where
 * each step stays below 2^53.
 */
export interface Clock {
  binary: boolean;
  exponent: number;
  /** if_tsoffset: added to the seconds. */
  offset: number;
  /** 10^n and 10^(9-n) for decimal clocks up to nanoseconds; for finer ones, what is left after the count is reduced to nanoseconds. */
  divisor: number;
  scale: number;
  /** The time `tell` was last asked for. */
  seconds: number;
  nanoseconds: number;
}

const NANO = 1e9;
const WORD = 0x100000000;

/** `resolution` is if_tsresol: the highest bit chooses between 10^-n and 2^-n. */
export function clockOf(resolution: number, offset: number): Clock {
  const exponent = resolution & 0x7f;
  const digits = Math.min(exponent, 9);
  return {
    binary: resolution > 0x7f,
    exponent,
    offset,
    divisor: 10 ** digits,
    scale: 10 ** (9 - digits),
    seconds: 0,
    nanoseconds: 0,
  };
}

/** Sets `seconds` and `nanoseconds`; what is finer than a nanosecond is cut off. */
export function tell(clock: Clock, high: number, low: number): void {
  if (clock.binary) {
    tellBinary(clock, high, low);
  } else if (clock.exponent > 9) {
    tellFine(clock, high, low);
  } else {
    tellDecimal(clock, high, low);
  }
}

function tellDecimal(clock: Clock, high: number, low: number): void {
  const divisor = clock.divisor;
  let top = 0;
  let rest = high;
  // Not before the year 2106 for nanoseconds.
  if (high >= divisor) {
    top = Math.floor(high / divisor);
    rest = high - top * divisor;
  }
  const upper = rest * 0x10000 + (low >>> 16);
  const middle = Math.floor(upper / divisor);
  const lower = (upper - middle * divisor) * 0x10000 + (low & 0xffff);
  const bottom = Math.floor(lower / divisor);
  clock.seconds = top * WORD + middle * 0x10000 + bottom + clock.offset;
  clock.nanoseconds = (lower - bottom * divisor) * clock.scale;
}

/** Finer than nanoseconds: floor(floor(t / a) / b) is floor(t / ab), so the count is first cut to nanoseconds. */
function tellFine(clock: Clock, high: number, low: number): void {
  let digits = clock.exponent - 9;
  while (digits > 0 && (high > 0 || low > 0)) {
    const step = 10 ** Math.min(digits, 9);
    const top = Math.floor(high / step);
    const upper = (high - top * step) * 0x10000 + (low >>> 16);
    const middle = Math.floor(upper / step);
    const lower = (upper - middle * step) * 0x10000 + (low & 0xffff);
    high = top;
    low = middle * 0x10000 + Math.floor(lower / step);
    digits -= 9;
  }
  tellDecimal(clock, high, low);
}

function tellBinary(clock: Clock, high: number, low: number): void {
  const bits = clock.exponent;
  let seconds = 0;
  // The fraction as a 64-bit fixed point number, its first bit worth half a second.
  let upper = high;
  let lower = low;
  if (bits <= 32) {
    seconds = high * 2 ** (32 - bits) + Math.floor(low / 2 ** bits);
    upper = bits === 0 ? 0 : (low << (32 - bits)) >>> 0;
    lower = 0;
  } else if (bits < 64) {
    const whole = bits - 32;
    seconds = high >>> whole;
    upper = ((high << (32 - whole)) | (low >>> whole)) >>> 0;
    lower = (low << (32 - whole)) >>> 0;
  }
  let carry = Math.floor(((lower & 0xffff) * NANO) / 0x10000);
  carry = Math.floor(((lower >>> 16) * NANO + carry) / 0x10000);
  carry = Math.floor(((upper & 0xffff) * NANO + carry) / 0x10000);
  carry = Math.floor(((upper >>> 16) * NANO + carry) / 0x10000);
  clock.seconds = seconds + clock.offset;
  clock.nanoseconds = bits > 64 ? Math.floor(carry / 2 ** (bits - 64)) : carry;
}
