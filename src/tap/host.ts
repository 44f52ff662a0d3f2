import type { Address, Reactor } from '../reactor/reactor.ts';
import type { Hearing } from './hearing.ts';
import type { Observation } from './observation.ts';
import type { Resolved } from './plan.ts';

/** What every tap of an engine shares. */
export interface TapHost {
  readonly reactor: Reactor;
  /** Of every random choice. */
  readonly seed: number;
  /** Nanoseconds since the session began. */
  now(): number;
  tell(observation: Observation): void;
  /** Somebody wants to hear of each connection. */
  readonly wants: { readonly connections: boolean; readonly reveal: boolean };
  /** A number for a message that is held: unique in the session. */
  nextHeld(): number;
  hearingFor(tap: string): Hearing;
  /** Looks a name up that a client asked for; no address when there is none. */
  resolve(host: string, port: number, done: (addresses: Resolved) => void): void;
  /** Connects to a listener of the led program from inside: a descriptor, or -errno. */
  enter(tap: string, inside: string, port: number, done: (fd: number) => void): void;
  /** Does a socket of this machine listen there? Null: not known. */
  listens(target: Address): boolean | null;
}
