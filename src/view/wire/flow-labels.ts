/** What repeats in every line of a connection, made once as bytes: both ends with their owners, one text for each direction. */
import type { Side } from '../../wire/app/decoder.ts';
import type { Out } from '../../wire/bytes-out.ts';
import type { Flow } from '../../wire/flows.ts';

export interface FlowLabels {
  /** The label of what this end sends. */
  of(flow: Flow, sender: 0 | 1): Uint8Array;
}

const encoder = new TextEncoder();

export function flowLabels(make: (flow: Flow, sender: 0 | 1) => string): FlowLabels {
  const labels = new WeakMap<Flow, readonly [Uint8Array, Uint8Array]>();
  let last: Flow | null = null;
  let lastLabels: readonly [Uint8Array, Uint8Array] | null = null;
  return {
    of(flow, sender) {
      if (flow !== last) {
        last = flow;
        lastLabels = labels.get(flow) ?? null;
        if (lastLabels === null) {
          lastLabels = [encoder.encode(make(flow, 0)), encoder.encode(make(flow, 1))];
          labels.set(flow, lastLabels);
        }
      }
      return lastLabels![sender];
    },
  };
}

export function senderOf(flow: Flow, side: Side): 0 | 1 {
  return side === 'client' ? flow.clientEnd : ((1 - flow.clientEnd) as 0 | 1);
}

const BY_HAND = 64;

/** Copies `text` behind what is in `out`, where room was reserved. */
export function put(out: Out, text: Uint8Array): void {
  const { bytes, length: at } = out;
  const { length } = text;
  if (length > BY_HAND) {
    bytes.set(text, at);
  } else {
    for (let i = 0; i < length; i++) {
      bytes[at + i] = text[i]!;
    }
  }
  out.length = at + length;
}
