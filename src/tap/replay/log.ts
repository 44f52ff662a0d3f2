/** One conversation as it went: its bytes, each side's messages with the bytes they took, who ended it. The same for a recording and for a run. */
import type { Side } from '../../wire/app/decoder.ts';
import { MASK, masked } from '../../wire/app/mask.ts';
import type { Spoken } from '../../wire/conversation.ts';
import { type Heard, heard } from '../../wire/heard.ts';
import type { Value } from '../../wire/value.ts';

/** A message, and where its bytes lie in its side's stream: [from, to). */
export interface Said {
  /** With its secrets: they are compared, and never shown. */
  readonly heard: Heard;
  /** Its summary for people, and the fields whose values they may not see. */
  readonly shown: string;
  readonly secrets: readonly string[];
  readonly pair: number | string | undefined;
  /** Further replies follow to the same request. */
  readonly more: boolean;
  from: number;
  to: number;
}

export interface Chunk {
  readonly side: Side;
  readonly at: number;
  readonly from: number;
  readonly to: number;
}

export interface Ending {
  readonly at: number;
  readonly by: Side;
  readonly how: 'fin' | 'reset';
}

export interface Log {
  /** When it began. */
  readonly began: number;
  readonly client: Uint8Array;
  readonly server: Uint8Array;
  readonly chunks: readonly Chunk[];
  /** Of both sides, as they were completed. */
  readonly said: readonly Said[];
  /** False: a decoder gave up, or there never was one; then only bytes count. */
  readonly decoded: boolean;
  /** A secret in it is stars. */
  readonly masked: boolean;
  /** Who went first. */
  readonly ended: Ending | null;
}

/** The decoder of what no other understands: its messages are turns, not meanings. */
const NO_PROTOCOL = 'hex';

export interface LogWriter {
  bytes(side: Side, bytes: Uint8Array, from: number, to: number, at: number): void;
  message(spoken: Spoken): void;
  trouble(): void;
  ended(ending: Ending): void;
  /** Bytes of a side, and its messages, so far. */
  count(side: Side): { readonly bytes: number; readonly messages: number };
  readonly decoded: boolean;
  finish(): Log;
}

export function createLog(began: number, reveal: boolean): LogWriter {
  const parts = { client: [] as Uint8Array[], server: [] as Uint8Array[] };
  const total = { client: 0, server: 0 };
  const messages = { client: 0, server: 0 };
  const chunks: Chunk[] = [];
  const said: Said[] = [];
  const spans = { client: createSpans(), server: createSpans() };
  let failed = false;
  let stars = false;
  let ending: Ending | null = null;
  return {
    get decoded() {
      return !failed && said.length > 0;
    },
    bytes(side, bytes, from, to, at) {
      if (to > from) {
        parts[side].push(bytes.slice(from, to));
        chunks.push({ side, at, from: total[side], to: total[side] + to - from });
        total[side] += to - from;
      }
    },
    message(spoken) {
      if (spoken.decoder.name === NO_PROTOCOL) {
        failed = true;
        return;
      }
      const one = saidOf(spoken, reveal);
      stars ||= hasStars(one.heard, spoken.decoder.secrets);
      spans[spoken.side].add(one, spoken.message.bytes, spoken.endsAt);
      messages[spoken.side]++;
      said.push(one);
    },
    trouble() {
      failed = true;
    },
    ended(found) {
      ending ??= found;
    },
    count: (side) => ({ bytes: total[side], messages: messages[side] }),
    finish: () => ({
      began,
      client: Buffer.concat(parts.client),
      server: Buffer.concat(parts.server),
      chunks,
      said,
      decoded: !failed && said.length > 0,
      masked: stars,
      ended: ending,
    }),
  };
}

/** What a tap that does not reveal puts in the place of a secret. */
function hasStars({ fields }: Heard, secrets: readonly string[]): boolean {
  return secrets.some((name) => {
    const value = fields[name];
    return typeof value === 'string' && value.length > 0 && (value === MASK || /^\*+$/.test(value));
  });
}

export function saidOf(spoken: Spoken, reveal: boolean): Said {
  const full = heard(spoken, true);
  return {
    heard: full,
    shown: reveal ? full.summary : heard(spoken, false).summary,
    secrets: reveal ? [] : spoken.decoder.secrets,
    pair: spoken.message.pair,
    more: spoken.message.more === true,
    from: 0,
    to: 0,
  };
}

/** A field's value as people may see it. */
export function shownIn({ heard: { fields }, secrets }: Said, name: string): Value | undefined {
  return masked(fields, secrets)[name];
}

interface Spans {
  add(said: Said, bytes: number, endsAt: number): void;
}

/**
 * Where each message of one side ends. A step may complete several at once: then only its end is known, and the messages'
 * own lengths divide it. What lies between two messages belongs to the later one.
 */
export function createSpans(): Spans {
  /** The messages that ended with the same step, and their lengths. */
  let step: { said: Said; bytes: number }[] = [];
  let stepEnd = -1;
  let before = 0;
  return {
    add(said, bytes, endsAt) {
      if (endsAt !== stepEnd) {
        before = Math.max(0, stepEnd);
        step = [];
        stepEnd = endsAt;
      }
      step.push({ said, bytes });
      let end = endsAt;
      for (let i = step.length - 1; i >= 0; i--) {
        const one = step[i]!;
        one.said.to = end;
        end = i === 0 ? before : Math.max(before, end - one.bytes);
        one.said.from = end;
      }
    },
  };
}
