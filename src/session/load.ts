/** What a load run found, as every face shows it. Times are nanoseconds unless they say otherwise. */

export interface LoadLatency {
  readonly count: number;
  readonly min: number;
  readonly mean: number;
  readonly p50: number;
  readonly p75: number;
  readonly p90: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

/** One second of it; the last one may be shorter. */
export interface LoadSecond {
  /** From 0. */
  readonly second: number;
  /** How long it was, in seconds. */
  readonly lasted: number;
  readonly requests: number;
  readonly errors: number;
  /** Connections that stand now. */
  readonly open: number;
  /** Null: nothing was answered in it. */
  readonly latency: LoadLatency | null;
}

/** Why a run came to its end. The words are the view's (view/make/load-why.ts). */
export type LoadWhy =
  | { readonly code: 'time' | 'count' | 'interrupted' }
  /** connect(2) said EADDRNOTAVAIL. */
  | {
      readonly code: 'ports';
      readonly timeWait: number;
      readonly established: number;
      readonly other: number;
      readonly from: number;
      readonly to: number;
    }
  /** socket(2) said EMFILE, or ENFILE when it is the machine. */
  | {
      readonly code: 'descriptors';
      readonly errno: string;
      readonly used: number;
      readonly limit: number | null;
    }
  /** Connections get no answer, and the listener's queue is full. */
  | {
      readonly code: 'accept-queue';
      readonly used: number;
      readonly limit: number;
      readonly hanging: number;
    }
  | { readonly code: 'refused' }
  | { readonly code: 'errno'; readonly errno: string; readonly meaning: string }
  /** What came back is not this protocol. */
  | { readonly code: 'protocol'; readonly problem: string };

export interface LoadCount {
  readonly what: string;
  readonly count: number;
}

export interface LoadResult {
  readonly kind: string;
  readonly target: string;
  readonly connections: number;
  readonly threads: number;
  readonly pipeline: number;
  /** False: a connection for each request. */
  readonly pooled: boolean;
  /** Requests per second that were wished for; null: as fast as it goes. */
  readonly wishedRate: number | null;
  readonly seconds: number;
  readonly requests: number;
  /** Per second. `least`, `median` and `most` are of whole seconds; null when there was none. */
  readonly rate: {
    readonly mean: number;
    readonly least: number | null;
    readonly median: number | null;
    readonly most: number | null;
  };
  readonly received: number;
  readonly sent: number;
  readonly latency: LoadLatency | null;
  /** Requests that could not begin when they were due, because no connection was free. Null without a wished rate. */
  readonly late: number | null;
  /** Begun and not answered when it ended, and how long the oldest had waited. */
  readonly waiting: number;
  readonly longestWait: number;
  /** Connects that were not answered when it ended. */
  readonly connecting: number;
  readonly errors: readonly LoadCount[];
  /** Answers that are none of the good ones: `404`, `error reply`. */
  readonly badAnswers: readonly LoadCount[];
  readonly sockets: {
    readonly opened: number;
    /** Requests that found a connection open. */
    readonly reused: number;
    readonly failed: number;
    /** Sockets to the target when it ended, ours and everybody's, by state. Null where the kernel does not say. */
    readonly states: readonly LoadCount[] | null;
  };
  readonly descriptors: { readonly used: number | null; readonly limit: number | null };
  /** Of this process. */
  readonly process: { readonly threads: number; readonly memory: number; readonly memoryBefore: number };
  /** Seconds of the threads that made the load. */
  readonly cpu: { readonly user: number; readonly system: number };
  readonly requestsPerCpuSecond: number | null;
  readonly why: LoadWhy;
}
