/** A tap as somebody ordered it: plain data that crosses threads, configuration files and the control API. */
import type { Address, SocketWishes } from '../reactor/reactor.ts';
import type { Side } from '../wire/app/decoder.ts';
import type { PlannedFault } from './fault.ts';

/** `host` may be a name. `port` 0 on the listening side: the next free one. */
export interface Place {
  readonly kind: 'tcp' | 'udp' | 'unix';
  readonly host: string;
  readonly port: number;
  /** Of a UNIX socket; `@name` is abstract. */
  readonly path: string;
}

/** How a client says where it wants to go; `none`: it does not, there is one target. */
export type Front = 'none' | 'socks5' | 'connect';

export interface Replacement {
  /** A regular expression on bytes (each byte one character, latin1). */
  readonly pattern: string;
  readonly flags: string;
  /** `$1`…`$9`, `$&`, `$$`. */
  readonly text: string;
  readonly from: Side | 'both';
}

/** `--set 'http.request.header.x-test=1'`, `--set 'redis.reply[GET user:*]=…'`: as written, read by the gate. */
export type SetRule = string;

export interface TlsPlan {
  readonly mode: 'none' | 'peek' | 'terminate' | 'originate' | 'both';
  /** Do not check the target's certificate. */
  readonly insecure: boolean;
  /** Name to ask the target for; the client's SNI, or the target's host, when empty. */
  readonly serverName: string;
  /** PEM files for a client certificate, and of those who may sign the target's. */
  readonly certificate: string;
  readonly key: string;
  readonly authority: string;
}

export interface TapPlan {
  readonly name: string;
  readonly enabled: boolean;
  readonly listen: Place;
  readonly target: Place;
  readonly front: Front;
  /** Which PROXY protocol header is expected from clients, and which is sent to the target: 0 none. */
  readonly proxyIn: boolean;
  readonly proxyOut: 0 | 1 | 2;
  readonly tls: TlsPlan;
  /** A decoder's name, `auto`, or `none`. */
  readonly decode: string;
  readonly matches: readonly string[];
  readonly replacements: readonly Replacement[];
  readonly sets: readonly SetRule[];
  readonly holds: readonly string[];
  readonly faults: readonly PlannedFault[];
  /** Nanoseconds. */
  readonly dialTimeout: number;
  /** Watch whether the target listens, and refuse while it does not. */
  readonly mirrorsRefusal: boolean;
  readonly wishes: SocketWishes;
}

/** A place whose name was looked up; several when it has several addresses, tried in this order. */
export type Resolved = readonly Address[];
