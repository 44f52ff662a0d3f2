/** What travels between the main thread of `watch` and the one that reads packets: plain values only. */
import type { ExitCode } from '../errors.ts';
import type { WireWish } from './wire-options.ts';

export interface WatchOrder {
  readonly wish: WireWish;
  /** tcpdump's words, or ''. */
  readonly captureWords: string;
  readonly interfaces: readonly string[];
  readonly write: string | null;
  readonly quietRecording: boolean;
  readonly owners: boolean;
  readonly promiscuous: boolean;
  readonly snapLength: number;
  readonly ringBytes: number;
  readonly blockTimeoutMs: number;
  /** An eventfd: when it can be read, the watch is over. */
  readonly wake: number;
  readonly colour: boolean;
}

export type FromWorker =
  | { readonly type: 'ready'; readonly interfaces: readonly string[] }
  | { readonly type: 'note'; readonly text: string }
  | {
      readonly type: 'refused';
      readonly code: string;
      readonly text: string;
      readonly hint: string;
      readonly exit: ExitCode;
    }
  | { readonly type: 'summary'; readonly packets: number; readonly lost: number };
