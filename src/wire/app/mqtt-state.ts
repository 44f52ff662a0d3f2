/** What a conversation of MQTT remembers: its version, exchanges that take several packets, topics that have a number. */
import type { Side } from './decoder.ts';
import type { PublishMessage } from './mqtt-publish.ts';

/** Aliases beyond this, and topics longer than that, are not remembered: a topic of theirs stays empty. */
const MAX_ALIASES = 1024;
const MAX_ALIAS_TOPIC = 1024;

export interface Lane {
  readonly side: Side;
  /** Identifiers of PUBLISH with QoS 2 from this side, until PUBCOMP. */
  readonly open: Set<number>;
  /** MQTT 5, section 3.3.2.3.4. */
  readonly aliases: Map<number, string>;
  /** A PUBLISH of which only the payload's rest is to come, and how much that is. */
  large: PublishMessage | null;
  left: number;
}

export interface State {
  /** The protocol level: 3 (MQTT 3.1), 4 (3.1.1), 5; 0: not known, the beginning was missed. */
  version: number;
  /** Between CONNECT and CONNACK. */
  connecting: boolean;
  pings: number;
  pongs: number;
  readonly client: Lane;
  readonly server: Lane;
}

export function newState(): State {
  return {
    version: 0,
    connecting: false,
    pings: 0,
    pongs: 0,
    client: newLane('client'),
    server: newLane('server'),
  };
}

function newLane(side: Side): Lane {
  return { side, open: new Set(), aliases: new Map(), large: null, left: 0 };
}

/** Pairs: below 65536 the client's packet identifiers, then the server's, then what has none. */
const SERVERS = 0x10000;
export const CONNECTING = 0x20000;
export const AUTHENTICATING = 0x20001;
const PINGS = 0x20002;

/** Both sides number their packets, each from 1. */
export function pairOf(asker: Side, id: number): number {
  return asker === 'client' ? id : SERVERS + id;
}

export function pinged(state: State): number {
  return PINGS + state.pings++;
}

/** The pair of the oldest PINGREQ that waits; -1: there is none. */
export function ponged(state: State): number {
  return state.pongs < state.pings ? PINGS + state.pongs++ : -1;
}

/** The topic that this alias stands for, when `topic` is empty; otherwise it stands for `topic` from now on. */
export function aliased(lane: Lane, alias: number, topic: string): string {
  if (topic === '') {
    return lane.aliases.get(alias) ?? '';
  }
  if (alias <= MAX_ALIASES && topic.length <= MAX_ALIAS_TOPIC) {
    lane.aliases.set(alias, topic);
  } else {
    lane.aliases.delete(alias);
  }
  return topic;
}
