/** The library: everything the program can do, a program can do. See docs/library.md. */
import { type Filter, filterError, parseFilter } from './see/filter/index.ts';
import { readNetns } from './see/netns.ts';
import { type OwnerWish, type Reading, readSockets } from './see/sockets.ts';
import type { Protocol } from './session/socket.ts';

export { SockscopeError } from './errors.ts';
export {
  type Access,
  type Drained,
  type Misbehaviour,
  type ServeOptions,
  type Server,
  serve,
} from './make/serve/library.ts';
export { kill } from './see/kill-run.ts';
export { killSockets } from './see/kill-sockets.ts';
export { limits } from './see/limits-read.ts';
export type { Reading } from './see/sockets.ts';
export { joinPairs } from './session/connection.ts';
export type * from './session/events.ts';
export type { Ended, EndedEnd } from './session/from-wire.ts';
export type * from './session/socket.ts';
export { type FaultWish, type Tap, type TapFault, type TapOptions, tap } from './tap/library.ts';
export type { Observation } from './tap/observation.ts';
export { type CaptureOptions, type CaptureSummary, readCapture } from './watch/read-capture.ts';
export {
  become,
  type Decoder,
  type Hint,
  type Message as DecodedMessage,
  malformed,
  need,
  ok,
  type Step,
  skip,
} from './wire/app/decoder.ts';

export interface SocketsOptions {
  /** In the words of `sockscope ls`: `:8080`, `node`, `state established and dst 10.0.0.0/8`. */
  filter?: string;
  protocols?: readonly Protocol[];
  families?: readonly (4 | 6)[];
  /** Also tcp_info, buffers and congestion control. */
  details?: boolean;
  owners?: OwnerWish;
}

function options(wish: SocketsOptions) {
  const { filter, ...rest } = wish;
  return { ...rest, filter: filter === undefined ? null : parsed(filter) };
}

function parsed(text: string): Filter | null {
  const result = parseFilter(text);
  if (!result.ok) {
    throw filterError(result);
  }
  return result.filter;
}

/** Every socket of this network namespace that matches, and notes on what was not visible. */
export function sockets(wish: SocketsOptions = {}): Reading {
  return readSockets(options(wish));
}

/** The same in another network namespace: `all`, a name, a pid or an inode. */
export function socketsIn(namespace: string, wish: SocketsOptions = {}): Promise<Reading> {
  return readNetns(namespace, options(wish));
}
