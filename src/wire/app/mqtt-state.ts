/** What a conversation of MQTT remembers. */
import type { Side } from './decoder.ts';

/** A large packet whose rest is being skipped. */
export interface Large {
  readonly bytes: Uint8Array;
  readonly headSize: number;
  readonly total: number;
  skipped: boolean;
}

export interface Lane {
  /** The remaining length that the fixed header last read says. */
  remaining: number;
  large: Large | null;
  /** Topics by alias; each direction has its own (MQTT 5.0 section 3.3.2.3.4). */
  readonly aliases: Map<number, string>;
  /** Numbers of PUBLISH with QoS 2 from this side until PUBCOMP: there are 65535 of them. */
  readonly open: Set<number>;
}

export interface State {
  /** The protocol level: 3 (MQTT 3.1), 4 (3.1.1), 5; 0: CONNECT was not seen and nothing has told since. */
  version: number;
  /** CONNECT said it, or what only MQTT 5 has. */
  certain: boolean;
  /** Between CONNECT and CONNACK. */
  connecting: boolean;
  /** PINGREQ and PINGRESP so far. */
  pings: number;
  pongs: number;
  readonly client: Lane;
  readonly server: Lane;
}

export function newState(): State {
  return {
    version: 0,
    certain: false,
    connecting: false,
    pings: 0,
    pongs: 0,
    client: newLane(),
    server: newLane(),
  };
}

function newLane(): Lane {
  return { remaining: 0, large: null, aliases: new Map(), open: new Set() };
}

/** Pairs: each side numbers its packets from 1; those of the server come above those of the client, and what has no number last. */
const SERVER = 0x10000;
export const CONNECTING = 0x20000;
export const AUTHENTICATING = 0x20001;
const PING = 0x20002;

export function pairOf(asker: Side, id: number): number {
  return asker === 'client' ? id : SERVER + id;
}

export function pinged(state: State): number {
  return PING + state.pings++;
}

/** The pair of the oldest PINGREQ that waits; undefined: none does. */
export function ponged(state: State): number | undefined {
  return state.pongs < state.pings ? PING + state.pongs++ : undefined;
}
