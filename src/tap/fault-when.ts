/** What follows `when`: a display filter, and at its end how often and how long it counts. */

import { durationNs } from '../session/quantities.ts';
import { type Token, tokenize } from '../wire/display/tokens.ts';
import type { When } from './fault.ts';
import type { FaultTextError } from './fault-tokens.ts';

/** `start` is where the filter begins in the text. The filter itself is only cut out here; who knows the decoders checks it. */
export function readWhen(text: string, start: number): When | FaultTextError {
  const tokens = tokenize(text.slice(start));
  if (!Array.isArray(tokens)) {
    return { why: tokens.message, at: start + tokens.at, length: tokens.length };
  }
  let count = tokens.length - 1;
  const found: { nth?: number; every?: number; lasts?: number } = {};
  while (count >= 2) {
    const name: Token = tokens[count - 2]!;
    const value: Token = tokens[count - 1]!;
    if (name.kind !== 'word' || value.kind !== 'word' || !/^(?:nth|every|for)$/.test(name.text)) {
      break;
    }
    const wrong = (why: string): FaultTextError => ({
      why,
      at: start + name.at,
      length: value.end - name.at,
    });
    const key = name.text === 'for' ? 'lasts' : (name.text as 'nth' | 'every');
    const number = key === 'lasts' ? durationNs(value.text) : wholeNumber(value.text);
    if (number === null || number <= 0) {
      return wrong(key === 'lasts' ? 'for wants a duration such as 10s' : `${key} wants a number from 1`);
    }
    if (found[key] !== undefined) {
      return wrong(`${name.text} is there twice`);
    }
    found[key] = number;
    if (found.nth !== undefined && found.every !== undefined) {
      return wrong('nth is one match and every is many: only one of them');
    }
    count -= 2;
  }
  if (count === 0) {
    return { why: 'when wants a filter, such as redis.command == "SET"', at: start, length: 1 };
  }
  return { filter: text.slice(start + tokens[0]!.at, start + tokens[count - 1]!.end), ...found };
}

function wholeNumber(text: string): number | null {
  return /^\d{1,15}$/.test(text) ? Number(text) : null;
}
