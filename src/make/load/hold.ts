/** Many connections that say nothing: what each costs, and that one thread holds them all. */
import type { LoadKind } from './kind.ts';
import { NOTHING, wordless } from './wordless.ts';

export const kind: LoadKind = {
  name: 'hold',
  about: 'open many connections and keep them: memory, descriptors and threads they take',
  manner: 'hold',
  counts: 'connections',
  canReconnect: false,
  request: () => NOTHING,
  recogniser: wordless,
  badStatus: () => null,
};
