/** What is asked for, and how. */
import type { SocketWishes } from '../../../reactor/reactor.ts';
import type { TlsWish } from '../kind.ts';
import type { Fields, Redirectable } from './redirect.ts';

/** Nanoseconds; null: no limit of its own. */
export interface Deadlines {
  /** For all hops of one request together. */
  readonly whole: number | null;
  readonly resolve: number | null;
  readonly connect: number | null;
  readonly tls: number | null;
  readonly firstByte: number | null;
  readonly body: number | null;
}

export type Protocols = 'any' | 'http/1.1' | 'h2' | 'h2 at once';

export interface ProxyPlan {
  readonly host: string;
  readonly port: number;
  /** `Proxy-Authorization`, or empty. */
  readonly authorization: string;
}

/** As curl's --resolve has it. */
export interface KnownAddress {
  readonly host: string;
  readonly port: number;
  readonly addresses: readonly string[];
}

export interface WayPlan {
  readonly family: 0 | 4 | 6;
  readonly known: readonly KnownAddress[];
  /** A UNIX socket instead of the host; empty: none. */
  readonly socket: string;
  readonly proxy: ProxyPlan | null;
  readonly protocols: Protocols;
  readonly tls: TlsWish;
  readonly deadlines: Deadlines;
  /** Socket options by name, on every connection. */
  readonly sockopt: SocketWishes;
}

export interface HttpPlan extends Redirectable, WayPlan {
  /** 0: none is followed. */
  readonly redirects: number;
  readonly follows: boolean;
  /** Undo Content-Encoding. */
  readonly decodes: boolean;
  /** One connection for several requests. */
  readonly keeps: boolean;
}

export const MANNERS: Fields = [
  ['User-Agent', 'sockscope'],
  ['Accept', '*/*'],
];

export function portOf({ protocol, port }: URL): number {
  return port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port);
}

/** Without the brackets of an IPv6 address. */
export function hostOf({ hostname }: URL): string {
  return hostname.startsWith('[') ? hostname.slice(1, -1) : hostname;
}
