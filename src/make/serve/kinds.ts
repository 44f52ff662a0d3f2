/** Every kind of server, in the order the help shows them. A file in this folder that is not named here is an error (scripts/check-lists.mjs). */
import type { AnyKind } from './kind.ts';

export interface KindEntry {
  readonly name: string;
  readonly about: string;
  readonly load: () => Promise<{ readonly kind: AnyKind }>;
}

export const kinds: readonly KindEntry[] = [
  {
    name: 'echo',
    about: 'sends back what it gets: TCP, UDP, UNIX sockets, TLS (RFC 862)',
    load: () => import('./echo.ts'),
  },
  {
    name: 'hello',
    about: 'HTTP/1.1 by hand on the event loop: fast, strict, one answer',
    load: () => import('./hello.ts'),
  },
];
