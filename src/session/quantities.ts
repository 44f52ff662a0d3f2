/** Durations, sizes, rates and shares as people write them. `null`: that is not one. */

const NUMBER = /^(\d+(?:\.\d+)?|\.\d+)(?:e([+-]?\d{1,3}))?/i;

const NANOSECONDS: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  μs: 1e3,
  ms: 1e6,
  s: 1e9,
  sec: 1e9,
  m: 60e9,
  min: 60e9,
  h: 3600e9,
};

/** Decimal as in `kB/s` everywhere on the network; the binary ones have their own spelling. */
const BYTES: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  k: 1e3,
  kb: 1e3,
  ki: 1024,
  kib: 1024,
  m: 1e6,
  mb: 1e6,
  mi: 1024 ** 2,
  mib: 1024 ** 2,
  g: 1e9,
  gb: 1e9,
  gi: 1024 ** 3,
  gib: 1024 ** 3,
};

const BITS: Readonly<Record<string, number>> = { bit: 1, kbit: 1e3, mbit: 1e6, gbit: 1e9 };

/** `200ms`, `1.5s`, `2m`. A unit is needed, except for 0. */
export function durationNs(text: string): number | null {
  const parts = split(text);
  if (parts === null) {
    return null;
  }
  if (parts.unit === '') {
    return parts.number === 0 ? 0 : null;
  }
  const unit = of(NANOSECONDS, parts.unit);
  return unit === null ? null : finite(Math.round(parts.number * unit));
}

/** `1000`, `1000B`, `10kB`, `64KiB`, `1MB`. */
export function sizeBytes(text: string): number | null {
  const parts = split(text);
  const unit = parts === null ? null : of(BYTES, parts.unit.toLowerCase());
  return parts === null || unit === null ? null : finite(Math.round(parts.number * unit));
}

/** `100kB/s`, `1MB`, `8Mbit/s`: bytes per second. */
export function rateBytes(text: string): number | null {
  const plain = text.replace(/\/s$/i, '');
  const parts = split(plain);
  const bits = parts === null ? null : of(BITS, parts.unit.toLowerCase());
  return parts === null || bits === null ? sizeBytes(plain) : finite((parts.number * bits) / 8);
}

/** `50%` or `0.5`: 0 to 1. */
export function shareOf(text: string): number | null {
  const parts = split(text);
  if (parts === null || (parts.unit !== '' && parts.unit !== '%')) {
    return null;
  }
  const share = parts.unit === '%' ? parts.number / 100 : parts.number;
  return share <= 1 ? share : null;
}

/** The shortest text that `durationNs` reads as the same number. */
export function durationText(ns: number): string {
  for (const unit of ['h', 'm', 's', 'ms', 'us'] as const) {
    const size = NANOSECONDS[unit]!;
    if (ns >= size && ns % size === 0) {
      return `${ns / size}${unit}`;
    }
  }
  return ns === 0 ? '0' : `${ns}ns`;
}

function split(text: string): { readonly number: number; readonly unit: string } | null {
  const found = NUMBER.exec(text);
  if (found === null) {
    return null;
  }
  const number = finite(Number(found[0]));
  return number === null ? null : { number, unit: text.slice(found[0].length) };
}

function of(units: Readonly<Record<string, number>>, unit: string): number | null {
  return Object.hasOwn(units, unit) ? units[unit]! : null;
}

function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}
