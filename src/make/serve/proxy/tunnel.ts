/** Two connections as one: what comes on one goes out on the other, a FIN too, and the end of one is the end of both. */
import type { Duplex } from 'node:stream';

export function tunnel(one: Duplex, other: Duplex): void {
  join(one, other);
  join(other, one);
}

function join(from: Duplex, to: Duplex): void {
  // `pipe` ends the other side's writing when this side's reading ends: a half-close stays one.
  from.pipe(to);
  from.on('error', () => {});
  from.once('close', () => {
    if (from.readableEnded && !from.errored) {
      // Both directions have ended; what is still on its way out goes out.
      return;
    }
    const { resetAndDestroy } = to as Duplex & { resetAndDestroy?(): void };
    if (resetAndDestroy === undefined) {
      to.destroy();
    } else {
      resetAndDestroy.call(to);
    }
  });
}
