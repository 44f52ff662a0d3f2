/**
 * What every decoder must keep, whatever its protocol: any split of the bytes gives the same messages, and no bytes
 * whatever make it throw, hang or ask for more than it may. Used by each decoder's test beside it.
 */
import fc from 'fast-check';
import { expect } from 'vitest';
import { Conversation, type Spoken } from '../conversation.ts';
import type { Values } from '../value.ts';
import { type Decoder, MAX_NEED, type Message, type Side, type Step } from './decoder.ts';
import { masked } from './mask.ts';

/** One side speaks. Turns are in the order in which they crossed the wire. */
export interface Turn {
  readonly side: Side;
  readonly bytes: Uint8Array;
}

/** A message with its lazy parts made, to compare. */
export interface Said {
  side: Side;
  protocol: string;
  kind: Message['kind'];
  name: string;
  bytes: number;
  failed: boolean;
  fields: Values;
  summary: string;
  /** The name of the request it answers. */
  asked: string | null;
}

export interface Heard {
  said: Said[];
  troubles: string[];
}

const encoder = new TextEncoder();

/** A turn of the client; text is UTF-8. */
export function client(...parts: (string | Uint8Array | number[])[]): Turn {
  return { side: 'client', bytes: joined(parts) };
}

export function server(...parts: (string | Uint8Array | number[])[]): Turn {
  return { side: 'server', bytes: joined(parts) };
}

function joined(parts: (string | Uint8Array | number[])[]): Uint8Array {
  const pieces = parts.map((part) =>
    typeof part === 'string' ? encoder.encode(part) : Uint8Array.from(part),
  );
  const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

export interface Setting {
  transport?: 'tcp' | 'udp';
  clientPort?: number;
  serverPort?: number;
  midStream?: boolean;
  /** Others that this decoder may hand over to. */
  others?: readonly Decoder[];
  /** False: the sides are not ended after the last turn. */
  end?: boolean;
}

/** Everything said in these turns; `cut` says how each turn is split (default: whole). */
export function hear(
  decoder: Decoder,
  turns: readonly Turn[],
  setting: Setting = {},
  cut: (turn: Turn) => Uint8Array[] = (turn) => [turn.bytes],
): Heard {
  const { transport = 'tcp', clientPort = 40000, serverPort = 9, midStream = false } = setting;
  const heard: Heard = { said: [], troubles: [] };
  const conversation = new Conversation(
    { transport, clientPort, serverPort, midStream },
    [decoder, ...(setting.others ?? [])],
    {
      message: (spoken) => heard.said.push(remembered(spoken)),
      trouble: ({ side, why }) => heard.troubles.push(`${side}: ${why}`),
    },
    decoder,
  );
  let at = 0;
  for (const turn of turns) {
    for (const piece of cut(turn)) {
      // Borrowed bytes: at an odd offset, in a buffer that is overwritten as soon as the call is over.
      const lent = new Uint8Array(piece.length + 7).fill(0xa5);
      lent.set(piece, 3);
      if (transport === 'udp') {
        conversation.datagram(turn.side, lent, 3, 3 + piece.length, ++at);
      } else {
        conversation.feed(turn.side, lent, 3, 3 + piece.length, ++at);
      }
      lent.fill(0x5a);
    }
  }
  if (setting.end !== false) {
    conversation.end('client', ++at);
    conversation.end('server', ++at);
  }
  return heard;
}

function remembered({ side, decoder, message, asked }: Spoken): Said {
  const fields = structuredClone(message.fields());
  if (message.brief !== undefined) {
    const short = decoder.summary(message, masked(message.brief(), decoder.secrets));
    expect(short).toBe(decoder.summary(message, masked(fields, decoder.secrets)));
  }
  return {
    side,
    protocol: message.protocol,
    kind: message.kind,
    name: message.name,
    bytes: message.bytes,
    failed: message.failed ?? false,
    fields,
    summary: decoder.summary(message, masked(fields, decoder.secrets)),
    asked: asked?.name ?? null,
  };
}

/** One byte at a time, and at random places: always what the whole turns give. */
export function anySplitGivesTheSame(
  decoder: Decoder,
  turns: readonly Turn[],
  setting: Setting = {},
  runs = 30,
): void {
  const whole = hear(decoder, turns, setting);
  expect(hear(decoder, turns, setting, bytewise)).toEqual(whole);
  fc.assert(
    fc.property(fc.infiniteStream(fc.nat()), (numbers) => {
      expect(hear(decoder, turns, setting, (turn) => split(turn.bytes, numbers))).toEqual(whole);
    }),
    { numRuns: runs },
  );
}

function bytewise({ bytes }: Turn): Uint8Array[] {
  return Array.from(bytes, (byte) => Uint8Array.of(byte));
}

function split(bytes: Uint8Array, numbers: Iterator<number>): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = 1 + ((numbers.next().value as number) % Math.max(1, bytes.length - at));
    pieces.push(bytes.subarray(at, at + length));
    at += length;
  }
  return pieces;
}

/** No bytes, true or mutated, make it throw, stand still, reach beyond its range or ask for too much. */
export function survivesAnything(
  decoder: Decoder,
  turns: readonly Turn[],
  setting: Setting = {},
  runs = 200,
): void {
  const guarded = guard(decoder);
  const side = fc.constantFrom<Side>('client', 'server');
  const noise = fc.array(fc.record({ side, bytes: fc.uint8Array({ maxLength: 300 }) }), { maxLength: 4 });
  const mutation = fc.record({
    turn: fc.nat(),
    at: fc.nat(),
    byte: fc.nat(255),
    what: fc.constantFrom('set', 'insert', 'delete', 'double'),
  });
  const mutated = fc
    .array(mutation, { minLength: 1, maxLength: 4 })
    .map((changes) => changes.reduce((now, change) => mutate(now, change), [...turns]));
  fc.assert(
    fc.property(fc.oneof(noise, mutated), fc.boolean(), (wild, byBytes) => {
      hear(guarded, wild, setting, byBytes ? bytewise : undefined);
    }),
    { numRuns: runs },
  );
}

function mutate(turns: Turn[], change: { turn: number; at: number; byte: number; what: string }): Turn[] {
  if (turns.length === 0) {
    return turns;
  }
  const index = change.turn % turns.length;
  const turn = turns[index]!;
  const bytes = [...turn.bytes];
  const at = bytes.length === 0 ? 0 : change.at % bytes.length;
  if (change.what === 'set') {
    bytes[at] = change.byte;
  } else if (change.what === 'insert') {
    bytes.splice(at, 0, change.byte);
  } else if (change.what === 'delete') {
    bytes.splice(at, 1 + (change.byte % 16));
  } else {
    bytes.splice(at, 0, ...bytes.slice(at, at + 1 + (change.byte % 64)));
  }
  return turns.with(index, { side: turn.side, bytes: Uint8Array.from(bytes) });
}

/** The decoder, with every step checked against the contract. */
function guard(decoder: Decoder): Decoder {
  const checked = (side: Side) => (bytes: Uint8Array, from: number, to: number, state: unknown) => {
    const step: Step = decoder[side](bytes, from, to, state);
    switch (step.step) {
      case 'ok':
      case 'become':
        expect(step.consumed).toBeGreaterThanOrEqual(0);
        expect(step.consumed).toBeLessThanOrEqual(to - from);
        break;
      case 'need':
        expect(step.bytes).toBeLessThanOrEqual(MAX_NEED);
        break;
      case 'skip':
        expect(step.bytes).toBeGreaterThan(0);
        expect(Number.isSafeInteger(step.bytes)).toBe(true);
        break;
      case 'malformed':
        expect(step.offset).toBeGreaterThanOrEqual(0);
        expect(step.offset).toBeLessThanOrEqual(to - from);
    }
    return step;
  };
  return { ...decoder, client: checked('client'), server: checked('server') };
}
