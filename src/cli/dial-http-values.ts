/** What stands behind an option: numbers, times, files. */
import { readFileSync } from 'node:fs';
import { SockscopeError } from '../errors.ts';
import { durationNs } from '../session/quantities.ts';

export function usage(message: string, hint: string): SockscopeError {
  return new SockscopeError('HTTP_USAGE', message, hint, 2);
}

export function whole(option: string, text: string, least: number, most: number): number {
  const value = /^\d{1,7}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= least && value <= most)) {
    throw usage(`${option} ${text} cannot be.`, `It is a number from ${least} to ${most}.`);
  }
  return value;
}

export function timeOf(option: string, text: string | undefined): number | null {
  if (text === undefined) {
    return null;
  }
  const ns = durationNs(text);
  if (ns === null || ns <= 0) {
    throw usage(`${option} ${text} is no time to wait.`, 'Write it like 500ms or 2s.');
  }
  return ns;
}

export function fileText(option: string, path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw usage(
      `${option} ${path} cannot be read (${(error as NodeJS.ErrnoException).code}).`,
      'Look at the path, and whether you may read it.',
    );
  }
}
