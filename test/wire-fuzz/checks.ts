/** What holds of every message, whatever bytes it was made of. */
import type { Decoder } from '../../src/wire/app/decoder.ts';
import { masked } from '../../src/wire/app/mask.ts';
import type { Spoken } from '../../src/wire/conversation.ts';
import type { Value, Values } from '../../src/wire/value.ts';

const LONGEST_NAME = 64;
const LONGEST_SUMMARY = 300;
/** 16 KiB of text, and what says that it was cut. */
const LONGEST_TEXT = 16_384 + 64;
const DEEPEST = 200;
const MOST_VALUES = 100_000;
/** Shorter secrets are found by chance. */
const SHORTEST_SECRET = 8;
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
const CONTROL = /[\0-\x1f\x7f-\x9f\u2028\u2029]/;

export class Broken extends Error {}

export function broken(why: string): never {
  throw new Broken(why);
}

const known = new Map<Decoder, Map<string, { names: Set<string>; starts: string[] }>>();

/** `inInput`: how often a text is in what the conversation was fed; null when nobody knows. */
export function checkMessage({ message, decoder }: Spoken, inInput: ((text: string) => number) | null): void {
  const who = `${decoder.name} ${message.kind} ${JSON.stringify(message.name.slice(0, 80))}`;
  if (!Number.isSafeInteger(message.bytes) || message.bytes < 0) {
    broken(`${who}: ${message.bytes} bytes`);
  }
  if (message.name.length > LONGEST_NAME || CONTROL.test(message.name)) {
    broken(`${who}: a name of ${message.name.length} characters, or with control characters`);
  }
  if (message.kind !== 'request' && message.kind !== 'reply' && message.kind !== 'notice') {
    broken(`${who}: kind ${message.kind}`);
  }
  const fields = message.fields();
  checkNames(decoder, message.protocol, fields, who);
  budget = MOST_VALUES;
  for (const name in fields) {
    plain(fields[name]!, 0, `${who}: ${name}`);
  }
  const shown = masked(fields, decoder.secrets);
  const summary = decoder.summary(message, shown);
  if (summary.length > LONGEST_SUMMARY || CONTROL.test(summary)) {
    broken(`${who}: summary of ${summary.length} characters ${JSON.stringify(summary.slice(0, 400))}`);
  }
  if (message.brief !== undefined) {
    const brief = decoder.summary(message, masked(message.brief(), decoder.secrets));
    if (brief !== summary) {
      broken(`${who}: briefly ${JSON.stringify(brief)}, otherwise ${JSON.stringify(summary)}`);
    }
  }
  if (inInput !== null && shown !== fields) {
    checkSecrets(fields, shown, summary, message.name, who, inInput);
  }
}

let budget = 0;

function plain(value: Value | undefined, depth: number, who: string): void {
  if (--budget < 0 || depth > DEEPEST) {
    broken(`${who}: too many values, or too deep`);
  }
  switch (typeof value) {
    case 'string':
      if (value.length > LONGEST_TEXT) {
        broken(`${who}: a text of ${value.length} characters`);
      }
      return;
    case 'boolean':
    case 'number':
    case 'bigint':
      return;
    case 'object': {
      if (value === null) {
        return;
      }
      if (Array.isArray(value)) {
        for (const inner of value) {
          plain(inner, depth + 1, who);
        }
        return;
      }
      const kind = Object.getPrototypeOf(value);
      if (kind !== Object.prototype && kind !== null) {
        broken(`${who}: a ${kind.constructor.name} is no plain value`);
      }
      for (const [name, inner] of Object.entries(value)) {
        plain(name, depth, who);
        plain(inner, depth + 1, who);
      }
      return;
    }
    default:
      broken(`${who}: ${typeof value} is no plain value`);
  }
}

function checkNames(decoder: Decoder, protocol: string, fields: Values, who: string): void {
  let words = known.get(decoder);
  if (words === undefined) {
    words = new Map();
    for (const [name, list] of Object.entries(decoder.speaks)) {
      const starts = list.filter((one) => one.endsWith('*')).map((one) => one.slice(0, -1));
      words.set(name, { names: new Set(list), starts });
    }
    known.set(decoder, words);
  }
  const spoken = words.get(protocol) ?? broken(`${who}: does not say that it speaks ${protocol}`);
  for (const name in fields) {
    if (!spoken.names.has(name) && !spoken.starts.some((start) => name.startsWith(start))) {
      broken(`${who}: does not say that it speaks ${protocol}.${JSON.stringify(name)}`);
    }
  }
}

/** A secret that was said once must be in its own field only. */
function checkSecrets(
  fields: Values,
  shown: Values,
  summary: string,
  called: string,
  who: string,
  inInput: (text: string) => number,
): void {
  for (const name in fields) {
    if (fields[name] === shown[name]) {
      continue;
    }
    for (const secret of texts(fields[name]!)) {
      if (secret.length < SHORTEST_SECRET) {
        continue;
      }
      const place = summary.includes(secret)
        ? 'the summary'
        : called.includes(secret)
          ? 'the name'
          : Object.keys(shown).find((one) => texts(shown[one]!).some((text) => text.includes(secret)));
      if (place !== undefined && inInput(secret) < 2) {
        broken(`${who}: the secret ${name} ${JSON.stringify(secret.slice(0, 100))} is in ${place} too`);
      }
    }
  }
}

function texts(value: Value): string[] {
  if (typeof value === 'string') {
    return [value];
  }
  return typeof value === 'object' && value !== null
    ? Object.values(value).flatMap((inner) => texts(inner))
    : [];
}
