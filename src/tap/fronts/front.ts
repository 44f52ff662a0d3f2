/** How a client says where it wants to go, before it says anything else. Pure steps over what it has sent and nobody has consumed. */
import type { Address } from '../../reactor/reactor.ts';

/** Whoever holds this many unconsumed bytes of a client has been told to refuse it, or to go on. */
export const MOST_FRONT_BYTES = 16 * 1024;

export interface FrontState {
  /** What is expected next; each front has its own words. */
  phase: string;
  /** How far the unconsumed bytes have been looked at. */
  looked: number;
}

export type FrontStep =
  /** Call again when there are more bytes, with these before them. */
  | { readonly kind: 'need' }
  /** Tell the client; then call again, after the consumed bytes, also when none follow. */
  | { readonly kind: 'say'; readonly bytes: Uint8Array; readonly consumed: number }
  /** Dial. What follows the consumed bytes is the client speaking early, and for the target. */
  | { readonly kind: 'dial'; readonly host: string; readonly port: number; readonly consumed: number }
  /** Tell the client and close with FIN. */
  | { readonly kind: 'refuse'; readonly bytes: Uint8Array; readonly why: string };

export interface FrontSpeaker {
  begin(): FrontState;
  step(state: FrontState, bytes: Uint8Array, from: number, to: number): FrontStep;
  /** What the client is told once it was dialled: 0, or -errno. `bound` is our end towards the target. Close after a failure. */
  answer(state: FrontState, result: number, bound: Address | null): Uint8Array;
}

export const NEED: FrontStep = { kind: 'need' };

export function refuse(why: string, bytes: Uint8Array): FrontStep {
  return { kind: 'refuse', bytes, why };
}

const MOST_HOST = 255;

/** Bytes as a name to look up or a numeric address; null when no resolver could have meant it. */
export function hostText(bytes: Uint8Array, from: number, to: number): string | null {
  if (to <= from || to - from > MOST_HOST) {
    return null;
  }
  for (let at = from; at < to; at++) {
    // Controls and spaces end up in terminals and logs, and a NUL would cut the name short for the C library.
    if (bytes[at]! <= 0x20 || bytes[at] === 0x7f) {
      return null;
    }
  }
  return Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString();
}
