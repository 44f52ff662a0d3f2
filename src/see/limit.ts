/** What a limit is: the words that every part of `limits` uses. */
import type { MachineLimits, ProcessDescriptors } from '../kernel/limits.ts';
import type { Socket } from '../session/socket.ts';

export type LimitKind =
  | 'descriptors'
  | 'open files'
  | 'ephemeral ports'
  | 'ephemeral UDP ports'
  | 'accept queue'
  | 'SYN queue'
  | 'UDP receive buffer'
  | 'TIME-WAIT'
  | 'orphans'
  | 'TCP memory'
  | 'conntrack';

export interface Limit {
  /** Stable from one reading to the next. */
  id: string;
  kind: LimitKind;
  /** Whose limit: a process, a destination, a listener, the machine. */
  subject: string;
  /** What is counted. */
  what: string;
  used: number | null;
  /** null: unlimited, or not visible. */
  limit: number | null;
  available: number | null;
  /** used / limit, from 0 to 1; null when one of them is not known. */
  fraction: number | null;
  /** What happens then: the errno and the symptom. */
  whenFull: string;
  raise: string;
  /** It has already been full: how often, by the kernel's counters. */
  happened?: string;
  /** What else matters for this row. */
  note?: string;
  pid?: number;
  /** Why figures are missing. */
  notVisible?: string;
}

/** A process that keeps connections the other side has closed. */
export interface Leak {
  pid: number | null;
  name: string;
  closeWait: number;
  /** Milliseconds since anything arrived on the quietest of them; null when tcp_info was not read. */
  oldestMs: number | null;
  advice: string;
}

export interface LimitsReport {
  limits: Limit[];
  leaks: Leak[];
  /** What was not visible, and why. */
  notes: string[];
}

/** What was asked for: a process, what uses a port, or neither. */
export interface Scope {
  pid?: number;
  port?: number;
}

export interface Figures {
  machine: MachineLimits;
  processes: readonly ProcessDescriptors[];
  /** Of one process: its descriptors by kind. */
  kinds?: ReadonlyMap<number, ReadonlyMap<string, number>>;
  sockets: readonly Socket[];
}

export function share(
  used: number | null,
  limit: number | null,
): Pick<Limit, 'used' | 'limit' | 'available' | 'fraction'> {
  const counted = used !== null && limit !== null;
  return {
    used,
    limit,
    available: counted ? Math.max(0, limit - used) : null,
    fraction: counted ? Math.min(1, limit > 0 ? used / limit : 1) : null,
  };
}
