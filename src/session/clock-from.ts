/** The session's clock in any thread: CLOCK_MONOTONIC, which all threads share, counted from the same moment. */
export function clockFrom(zero: number): { now(): number } {
  return {
    now() {
      const [seconds, nanoseconds] = process.hrtime();
      return seconds * 1e9 + nanoseconds - zero;
    },
  };
}
