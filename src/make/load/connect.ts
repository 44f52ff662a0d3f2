/** Connections opened and closed as fast as it goes: the port bomb. Whoever closes first keeps the port in TIME_WAIT (RFC 9293, 3.6.1). */
import type { LoadKind } from './kind.ts';
import { NOTHING, wordless } from './wordless.ts';

export const kind: LoadKind = {
  name: 'connect',
  about: 'open and close, as fast as it goes: the port bomb, in a network namespace of its own',
  manner: 'open-close',
  counts: 'connections',
  canReconnect: false,
  request: () => NOTHING,
  recogniser: wordless,
  badStatus: () => null,
};
