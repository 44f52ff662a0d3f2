/** What travels between the main thread of `watch` and the one that reads packets: plain values only. */
import type { ExitCode } from '../errors.ts';
import type { Batch } from '../view/wire/screen-rows.ts';
import type { WireFlags, WireWish } from './wire-options.ts';

/** The options as commander gives them. */
export interface WatchFlags extends WireFlags {
  interface?: string[];
  write?: string;
  owners: boolean;
  promiscuous?: boolean;
  snaplen: number;
  buffer: number;
  blockTimeout: number;
  live?: boolean;
  lanes?: boolean;
  listInterfaces?: boolean;
}

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
  /** Cells of the terminal that is written to; null when it is none. */
  readonly width: number | null;
  /** Rows for the live screen go to the main thread, instead of lines to the output. */
  readonly screen: boolean;
}

/** What the main thread answers to each batch: who does not answer is not sent more. */
export type Taken = 'taken';

export type FromWorker =
  | { readonly type: 'ready'; readonly interfaces: readonly string[] }
  | { readonly type: 'note'; readonly text: string }
  | { readonly type: 'batch'; readonly batch: Batch }
  | {
      readonly type: 'refused';
      readonly code: string;
      readonly text: string;
      readonly hint: string;
      readonly exit: ExitCode;
    }
  | { readonly type: 'summary'; readonly packets: number; readonly lost: number };
