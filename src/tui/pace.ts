/** How often to read: never so often that reading takes more than a quarter of the time. */

export interface Pace {
  wantedMs: number;
  /** What the last reading cost, sorting and comparing included. */
  tookMs: number;
}

export const SHARE = 4;

export function intervalOf({ wantedMs, tookMs }: Pace): number {
  return Math.max(wantedMs, Math.ceil(tookMs * SHARE));
}

export function isSlowed(pace: Pace): boolean {
  return intervalOf(pace) > pace.wantedMs;
}

/** From the end of one reading to the start of the next. */
export function pauseAfter(pace: Pace): number {
  return Math.max(10, intervalOf(pace) - pace.tookMs);
}
