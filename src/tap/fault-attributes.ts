/** Attributes of a fault as text: which one a word means, what its value is, and the way back. */

import { durationNs, rateBytes, shareOf, sizeBytes } from '../session/quantities.ts';
import type { Attribute } from './fault.ts';

/** `delayMs` is written `delay`: the unit is with the number. */
export function shortName(attribute: Attribute): string {
  return (
    attribute.name.replace(attribute.kind === 'rate' ? /Bytes$/ : /(?:Ms|Us|Bytes)$/, '') || attribute.name
  );
}

/** `delayMs` may be written `delay`, `delayMs`, `delay-ms`; several attributes can share a short name (`after`). */
export function attributesNamed(name: string, attributes: readonly Attribute[]): Attribute[] {
  const plain = squash(name);
  const exact = attributes.filter((one) => squash(one.name) === plain);
  return exact.length > 0 ? exact : attributes.filter((one) => squash(shortName(one)) === plain);
}

function squash(name: string): string {
  return name.replace(/[-_]/g, '').toLowerCase();
}

/** Null: no such value. A bare number is in the attribute's own unit. */
export function readValue(attribute: Attribute, text: string): number | string | boolean | null {
  switch (attribute.kind) {
    case 'duration': {
      const unit = unitOf(attribute);
      const ns = durationNs(/[a-zµμ]$/i.test(text) ? text : `${text}${unit}`);
      return ns === null ? null : ns / NANOSECONDS[unit];
    }
    case 'size':
      return sizeBytes(text);
    case 'rate':
      return rateBytes(text);
    case 'count':
      return /^\d{1,15}$/.test(text) ? Number(text) : null;
    case 'share':
      return shareOf(text);
    case 'yes':
      return text === 'yes' || text === 'true' ? true : text === 'no' || text === 'false' ? false : null;
    case 'word':
      return attribute.words === undefined || attribute.words.includes(text) ? text : null;
  }
}

/** Read back, it is the same value. */
export function valueText(attribute: Attribute, value: number | string | boolean): string {
  if (typeof value === 'number') {
    const unit = {
      duration: unitOf(attribute),
      size: 'B',
      rate: 'B/s',
      count: '',
      share: '',
      yes: '',
      word: '',
    };
    return `${value}${unit[attribute.kind]}`;
  }
  return typeof value === 'boolean' ? (value ? 'yes' : 'no') : value;
}

/** What a value of this attribute looks like. */
export function likeThis(attribute: Attribute): string {
  const examples = {
    duration: 'a duration such as 200ms or 1.5s',
    size: 'a size such as 1000B or 10kB',
    rate: 'a rate such as 100kB/s or 8Mbit/s',
    count: 'a whole number',
    share: 'a share such as 10% or 0.1',
    yes: 'yes or no',
    word: attribute.words?.join(', ') ?? 'a word',
  };
  return examples[attribute.kind];
}

const NANOSECONDS = { ms: 1e6, us: 1e3 } as const;

function unitOf(attribute: Attribute): 'ms' | 'us' {
  return attribute.name.endsWith('Us') ? 'us' : 'ms';
}
