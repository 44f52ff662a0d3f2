/** What one thread counts. */
import { clear, type Histogram, histogram, type Packed, pack } from './histogram.ts';

const STATUSES = 1000;

export interface Tally {
  requests: number;
  received: number;
  sent: number;
  opened: number;
  reused: number;
  failed: number;
  errors: number;
  readonly byError: Map<string, number>;
  /** Answers by status; every kind's are below 1000. */
  readonly byStatus: Uint32Array;
  /** Of the second that is on. */
  readonly latencies: Histogram;
}

/** Since the last one was sent. */
export interface Sent {
  readonly requests: number;
  readonly received: number;
  readonly sent: number;
  readonly opened: number;
  readonly reused: number;
  readonly failed: number;
  readonly errors: number;
  readonly byError: ReadonlyMap<string, number>;
  readonly byStatus: Uint32Array;
  readonly latencies: Packed;
}

export function tally(): Tally {
  return {
    requests: 0,
    received: 0,
    sent: 0,
    opened: 0,
    reused: 0,
    failed: 0,
    errors: 0,
    byError: new Map(),
    byStatus: new Uint32Array(STATUSES),
    latencies: histogram(),
  };
}

export function noteError(into: Tally, what: string, times = 1): void {
  into.errors += times;
  into.byError.set(what, (into.byError.get(what) ?? 0) + times);
}

/** What was counted, and begins again at nothing. */
export function take(one: Tally): Sent {
  const sent: Sent = {
    ...one,
    byError: new Map(one.byError),
    byStatus: one.byStatus.slice(),
    latencies: pack(one.latencies),
  };
  one.requests = 0;
  one.received = 0;
  one.sent = 0;
  one.opened = 0;
  one.reused = 0;
  one.failed = 0;
  one.errors = 0;
  one.byError.clear();
  one.byStatus.fill(0);
  clear(one.latencies);
  return sent;
}

export function add(into: Tally, one: Sent): void {
  into.requests += one.requests;
  into.received += one.received;
  into.sent += one.sent;
  into.opened += one.opened;
  into.reused += one.reused;
  into.failed += one.failed;
  into.errors += one.errors;
  for (const [what, count] of one.byError) {
    into.byError.set(what, (into.byError.get(what) ?? 0) + count);
  }
  for (let status = 0; status < STATUSES; status++) {
    into.byStatus[status]! += one.byStatus[status]!;
  }
}
