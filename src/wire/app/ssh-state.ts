/** What a conversation in SSH is at, and how a message is made. */
import type { Values } from '../value.ts';
import type { Hint, Message, Side } from './decoder.ts';
import type { Chosen } from './ssh-offer.ts';

export interface Lane {
  readonly side: Side;
  /**
   * `joined`: nothing was seen of the beginning · `lines`: up to the identification · `packets`: in the clear ·
   * `sealed`: encrypted · `unread`: SSH 1.
   */
  phase: 'joined' | 'lines' | 'packets' | 'sealed' | 'unread';
  /** How much of the line at hand has no end in it, and the lines so far. */
  scanned: number;
  lines: number;
  identified: boolean;
  /** The payload of its KEXINIT, until both are there. */
  offer: Uint8Array | null;
  /** The method that its next packet of the key exchange is for, sent before one was agreed on; null: it waits. */
  guess: string | null;
  sealedBytes: number;
}

export interface State {
  readonly client: Lane;
  readonly server: Lane;
  chosen: Chosen | null;
  /** The request of the key exchange that waits for its reply. */
  asked: 'kex' | 'group' | null;
}

export function begin({ midStream }: Hint): State {
  return {
    client: newLane('client', midStream),
    server: newLane('server', midStream),
    chosen: null,
    asked: null,
  };
}

function newLane(side: Side, midStream: boolean): Lane {
  return {
    side,
    phase: midStream ? 'joined' : 'lines',
    scanned: 0,
    lines: 0,
    identified: false,
    offer: null,
    guess: null,
    sealedBytes: 0,
  };
}

export function other(lane: Lane, state: State): Lane {
  return lane === state.client ? state.server : state.client;
}

export function say(
  kind: Message['kind'],
  name: string,
  bytes: number,
  fields: () => Values,
  extra: { pair?: string; failed?: boolean } = {},
): Message {
  return { protocol: 'ssh', kind, name, bytes, fields, ...extra };
}
