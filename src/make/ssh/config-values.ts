/** Values of ssh_config(5). `null`: that is not one. */
import type { Kind } from './config-keywords.ts';

const YES = ['yes', 'true'];
const NO = ['no', 'false'];

export function yesNo(text: string): boolean | null {
  const low = text.toLowerCase();
  return YES.includes(low) ? true : NO.includes(low) ? false : null;
}

const SECONDS: Readonly<Record<string, number>> = { '': 1, s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };
const MOST_SECONDS = 2 ** 31 - 1;

/** `30`, `1m30s`. `none` is 0. */
export function seconds(text: string): number | null {
  if (text.toLowerCase() === 'none') {
    return 0;
  }
  if (!/^(\d+[smhdw]?)+$/i.test(text) || text.length > 64) {
    return null;
  }
  let sum = 0;
  for (const [, number, unit] of text.matchAll(/(\d+)([smhdw]?)/gi)) {
    sum += Number(number) * SECONDS[unit!.toLowerCase()]!;
  }
  return sum <= MOST_SECONDS ? sum : null;
}

export function port(text: string): number | null {
  const number = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  return number >= 1 && number <= 65_535 ? number : null;
}

export type Strict = 'yes' | 'ask' | 'accept-new' | 'no';

export function strict(text: string): Strict | null {
  const low = text.toLowerCase();
  if (low === 'ask' || low === 'accept-new') {
    return low;
  }
  const said = low === 'off' ? false : yesNo(low);
  return said === null ? null : said ? 'yes' : 'no';
}

export function family(text: string): 0 | 4 | 6 | null {
  const low = text.toLowerCase();
  return low === 'any' ? 0 : low === 'inet' ? 4 : low === 'inet6' ? 6 : null;
}

/** What is wrong with the words behind a keyword; null: nothing. */
export function fault(kind: Kind, args: readonly string[]): string | null {
  const [first] = args;
  if (first === undefined || (first === '' && kind !== 'words')) {
    return 'needs a value';
  }
  if (kind === 'words' || kind === 'rest') {
    return null;
  }
  if (args.length > 1) {
    return `takes one value; "${args[1]}" is one too many`;
  }
  switch (kind) {
    case 'yes-no':
      return yesNo(first) === null ? `is yes or no, not "${first}"` : null;
    case 'seconds':
      return seconds(first) === null ? `is a time such as 30 or 1m30s, not "${first}"` : null;
    case 'number':
      return /^\d{1,9}$/.test(first) ? null : `is a number, not "${first}"`;
    case 'port':
      return port(first) === null ? `is a port from 1 to 65535, not "${first}"` : null;
    case 'strict':
      return strict(first) === null ? `is yes, no, ask or accept-new, not "${first}"` : null;
    case 'family':
      return family(first) === null ? `is any, inet or inet6, not "${first}"` : null;
    default:
      return null;
  }
}
