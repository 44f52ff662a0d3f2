/** What the two formats share while a file is read. */
import type { Sink } from './pcapng-sink.ts';

/** No record of either format is longer; what says so is damaged. It bounds what the caller has to buffer. */
export const MAX_RECORD = 64 * 1024 * 1024;

export interface Reading {
  readonly sink: Sink;
  /** Where in the file the next push begins. */
  offset: number;
  /** So many bytes, from the first unconsumed one, are needed before the next step; 0: nothing more is wanted. */
  wants: number;
  /** Packets delivered so far. */
  packets: number;
}

export interface Format {
  /** Delivers the whole records of bytes[from, to) and says how many bytes they were. */
  push(bytes: Uint8Array, from: number, to: number): number;
  /** The file ends `leftover` (> 0) bytes into a record: what it ends inside of. */
  inside(leftover: number): string;
}

export function trouble(reading: Reading, offset: number, sentence: string): void {
  reading.wants = 0;
  reading.sink.trouble(offset, `${sentence}, at byte ${grouped(offset)}`);
}

/** `1 234 567` */
export function grouped(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, ' ');
}

export function part(what: string, there: number, whole: number): string {
  return `${what} (${grouped(there)} of ${grouped(whole)} bytes are there)`;
}
