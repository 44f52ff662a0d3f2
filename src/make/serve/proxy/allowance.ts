/** So many requests per second for each client: a bucket each, which holds what comes at once. */

/** Clients whose buckets are full again are forgotten when there are this many. */
const MOST_CLIENTS = 10_000;

interface Bucket {
  left: number;
  at: number;
}

/** `rate` per second; 0 allows everything. The time is in milliseconds. */
export function createAllowance(rate: number): (client: string, now: number) => boolean {
  // One at once at least, or a rate below one a second would never allow anything.
  const size = Math.max(1, rate);
  const buckets = new Map<string, Bucket>();

  function forget(now: number): void {
    for (const [client, { left, at }] of buckets) {
      if (left + ((now - at) / 1000) * rate >= size) {
        buckets.delete(client);
      }
    }
  }

  return (client, now) => {
    if (rate === 0) {
      return true;
    }
    let bucket = buckets.get(client);
    if (bucket === undefined) {
      if (buckets.size >= MOST_CLIENTS) {
        forget(now);
      }
      bucket = { left: size, at: now };
      buckets.set(client, bucket);
    }
    bucket.left = Math.min(size, bucket.left + ((now - bucket.at) / 1000) * rate);
    bucket.at = now;
    if (bucket.left < 1) {
      return false;
    }
    bucket.left--;
    return true;
  };
}
