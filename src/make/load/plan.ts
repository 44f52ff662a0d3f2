/** What a run is to do: plain data that crosses into threads. */
import type { Address, SocketWishes } from '../../reactor/reactor.ts';
import type { Wishes } from './kind.ts';

export interface LoadPlan {
  readonly kind: string;
  readonly target: Address;
  /** The target as it is shown. */
  readonly shown: string;
  readonly connections: number;
  readonly threads: number;
  readonly durationNs: number;
  /** 0: as many as the time allows. */
  readonly requests: number;
  /** Per second; 0: the next one begins when one is answered. */
  readonly rate: number;
  /** Requests on their way on one connection. */
  readonly pipeline: number;
  readonly timeoutNs: number;
  /** Of connections that are opened and closed: who closes first. */
  readonly closeBy: 'client' | 'server';
  /** Socket options by name, on every connection. */
  readonly sockopt: SocketWishes;
  readonly wishes: Wishes;
}

/** One thread's part. */
export interface Share {
  readonly connections: number;
  /** 0: no limit. */
  readonly requests: number;
  readonly rate: number;
  /** When the first request is due, so that threads take turns. */
  readonly offsetNs: number;
}

/** Nobody gets a share without a connection. */
export function sharesOf(plan: LoadPlan): Share[] {
  const threads = Math.max(1, Math.min(plan.threads, plan.connections));
  const part = (whole: number, index: number): number =>
    Math.floor(whole / threads) + (index < whole % threads ? 1 : 0);
  return Array.from({ length: threads }, (_, index) => ({
    connections: part(plan.connections, index),
    requests: part(plan.requests, index),
    rate: plan.rate / threads,
    offsetNs: plan.rate === 0 ? 0 : (index * 1e9) / plan.rate,
  })).filter(({ requests }) => plan.requests === 0 || requests > 0);
}
