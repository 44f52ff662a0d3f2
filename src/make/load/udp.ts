/** A datagram there and one back. Nobody promises that either arrives: one that does not is a timeout. */
import type { LoadKind } from './kind.ts';
import { pattern } from './tcp.ts';
import { wordless } from './wordless.ts';

export const kind: LoadKind = {
  name: 'udp',
  about: 'a datagram to an echo server and one back (--size)',
  manner: 'datagram',
  counts: 'requests',
  canReconnect: false,
  request: ({ size }) => pattern(size),
  recogniser: wordless,
  badStatus: () => null,
};
