/** One comparison of a display filter: the value as typed, and whether what was found satisfies it. */
import { parseIpv4, parseIpv6 } from '../net/address.ts';
import type { Kind } from './packet-fields.ts';
import type { Found } from './subject.ts';

export type Operator = '==' | '!=' | '>' | '>=' | '<' | '<=' | 'contains' | '~';

export type Check = (found: Found) => boolean;

const DURATIONS: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  '': 1e9,
};
const SIZES: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  k: 1e3,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  kib: 1024,
  mib: 1 << 20,
  gib: 1 << 30,
};

/** What a value must look like, in words for the message; or the check. */
export type Made = Check | { readonly wanted: string };

const ordered = (operator: Operator): operator is '>' | '>=' | '<' | '<=' => /^[<>]/.test(operator);

export function compare(kind: Kind | 'any', operator: Operator, value: string, quoted: boolean): Made {
  if (operator === '~') {
    return matching(value, quoted);
  }
  if (operator === 'contains') {
    return any((one) => one !== null && textOf(one).includes(value));
  }
  switch (kind) {
    case 'number':
      return numeric(operator, numberOf(value), 'a number');
    case 'duration':
      return numeric(operator, durationOf(value), 'a duration such as 20ms or 1.5s');
    case 'yes':
      return truth(operator, value);
    case 'address':
      return addressed(operator, value);
    case 'text':
      return ordered(operator)
        ? { wanted: '== or != or contains: this is a text' }
        : equality(operator, (one) => textOf(one) === value);
    case 'any':
      return anyKind(operator, value, quoted);
  }
}

/** Fields of messages have the type that the message gives them: a number is compared as one, all else as text. */
function anyKind(operator: Operator, value: string, quoted: boolean): Made {
  const wanted = quoted ? null : numberOf(value);
  if (ordered(operator)) {
    return wanted === null
      ? { wanted: 'a number' }
      : any((one) => {
          const found = numberFound(one);
          return found !== null && holds(operator, found, wanted);
        });
  }
  const truthy = !quoted && /^(true|false)$/i.test(value) ? value.toLowerCase() === 'true' : null;
  return equality(operator, (one) => {
    if (typeof one === 'boolean') {
      return one === (truthy ?? (wanted === 1 ? true : wanted === 0 ? false : null));
    }
    return textOf(one) === value || (wanted !== null && numberFound(one) === wanted);
  });
}

/** `"user:*"`: nothing in it but the star belongs to regular expressions, and no `.` stands before a star. */
function isGlob(value: string): boolean {
  return value.includes('*') && !/[\^$+()[\]{}|\\]|\.\*/.test(value);
}

/** The whole text, in any case: `*` is any characters, `?` is one. */
function globbed(value: string): RegExp {
  const parts = value.replace(/[.]/g, '\\.').replaceAll('?', '[^]').split(/\*+/);
  return new RegExp(`^${parts.join('[^]*')}$`, 'i');
}

function matching(value: string, quoted: boolean): Made {
  let pattern: RegExp;
  try {
    pattern = quoted && isGlob(value) ? globbed(value) : new RegExp(value, 'i');
  } catch {
    return { wanted: 'a regular expression' };
  }
  return any((one) => one !== null && pattern.test(textOf(one)));
}

function numeric(operator: Operator, wanted: number | null, words: string): Made {
  if (wanted === null) {
    return { wanted: words };
  }
  return ordered(operator)
    ? any((one) => {
        const found = numberFound(one);
        return found !== null && holds(operator, found, wanted);
      })
    : equality(operator, (one) => numberFound(one) === wanted);
}

function truth(operator: Operator, value: string): Made {
  const wanted = /^(1|true|yes|set)$/i.test(value)
    ? true
    : /^(0|false|no|unset)$/i.test(value)
      ? false
      : null;
  if (wanted === null || ordered(operator)) {
    return { wanted: '== 1 or == 0: it is there or not' };
  }
  return equality(operator, (one) => one === wanted);
}

function addressed(operator: Operator, value: string): Made {
  const [base = '', length] = value.split('/');
  const bytes = parseIpv4(base) ?? parseIpv6(base.replace(/^\[|\]$/g, ''));
  const bits =
    length === undefined ? (bytes?.length ?? 0) * 8 : /^\d{1,3}$/.test(length) ? Number(length) : -1;
  if (bytes === null || ordered(operator) || bits < 0 || bits > bytes.length * 8) {
    return { wanted: 'an address such as 10.0.0.1, 10.0.0.0/8 or ::1' };
  }
  return equality(operator, (one) => {
    const found = typeof one === 'string' ? (parseIpv4(one) ?? parseIpv6(one)) : null;
    return found !== null && found.length === bytes.length && samePrefix(found, bytes, bits);
  });
}

function samePrefix(a: Uint8Array, b: Uint8Array, bits: number): boolean {
  for (let i = 0; i < bits; i += 8) {
    const mask = bits - i >= 8 ? 0xff : (0xff00 >> (bits - i)) & 0xff;
    if ((a[i >> 3]! & mask) !== (b[i >> 3]! & mask)) {
      return false;
    }
  }
  return true;
}

type One = string | number | bigint | boolean | null;

/** `!=` holds when the field is there and none of its values is equal. */
function equality(operator: Operator, equal: (one: One) => boolean): Check {
  const check = any(equal);
  return operator === '!=' ? (found) => found !== undefined && !check(found) : check;
}

function any(test: (one: One) => boolean): Check {
  const check: Check = (found) => {
    if (found === undefined) {
      return false;
    }
    if (typeof found !== 'object' || found === null) {
      return test(found);
    }
    return Object.values(found).some((inner) => check(inner as Found));
  };
  return check;
}

function holds(operator: '>' | '>=' | '<' | '<=', found: number, wanted: number): boolean {
  switch (operator) {
    case '>':
      return found > wanted;
    case '>=':
      return found >= wanted;
    case '<':
      return found < wanted;
    case '<=':
      return found <= wanted;
  }
}

function numberFound(one: One): number | null {
  switch (typeof one) {
    case 'number':
      return one;
    case 'bigint':
    case 'boolean':
      return Number(one);
    case 'string':
      return one.trim() !== '' && Number.isFinite(Number(one)) ? Number(one) : null;
    default:
      return null;
  }
}

function textOf(one: One): string {
  return one === null ? '' : String(one);
}

function numberOf(text: string): number | null {
  if (/^0x[0-9a-f]+$/i.test(text)) {
    return Number.parseInt(text, 16);
  }
  const found = /^(-?\d+(?:\.\d+)?)([a-z]*)$/i.exec(text);
  const unit = found === null ? undefined : SIZES[found[2]!.toLowerCase()];
  return found === null || unit === undefined ? null : Number(found[1]) * unit;
}

function durationOf(text: string): number | null {
  const found = /^(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|)$/.exec(text);
  return found === null ? null : Number(found[1]) * DURATIONS[found[2]!]!;
}
