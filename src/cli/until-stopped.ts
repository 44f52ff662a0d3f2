/** Ctrl-C or SIGTERM once: whoever waits goes on, and ends in order; a second one leaves at once. */

const ONE_WISH_MS = 200;

export function untilStopped(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let stopping = false;
    let since = 0;
    const stop = (signal: NodeJS.Signals): void => {
      if (!stopping) {
        stopping = true;
        since = performance.now();
        resolve(signal);
      } else if (performance.now() - since > ONE_WISH_MS) {
        // timeout(1) signals its child and then its group: one wish, told twice.
        process.exit(signal === 'SIGINT' ? 130 : 143);
      }
    };
    process.on('SIGINT', stop).on('SIGTERM', stop);
  });
}
