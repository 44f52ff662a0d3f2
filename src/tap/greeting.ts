/** What a client says before its own words: a PROXY header, and where it wants to go. Read from the stream, step by step. */
import { type Address, AGAIN, type Stream } from '../reactor/reactor.ts';
import { type FrontSpeaker, type FrontState, MOST_FRONT_BYTES } from './fronts/front.ts';
import { fronts } from './fronts/fronts.ts';
import type { TapPlan } from './plan.ts';
import { MOST_PROXY_BYTES, readProxyHeader } from './proxy-protocol.ts';

export interface Greeted {
  /** What the client said early, for the target. */
  readonly early: Uint8Array;
  /** Where it wants to go; null: to the tap's own target. */
  readonly wanted: { readonly host: string; readonly port: number } | null;
  /** Who it really is, by its PROXY header. */
  readonly source: Address | null;
  /** What the client is told when the dial is done; empty where there is no front. */
  answer(result: number, bound: Address | null): Uint8Array;
}

export type Greeting =
  | { readonly kind: 'more' }
  | { readonly kind: 'done'; readonly greeted: Greeted }
  | { readonly kind: 'refused'; readonly why: string }
  /** The client went away. */
  | { readonly kind: 'gone' };

export interface Greeter {
  read(stream: Stream): Greeting;
}

const NOTHING = new Uint8Array(0);
const MOST = MOST_FRONT_BYTES + MOST_PROXY_BYTES;
const MORE: Greeting = { kind: 'more' };

/** Null: clients of this tap say their own words at once. */
export function greeterFor(plan: TapPlan): Greeter | null {
  return plan.proxyIn || plan.front !== 'none' ? createGreeter(plan) : null;
}

function createGreeter({ proxyIn, front }: TapPlan): Greeter {
  const buffer = new Uint8Array(MOST);
  const speaker: FrontSpeaker | null = front === 'none' ? null : fronts[front];
  const state: FrontState | null = speaker?.begin() ?? null;
  let length = 0;
  let header = proxyIn;
  let source: Address | null = null;

  function consume(count: number): void {
    buffer.copyWithin(0, count, length);
    length -= count;
  }

  function judge(stream: Stream): Greeting {
    if (header) {
      const read = readProxyHeader(buffer, 0, length);
      if (read.kind === 'need') {
        return MORE;
      }
      if (read.kind === 'broken') {
        return { kind: 'refused', why: `PROXY protocol: ${read.why}` };
      }
      header = false;
      ({ source } = read.header);
      consume(read.consumed);
    }
    if (speaker === null || state === null) {
      return done(null);
    }
    for (;;) {
      const step = speaker.step(state, buffer, 0, length);
      switch (step.kind) {
        case 'need':
          return MORE;
        case 'say':
          stream.write(step.bytes, 0, step.bytes.length);
          consume(step.consumed);
          break;
        case 'dial':
          consume(step.consumed);
          return done({ host: step.host, port: step.port });
        case 'refuse':
          stream.write(step.bytes, 0, step.bytes.length);
          return { kind: 'refused', why: step.why };
      }
    }
  }

  function done(wanted: Greeted['wanted']): Greeting {
    const early = length === 0 ? NOTHING : buffer.slice(0, length);
    return {
      kind: 'done',
      greeted: {
        early,
        wanted,
        source,
        answer: (result, bound) =>
          speaker === null || state === null ? NOTHING : speaker.answer(state, result, bound),
      },
    };
  }

  return {
    read(stream) {
      for (;;) {
        const count = stream.read(buffer, length, buffer.length);
        if (count === AGAIN) {
          return MORE;
        }
        if (count <= 0) {
          return { kind: 'gone' };
        }
        length += count;
        const judged = judge(stream);
        if (judged.kind !== 'more') {
          return judged;
        }
        if (length === buffer.length) {
          return { kind: 'refused', why: 'the greeting is longer than any can be' };
        }
      }
    },
  };
}
