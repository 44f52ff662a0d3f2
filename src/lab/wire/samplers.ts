/** What the wire's thread wants of whoever looks at the hosts' sockets. */
import type { RawEvent, Sampled } from '../stage/protocol.ts';

export interface Samplers {
  add(sampled: Sampled): void;
  /** Closes the descriptors as well. */
  remove(host: string): void;
  sample(host: string, at: number, out: RawEvent[]): void;
  /** `force`: also those that were looked at only just now. */
  sampleAll(at: number, out: RawEvent[], force?: boolean): void;
  counters(host: string): Record<string, number>;
  countersDue(at: number, out: RawEvent[], force?: boolean): void;
}
