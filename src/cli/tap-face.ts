/** Who decides while a tap runs: a person at the keys of the terminal, or lines on standard input beside --json. */
import { SockscopeError } from '../errors.ts';
import type { Face, FaceUse } from './tap-face-use.ts';
import type { TapFlags } from './tap-flags.ts';
import { createHolding } from './tap-hold.ts';
import { canReadKeys } from './tap-keys.ts';
import { keysFace } from './tap-keys-face.ts';
import { takeOrders } from './tap-orders.ts';

export type { Face } from './tap-face-use.ts';

/** Null: nobody can decide anything here, and nothing is held. */
export function openFace(use: FaceUse): Face | null {
  const { json } = use.flags;
  if (json === true) {
    return use.holds ? ordersFace(use) : null;
  }
  return canReadKeys() ? keysFace(use) : null;
}

/** Held messages need somebody who decides about them: said before anything is opened. */
export function checkHolds(holds: boolean, flags: TapFlags, program: boolean): void {
  if (!holds || (flags.json === true && !program)) {
    return;
  }
  if (program || !canReadKeys()) {
    throw new SockscopeError(
      'HOLD_NEEDS_SOMEBODY',
      program
        ? '--hold needs the keys of the terminal, and a program behind -- has them.'
        : '--hold needs a terminal: somebody must let the messages go.',
      program
        ? 'Run the tap alone, and point the program at it: sockscope tap LISTEN TARGET --hold FILTER'
        : 'Run it in a terminal, or with --json and orders on standard input: {"release":1,"verdict":"go"}',
      2,
    );
  }
}

function ordersFace({ taps, now, write }: FaceUse): Face {
  const holding = createHolding((id, verdict) => taps.release(id, verdict));
  let stop: () => void = () => {};
  return {
    seen(observation) {
      holding.seen(observation);
      return false;
    },
    start() {
      stop = takeOrders(process.stdin, {
        holding,
        tell: ({ type, ...rest }) =>
          write(`${JSON.stringify({ v: 1, type, at: Math.round(now()), ...rest })}\n`),
      });
    },
    ended: new Promise(() => {}),
    away: false,
    close: () => stop(),
  };
}
