/** Where in a JSON text something is. JSON.parse does not say, so this walks the text again, and only after a refusal. */

export interface JsonFault {
  readonly at: number;
  readonly expected: string;
}

type Step = 'value' | 'value or ]' | 'name' | 'name or }' | ':' | ', or ]' | ', or }' | 'the end';

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const SPACE = /[ \t\n\r]*/y;
const ESCAPE = /\\(?:["\\/bfnrt]|u[\da-fA-F]{4})/y;

function matchEnd(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : at;
}

/** The index after a string's closing quote, or the fault. */
function stringEnd(text: string, start: number): number | JsonFault {
  let at = start + 1;
  while (at < text.length) {
    const unit = text.charCodeAt(at);
    if (unit === 0x22) {
      return at + 1;
    }
    if (unit < 0x20) {
      return { at, expected: 'an escape instead of a control character' };
    }
    const next = unit === 0x5c ? matchEnd(ESCAPE, text, at) : at + 1;
    if (next === at) {
      return { at, expected: 'an escape sequence' };
    }
    at = next;
  }
  return { at, expected: 'the end of a string' };
}

function scalarEnd(text: string, at: number, expected: string): number | JsonFault {
  if (text[at] === '"') {
    return stringEnd(text, at);
  }
  const word = ['true', 'false', 'null'].find((literal) => text.startsWith(literal, at));
  const end = word === undefined ? matchEnd(NUMBER, text, at) : at + word.length;
  return end > at ? end : { at, expected };
}

/** Calls `onValue` at the start of every value with the path that leads to it; returns the first fault of syntax. */
function walk(
  text: string,
  onValue: (path: readonly (string | number)[], at: number) => void,
): JsonFault | null {
  const path: (string | number)[] = [];
  let step: Step = 'value';
  const after = (): Step => {
    const key = path.at(-1);
    return key === undefined ? 'the end' : typeof key === 'number' ? ', or ]' : ', or }';
  };
  for (let at = matchEnd(SPACE, text, 0); ; at = matchEnd(SPACE, text, at)) {
    const unit = text[at];
    if (unit === undefined) {
      return step === 'the end' ? null : { at, expected: step };
    }
    const opens = step.startsWith('value') && !(step === 'value or ]' && unit === ']');
    if (opens) {
      onValue(path, at);
    }
    if (opens && (unit === '{' || unit === '[')) {
      path.push(unit === '{' ? '' : 0);
      step = unit === '{' ? 'name or }' : 'value or ]';
      at += 1;
    } else if (opens) {
      const end = scalarEnd(text, at, step);
      if (typeof end !== 'number') {
        return end;
      }
      at = end;
      step = after();
    } else if (step.startsWith('name') && unit === '"') {
      const end = stringEnd(text, at);
      if (typeof end !== 'number') {
        return end;
      }
      path[path.length - 1] = String(JSON.parse(text.slice(at, end)));
      at = end;
      step = ':';
    } else if (step.includes(unit) && unit !== ' ' && /[:,\]}]/.test(unit)) {
      at += 1;
      if (unit === ':') {
        step = 'value';
      } else if (unit === ',') {
        const key = path[path.length - 1];
        step = typeof key === 'number' ? 'value' : 'name';
        path[path.length - 1] = typeof key === 'number' ? key + 1 : '';
      } else {
        path.pop();
        step = after();
      }
    } else {
      return { at, expected: step };
    }
  }
}

/** The first fault of syntax, or null for valid JSON. */
export function syntaxFault(text: string): JsonFault | null {
  return walk(text, () => undefined);
}

/** Where the value at `path` begins; where it is missing, where the innermost container begins that is there. */
export function offsetOf(text: string, path: readonly (string | number)[]): number {
  let best = 0;
  let depth = 0;
  walk(text, (here, at) => {
    // A repeated name counts where it comes last, as it does for JSON.parse.
    if (here.length >= depth && here.length <= path.length && here.every((key, i) => key === path[i])) {
      best = at;
      depth = here.length;
    }
  });
  return best;
}
