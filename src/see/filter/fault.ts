/** A filter that could not be read: where, why, and what could have stood there. A value on the way, an error only for the person. */
import { SockscopeError } from '../../errors.ts';

export interface Fault {
  /** First character of the fault within the filter's text; the text's length when something is missing at the end. */
  at: number;
  length: number;
  message: string;
  expected: readonly string[];
}

export type Parsed<T> = T | { fault: Fault };

export function fault(
  at: number,
  length: number,
  message: string,
  expected: readonly string[],
): { fault: Fault } {
  return { fault: { at, length, message, expected } };
}

export function isFault<T extends object>(value: Parsed<T>): value is { fault: Fault } {
  return 'fault' in value;
}

export interface Refusal {
  ok: false;
  at: number;
  length: number;
  /** The whole filter as one line. */
  text: string;
  message: string;
  expected: string[];
}

const BEFORE_FAULT = 50;
const SHOWN = 100;

/** The words nearest to what was typed come first. */
export function nearestFirst(typed: string, words: readonly string[]): string[] {
  const same = (word: string): number => {
    let i = 0;
    while (i < word.length && word[i] === typed[i]?.toLowerCase()) {
      i++;
    }
    return i;
  };
  return [...words].sort((a, b) => same(b) - same(a));
}

export function filterError(refusal: Refusal): SockscopeError {
  const { at, message, expected } = refusal;
  const from = at > BEFORE_FAULT ? at - BEFORE_FAULT : 0;
  const head = from > 0 ? '…' : '';
  const tail = from + SHOWN < refusal.text.length ? '…' : '';
  // A caret under the right character needs every character to be one column: controls become spaces.
  const shown = refusal.text.slice(from, from + SHOWN).replace(/[\p{Cc}\p{Zl}\p{Zp}]/gu, ' ');
  const room = Math.max(1, shown.length - (at - from));
  const carets = '^'.repeat(Math.max(1, Math.min(refusal.length, room)));
  return new SockscopeError(
    'FILTER',
    `${message}\n  ${head}${shown}${tail}\n  ${' '.repeat(head.length + at - from)}${carets}`,
    `Possible here: ${expected.join(', ')}.`,
    2,
  );
}
