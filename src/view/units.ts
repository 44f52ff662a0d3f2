/**
 * Numbers as people read them; every face uses these, so a figure looks the same everywhere.
 * Sizes and rates are decimal (1 kB = 1000 B), as network people count.
 */

/** Narrow no-break space: separates digits and units, never breaks a line, one column wide. */
export const THIN = '\u202f';

const SIZES = ['B', 'kB', 'MB', 'GB', 'TB', 'PB', 'EB'] as const;
const RATES = ['bit/s', 'kbit/s', 'Mbit/s', 'Gbit/s', 'Tbit/s', 'Pbit/s', 'Ebit/s'] as const;

/** At most one decimal, and none once three digits stand before it: `1.2 MB`, `123 MB`. */
function scaled(value: number, units: readonly string[]): string {
  let size = Math.abs(value);
  let unit = 0;
  // 999.5 would print as 1000: it belongs to the next unit.
  while (unit < units.length - 1 && size >= 999.5) {
    size /= 1000;
    unit += 1;
  }
  const digits = unit === 0 || size >= 99.95 ? size.toFixed(0) : size.toFixed(1);
  return `${value < 0 && Number(digits) !== 0 ? '-' : ''}${digits} ${units[unit] ?? ''}`;
}

/** `0 B`, `999 B`, `1.2 MB`. */
export function bytes(value: number): string {
  return Number.isFinite(value) ? scaled(value, SIZES) : '?';
}

/** Bytes per second, as the kernel counts them, shown in bits per second: `125000` is `1.0 Mbit/s`. */
export function rate(bytesPerSecond: number): string {
  return Number.isFinite(bytesPerSecond) ? scaled(bytesPerSecond * 8, RATES) : '?';
}

function pair(total: number, small: number, big: string, little: string): string {
  const rest = total % small;
  return rest === 0
    ? `${(total - rest) / small} ${big}`
    : `${(total - rest) / small} ${big} ${rest} ${little}`;
}

/** Microseconds to the largest sensible unit: `850 µs`, `1.2 ms`, `3.4 s`, `2 m 5 s`, `3 h 12 m`, `2 d 4 h`. */
export function duration(microseconds: number): string {
  if (!Number.isFinite(microseconds)) {
    return '?';
  }
  if (microseconds < 0) {
    return `-${duration(-microseconds)}`;
  }
  if (microseconds < 999.5) {
    return `${microseconds.toFixed(0)} µs`;
  }
  const milliseconds = microseconds / 1000;
  if (milliseconds < 999.5) {
    return `${milliseconds.toFixed(milliseconds >= 99.95 ? 0 : 1)} ms`;
  }
  const seconds = milliseconds / 1000;
  if (seconds < 59.95) {
    return `${seconds.toFixed(1)} s`;
  }
  const whole = Math.round(seconds);
  if (whole < 3600) {
    return pair(whole, 60, 'm', 's');
  }
  const minutes = Math.round(seconds / 60);
  if (minutes < 24 * 60) {
    return pair(minutes, 60, 'h', 'm');
  }
  return pair(Math.round(seconds / 3600), 24, 'd', 'h');
}

/** Whole numbers in groups of three: `100 000`. */
export function count(value: number): string {
  if (!Number.isFinite(value)) {
    return '?';
  }
  const text = Math.abs(Math.round(value)).toLocaleString('en-GB', { maximumFractionDigits: 0 });
  return `${value < 0 && text !== '0' ? '-' : ''}${text.replaceAll(',', THIN)}`;
}

/** `1 socket`, `2 sockets`, `100 000 sockets`. */
export function several(value: number, noun: string, plural = `${noun}s`): string {
  return `${count(value)} ${value === 1 ? noun : plural}`;
}
