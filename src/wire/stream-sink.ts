/** Who is told what the conversations carry, and the bounds kept while they are put together. */
import type { Flow } from './flow.ts';

export type ClosedHow = 'fin' | 'reset' | 'idle' | 'evicted' | 'end of capture' | 'reused';

/** `sender` is the end of the flow (0 or 1) the bytes come from; bytes[from, to) is borrowed. */
export interface StreamSink {
  opened?(flow: Flow): void;
  /** Bytes of a TCP stream in order. `at` is when they became readable: when the last hole before them was filled. */
  data(flow: Flow, sender: 0 | 1, bytes: Uint8Array, from: number, to: number, at: number): void;
  /** The next `count` bytes of the stream are not in the capture. */
  gap(flow: Flow, sender: 0 | 1, count: number, at: number): void;
  datagram(flow: Flow, sender: 0 | 1, bytes: Uint8Array, from: number, to: number, at: number): void;
  /** This end sends no more: everything up to its FIN was handed over, or it sent an RST. */
  ended(flow: Flow, sender: 0 | 1, at: number): void;
  /** The last word on this flow. Of a closed TCP connection late packets may still be counted. */
  closed(flow: Flow, how: ClosedHow, at: number): void;
}

export interface Limits {
  readonly flows: number;
  /** What waits behind a hole, per direction and for all together. */
  readonly keptSegments: number;
  readonly keptBytes: number;
  readonly keptInTotal: number;
}
