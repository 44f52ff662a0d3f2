/** Every kind of conversation, in the order the help shows them. */
import type { DialKind } from './kind.ts';

export interface DialEntry {
  readonly name: string;
  readonly schemes: readonly string[];
  readonly about: string;
  readonly port: number;
  readonly load: () => Promise<{ readonly kind: DialKind }>;
}

export const dialKinds: readonly DialEntry[] = [
  { name: 'tcp', schemes: ['tcp'], about: 'bytes over TCP', port: 0, load: () => import('./tcp.ts') },
  { name: 'udp', schemes: ['udp'], about: 'datagrams over UDP', port: 0, load: () => import('./udp.ts') },
  {
    name: 'unix',
    schemes: ['unix'],
    about: 'bytes over a UNIX socket',
    port: 0,
    load: () => import('./unix.ts'),
  },
  {
    name: 'unix-dgram',
    schemes: ['unix-dgram'],
    about: 'datagrams over a UNIX socket',
    port: 0,
    load: () => import('./unix-dgram.ts'),
  },
  { name: 'tls', schemes: ['tls'], about: 'bytes over TLS', port: 0, load: () => import('./tls.ts') },
  {
    name: 'telnet',
    schemes: ['telnet'],
    about: "telnet's network virtual terminal",
    port: 23,
    load: () => import('./telnet.ts'),
  },
  { name: 'ws', schemes: ['ws'], about: 'messages over WebSocket', port: 80, load: () => import('./ws.ts') },
  { name: 'wss', schemes: ['wss'], about: 'the same over TLS', port: 443, load: () => import('./ws.ts') },
];
