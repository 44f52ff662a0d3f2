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
    name: 'discard',
    about: 'takes everything, answers nothing (RFC 863)',
    load: () => import('./discard.ts'),
  },
  {
    name: 'chargen',
    about: 'characters without end (RFC 864)',
    load: () => import('./chargen.ts'),
  },
  {
    name: 'daytime',
    about: 'the time of day as a line of text (RFC 867)',
    load: () => import('./daytime.ts'),
  },
  {
    name: 'time',
    about: 'the time as four bytes (RFC 868)',
    load: () => import('./time.ts'),
  },
  {
    name: 'line',
    about: 'a small text protocol to learn and test with: PING, SET, GET, SUBSCRIBE, …',
    load: () => import('./line.ts'),
  },
  {
    name: 'hello',
    about: 'HTTP/1.1 by hand on the event loop: fast, strict, one answer',
    load: () => import('./hello.ts'),
  },
  {
    name: 'api',
    about: 'a web API: text, JSON, gob, slow, streamed and redirected answers, with deadlines',
    load: () => import('./api.ts'),
  },
  {
    name: 'files',
    about: 'the files of a directory: ranges, conditions, types, listings, compression',
    load: () => import('./files.ts'),
  },
  {
    name: 'proxy',
    about: 'stands in front of HTTP servers: cache, load balancing, files, passwords, compression',
    load: () => import('./proxy.ts'),
  },
  {
    name: 'forward',
    about: 'forward proxy for curl -x and browsers: CONNECT, and a cache for plain HTTP',
    load: () => import('./forward.ts'),
  },
  {
    name: 'rpc',
    about: 'JSON-RPC 1.0 exactly as Go speaks it, and 2.0; over TCP, UNIX, HTTP, WebSocket',
    load: () => import('./rpc.ts'),
  },
  {
    name: 'dns',
    about: 'answers for the names of a zone file: UDP and TCP',
    load: () => import('./dns.ts'),
  },
  {
    name: 'ssh',
    about: 'an SSH test server: commands, shells on a terminal, SFTP, scp, forwarding',
    load: () => import('./ssh.ts'),
  },
];
