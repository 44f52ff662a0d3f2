/** A message with everything made that was lazy: what can be kept, filtered, drawn and written to JSON. */
import type { Side } from './app/decoder.ts';
import { masked } from './app/mask.ts';
import type { Spoken } from './conversation.ts';
import type { Values } from './value.ts';

export interface Heard {
  readonly protocol: string;
  readonly decoder: string;
  readonly side: Side;
  readonly kind: 'request' | 'reply' | 'notice';
  readonly name: string;
  readonly summary: string;
  readonly fields: Values;
  readonly bytes: number;
  readonly at: number;
  readonly began: number;
  readonly failed: boolean;
  /** A reply's request, by its name, and when it was complete; null for everything else. */
  readonly asked: string | null;
  readonly askedAt: number;
  /** Nanoseconds from the request's last byte to the reply's last and first byte; -1 without a request. */
  readonly latency: number;
  readonly firstByte: number;
}

/** `brief`: only a line will be shown, so `fields` need not hold more than the summary is made of. */
export function heard(spoken: Spoken, reveal: boolean, brief = false): Heard {
  const { message, decoder, asked, at, began, side } = spoken;
  const made = brief && message.brief !== undefined ? message.brief() : message.fields();
  const fields = reveal ? made : masked(made, decoder.secrets);
  return {
    protocol: message.protocol,
    decoder: decoder.name,
    side,
    kind: message.kind,
    name: message.name,
    summary: decoder.summary(message, fields),
    fields,
    bytes: message.bytes,
    at,
    began,
    failed: message.failed ?? false,
    asked: asked === null ? null : asked.name,
    askedAt: asked === null ? -1 : asked.at,
    latency: asked === null ? -1 : at - asked.at,
    firstByte: asked === null ? -1 : Math.max(0, asked.firstReply - asked.at),
  };
}
