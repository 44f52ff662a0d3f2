/**
 * The language of `--fault`: `FAULT [ARG…] [up|down|both] [N%|toxicity N] [client ADDR[/LEN]] [connection N|N-M|N-] [at T] [for T]
 * [name=NAME] [when FILTER [nth N|every N] [for T]]`, in nearly any order. An ARG is `name=value`, `name value`, or a bare value.
 */
import type { Attribute, Fault, PlannedFault, When } from './fault.ts';
import { attributesNamed, likeThis, readValue, shortName } from './fault-attributes.ts';
import {
  CLAUSES,
  type Draft,
  isClause,
  once,
  readClause,
  STREAMS,
  type Value,
  wrong,
} from './fault-clauses.ts';
import { faultWritten, isMessageFault, unknownFault, usualName, usualStream } from './fault-names.ts';
import { type FaultTextError, readWords, type Token } from './fault-tokens.ts';
import { readWhen } from './fault-when.ts';

export type { FaultTextError } from './fault-tokens.ts';
export { faultText } from './fault-write.ts';

/** The name is `<fault>_<direction>` unless the text gives one; the caller makes it unique on its tap. */
export function readFault(text: string): PlannedFault | FaultTextError {
  const read = readWords(text);
  if ('why' in read) {
    return read;
  }
  const [first, ...rest] = read.words;
  if (first === undefined) {
    return { why: 'a fault begins with its name, such as latency', at: 0, length: 1 };
  }
  const fault = faultWritten(first.text);
  if (fault === undefined) {
    return wrong(first, unknownFault(first.text));
  }
  const when = read.whenAt < 0 ? null : readWhen(text, read.whenAt + 'when'.length);
  if (when !== null && 'why' in when) {
    return when;
  }
  const misplaced = whenError(fault, when);
  if (misplaced !== null) {
    return wrong(first, misplaced);
  }
  const draft: Draft = { fault, attributes: {}, clauses: {} };
  const words =
    fault.name === 'reply'
      ? readReply(text.slice(0, read.whenAt < 0 ? text.length : read.whenAt), rest, draft)
      : rest;
  const failed = 'why' in words ? words : readAll(words, draft);
  return failed ?? finish(draft, when, first);
}

function whenError(fault: Fault, when: When | null): string | null {
  if (when === null && isMessageFault(fault)) {
    return `${fault.name} acts on a message, so it needs a when: ${fault.name}${fault.name === 'reply' ? ' http 503' : ''} when http.path ~ "/pay*"`;
  }
  if (when !== null && fault.stream === undefined && fault.datagram === undefined && !isMessageFault(fault)) {
    return `${fault.name} happens before the first message, so it cannot wait for one: leave out the when`;
  }
  return null;
}

/** `PROTOCOL TEXT`: quoted, the text ends at its quote; otherwise it is all that follows. */
function readReply(head: string, words: readonly Token[], draft: Draft): readonly Token[] | FaultTextError {
  const [protocol, text] = words;
  if (protocol === undefined || text === undefined) {
    const at = head.trimEnd().length;
    return { why: 'reply wants a protocol and what to say: reply redis -ERR no', at, length: 1 };
  }
  draft.attributes.protocol = protocol.text;
  draft.attributes.text = text.quoted ? text.text : head.slice(text.at).trimEnd();
  return text.quoted ? words.slice(2) : [];
}

function readAll(words: readonly Token[], draft: Draft): FaultTextError | null {
  for (let i = 0; i < words.length; ) {
    const taken = readOne(words[i]!, words[i + 1], draft);
    if (typeof taken !== 'number') {
      return taken;
    }
    i += taken;
  }
  return null;
}

/** How many words were taken. */
function readOne(word: Token, next: Token | undefined, draft: Draft): number | FaultTextError {
  const equals = word.quoted ? -1 : word.text.indexOf('=');
  if (equals > 0) {
    return readNamed(
      word,
      word.text.slice(0, equals),
      { ...word, text: word.text.slice(equals + 1) },
      draft,
      1,
    );
  }
  const stream = Object.hasOwn(STREAMS, word.text) ? STREAMS[word.text] : undefined;
  if (stream !== undefined) {
    const twice = once(draft.clauses.stream, word);
    draft.clauses.stream = stream;
    return twice ?? 1;
  }
  const named = attributesNamed(word.text, draft.fault.attributes);
  if (named.some(({ kind }) => kind === 'yes') && !isYesOrNo(next)) {
    return setAttribute(named, { ...word, text: 'yes' }, draft, 1);
  }
  if (named.length > 0 || isClause(word.text)) {
    if (next === undefined) {
      return wrong(word, `${word.text} wants a value`);
    }
    return readNamed(word, word.text, next, draft, 2);
  }
  return readBare(word, draft);
}

function readNamed(
  word: Token,
  name: string,
  value: Token,
  draft: Draft,
  taken: number,
): number | FaultTextError {
  const named = attributesNamed(name, draft.fault.attributes);
  // `reset at accept` is an attribute, `reset at 5s` a time.
  if (isClause(name) && !named.some((one) => readValue(one, value.text) !== null)) {
    return readClause(name, value, draft) ?? taken;
  }
  if (named.length > 0) {
    return setAttribute(named, value, draft, taken);
  }
  const has = draft.fault.attributes.map(shortName);
  const knows = has.length === 0 ? 'has no attributes' : `has: ${[...new Set(has)].join(', ')}`;
  return wrong(word, `${draft.fault.name} has no attribute ${name}; it ${knows}`);
}

function setAttribute(
  named: readonly Attribute[],
  value: Token,
  draft: Draft,
  taken: number,
): number | FaultTextError {
  for (const attribute of named) {
    const read = readValue(attribute, value.text);
    if (read !== null) {
      const twice = once(draft.attributes[attribute.name], value);
      draft.attributes[attribute.name] = read;
      return twice ?? taken;
    }
  }
  return wrong(value, `${shortName(named[0]!)} wants ${named.map(likeThis).join(', or ')}`);
}

/** The first attribute that is not set yet and can be this. */
function readBare(word: Token, draft: Draft): number | FaultTextError {
  for (const attribute of draft.fault.attributes) {
    const free = draft.attributes[attribute.name] === undefined;
    // Words without a list would take everything, and yes or no says nothing without a name.
    const readable = attribute.kind !== 'yes' && (attribute.kind !== 'word' || attribute.words !== undefined);
    const read = free && readable ? readValue(attribute, word.text) : null;
    if (read !== null) {
      draft.attributes[attribute.name] = read;
      return 1;
    }
  }
  if (word.text.endsWith('%')) {
    return readClause('toxicity', word, draft) ?? 1;
  }
  const can = [
    ...draft.fault.attributes.map(shortName),
    ...Object.keys(STREAMS).slice(0, 5),
    ...CLAUSES,
    'when',
  ];
  return wrong(word, `${word.text} means nothing here; there can be ${[...new Set(can)].join(', ')}`);
}

function finish(draft: Draft, when: When | null, first: Token): PlannedFault | FaultTextError {
  const { fault, clauses } = draft;
  const attributes: Record<string, Value> = {};
  for (const attribute of fault.attributes) {
    const value = draft.attributes[attribute.name] ?? attribute.otherwise;
    if (value === undefined) {
      return wrong(first, `${fault.name} needs ${shortName(attribute)}: ${likeThis(attribute)}`);
    }
    attributes[attribute.name] = value;
  }
  const { stream = usualStream(fault.name, when !== null), toxicity = 1, name, ...rest } = clauses;
  return {
    name: name ?? usualName(fault.name, stream),
    fault: fault.name,
    attributes,
    stream,
    toxicity,
    ...rest,
    ...(when !== null && { when }),
  };
}

function isYesOrNo(word: Token | undefined): boolean {
  return word !== undefined && /^(?:yes|no|true|false)$/.test(word.text);
}
