/** For kinds that say nothing: whatever comes is passed over. */
import type { Recogniser } from './kind.ts';

export const NOTHING = new Uint8Array(0);

export function wordless(): Recogniser {
  return {
    done: false,
    status: 0,
    last: false,
    take: (_bytes, _from, to) => to,
    ended: () => false,
    reset() {},
  };
}
