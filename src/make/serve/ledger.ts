/** What a server has done so far, and the lines about it on their way to whoever shows them. */
import type { Access, Common, House } from './kind.ts';

/** Lines wait this long for others, so that a busy server does not send each one apart. */
export const GATHER_MS = 10;
const GATHERED = 512;
/** Batches on their way to somebody who is too slow to take them; what comes then is counted and not kept. */
const MOST_UNSEEN = 64;
/** Clients whose rate is remembered; beyond that all begin anew. */
const MOST_CLIENTS = 10_000;
const SECOND = 1e9;
/** Times of requests, in buckets that grow by a quarter: percentiles within 12 %, in constant memory. */
const PER_OCTAVE = 4;
const OCTAVES = 44;
const BUCKETS = PER_OCTAVE * OCTAVES;

export interface Counts {
  readonly open: number;
  readonly connections: number;
  readonly requests: number;
  readonly failed: number;
  readonly received: number;
  readonly sent: number;
  /** Refused for --rate or --max-connections. */
  readonly refused: number;
  /** Access lines that were not shown because there were too many. */
  readonly lost: number;
  readonly times: readonly number[];
}

export interface Ledger {
  readonly house: House;
  opened(): void;
  closed(): void;
  refused(): void;
  counts(): Counts;
  /** What was gathered goes out now. */
  flush(): void;
}

export interface LedgerOptions {
  readonly common: Common;
  readonly wantsLines: boolean;
  readonly now: () => number;
  /** How many batches were shown; another thread counts it up. */
  readonly seen: Int32Array;
  readonly lines: (lines: readonly Access[]) => void;
  readonly say: (text: string) => void;
  /** Runs it a little later, on the loop of this server. */
  readonly later: (ms: number, run: () => void) => void;
}

export function createLedger(options: LedgerOptions): Ledger {
  const { common, wantsLines, now, seen, lines, say, later } = options;
  const times = new Array<number>(BUCKETS).fill(0);
  const buckets = new Map<string, { at: number; left: number }>();
  let open = 0;
  let connections = 0;
  let requests = 0;
  let failed = 0;
  let received = 0;
  let sent = 0;
  let refused = 0;
  let lost = 0;
  let batches = 0;
  let gathered: Access[] = [];

  function flush(): void {
    if (gathered.length > 0) {
      batches++;
      lines(gathered);
      gathered = [];
    }
  }

  function counted(took: number, bytesIn: number, bytesOut: number, fine: boolean): void {
    requests++;
    received += bytesIn;
    sent += bytesOut;
    if (!fine) {
      failed++;
    }
    times[bucketOf(took)]!++;
  }

  const house: House = {
    common,
    wantsLines,
    now,
    counted,
    say,
    access(line) {
      counted(line.took, line.received, line.sent, line.fine);
      if (!wantsLines) {
        return;
      }
      if (batches - Atomics.load(seen, 0) >= MOST_UNSEEN) {
        lost++;
        return;
      }
      if (gathered.push(line) === 1) {
        later(GATHER_MS, flush);
      } else if (gathered.length >= GATHERED) {
        flush();
      }
    },
    allows(client) {
      if (common.rate === 0) {
        return true;
      }
      const at = now();
      let bucket = buckets.get(client);
      if (bucket === undefined) {
        if (buckets.size >= MOST_CLIENTS) {
          buckets.clear();
        }
        bucket = { at, left: Math.max(1, common.rate) };
        buckets.set(client, bucket);
      }
      bucket.left = Math.min(
        Math.max(1, common.rate),
        bucket.left + ((at - bucket.at) / SECOND) * common.rate,
      );
      bucket.at = at;
      if (bucket.left < 1) {
        refused++;
        return false;
      }
      bucket.left--;
      return true;
    },
  };

  return {
    house,
    opened() {
      open++;
      connections++;
    },
    closed() {
      open--;
    },
    refused() {
      refused++;
    },
    counts: () => ({ open, connections, requests, failed, received, sent, refused, lost, times: [...times] }),
    flush,
  };
}

function bucketOf(ns: number): number {
  return ns < 1 ? 0 : Math.min(BUCKETS - 1, Math.floor(Math.log2(ns) * PER_OCTAVE));
}

/** The time in nanoseconds below which `share` of all requests were answered; 0 when there were none. */
export function percentileOf(times: readonly number[], share: number): number {
  const all = times.reduce((sum, one) => sum + one, 0);
  let rest = Math.ceil(all * share);
  for (let index = 0; index < times.length; index++) {
    rest -= times[index]!;
    if (all > 0 && rest <= 0) {
      return 2 ** ((index + 1) / PER_OCTAVE);
    }
  }
  return 0;
}

/** What several threads did, as one. */
export function sumOf(all: readonly Counts[]): Counts {
  const add = (pick: (one: Counts) => number): number => all.reduce((sum, one) => sum + pick(one), 0);
  return {
    open: add((one) => one.open),
    connections: add((one) => one.connections),
    requests: add((one) => one.requests),
    failed: add((one) => one.failed),
    received: add((one) => one.received),
    sent: add((one) => one.sent),
    refused: add((one) => one.refused),
    lost: add((one) => one.lost),
    times: Array.from({ length: BUCKETS }, (_, index) => add((one) => one.times[index] ?? 0)),
  };
}
