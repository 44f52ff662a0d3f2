/**
 * What a faithful relay does, without a socket: `step(state, event)` says which commands follow. FIN is passed on as FIN and
 * leaves the other direction alone (RFC 9293 section 3.6), RST as RST after what came before it, a failed dial as RST.
 * Commands are bits, so that a step allocates nothing: it runs for every chunk.
 */
export const DIAL = 1;
export const MOVE_UP = 2;
export const MOVE_DOWN = 4;
export const SHUT_SERVER = 8;
export const SHUT_CLIENT = 16;
export const RESET_SERVER = 32;
export const RESET_CLIENT = 64;
/** Close what is left of both ends; whoever has not been sent FIN gets it now. */
export const CLOSE = 128;

/** One direction: `up` is what the client says, `down` what the server says. */
export interface Way {
  /** Its sender has something, or a FIN, that was not read yet. */
  waiting: boolean;
  /** Its receiver takes nothing now: bytes are on hand, or too many are held on the way. */
  blocked: boolean;
  /** FIN came, and all before it was delivered. */
  ended: boolean;
}

export interface Relay {
  phase: 'new' | 'dialling' | 'open' | 'over';
  readonly up: Way;
  readonly down: Way;
  /** A write was answered by RST. What that side had said before is still delivered, then the RST. */
  clientReset: boolean;
  serverReset: boolean;
}

export type Happening =
  | 'accepted'
  | 'dialled'
  | 'dial failed'
  | 'client readable'
  | 'server readable'
  | 'client writable'
  | 'server writable'
  | Moved<'up'>
  | Moved<'down'>
  /** A fault, a rule or the tap's end. */
  | 'reset both'
  | 'close both';

/** How a move ended. */
type Moved<W extends 'up' | 'down'> =
  /** The sender has nothing more for now. */
  | `${W} idle`
  /** The receiver takes no more for now. */
  | `${W} blocked`
  /** There is more, but others shall have their turn. */
  | `${W} goes on`
  /** FIN, and all before it was delivered. */
  | `${W} ended`
  /** The sender's RST, or its connection broke; all before was delivered. */
  | `${W} sender reset`
  /** The receiver answered a write by RST. */
  | `${W} receiver reset`;

function way(): Way {
  return { waiting: false, blocked: false, ended: false };
}

export function relay(): Relay {
  return { phase: 'new', up: way(), down: way(), clientReset: false, serverReset: false };
}

export function step(state: Relay, event: Happening): number {
  if (state.phase === 'over') {
    return 0;
  }
  switch (event) {
    case 'accepted':
      state.phase = 'dialling';
      return DIAL;
    case 'dialled':
      state.phase = 'open';
      return go(state, state.up, MOVE_UP) | go(state, state.down, MOVE_DOWN);
    case 'dial failed':
      state.phase = 'over';
      return RESET_CLIENT;
    case 'client readable':
      state.up.waiting = true;
      return go(state, state.up, MOVE_UP);
    case 'server readable':
      state.down.waiting = true;
      return go(state, state.down, MOVE_DOWN);
    case 'server writable':
      return unblock(state, state.up, MOVE_UP);
    case 'client writable':
      return unblock(state, state.down, MOVE_DOWN);
    case 'up idle':
      state.up.waiting = false;
      return 0;
    case 'down idle':
      state.down.waiting = false;
      return 0;
    case 'up blocked':
      state.up.blocked = true;
      return 0;
    case 'down blocked':
      state.down.blocked = true;
      return 0;
    case 'up goes on':
      return go(state, state.up, MOVE_UP);
    case 'down goes on':
      return go(state, state.down, MOVE_DOWN);
    case 'up ended':
      // After a RST that a write ran into, the kernel may report the end of the stream instead of the error.
      return state.clientReset
        ? over(state, RESET_SERVER | CLOSE)
        : ended(state, state.up, state.down, SHUT_SERVER);
    case 'down ended':
      return state.serverReset
        ? over(state, RESET_CLIENT | CLOSE)
        : ended(state, state.down, state.up, SHUT_CLIENT);
    case 'up sender reset':
      return over(state, RESET_SERVER | CLOSE);
    case 'down sender reset':
      return over(state, RESET_CLIENT | CLOSE);
    case 'up receiver reset':
      state.serverReset = true;
      return receiverReset(state, state.up, state.down, MOVE_DOWN, RESET_CLIENT);
    case 'down receiver reset':
      state.clientReset = true;
      return receiverReset(state, state.down, state.up, MOVE_UP, RESET_SERVER);
    case 'reset both':
      return over(state, RESET_CLIENT | RESET_SERVER);
    case 'close both':
      return over(state, CLOSE);
  }
}

function go(state: Relay, way: Way, move: number): number {
  return state.phase === 'open' && way.waiting && !way.blocked && !way.ended ? move : 0;
}

/** What is on hand is written first, whether or not more waits to be read. */
function unblock(state: Relay, way: Way, move: number): number {
  if (!way.blocked) {
    return 0;
  }
  way.blocked = false;
  return state.phase === 'open' && !way.ended ? move : 0;
}

function ended(state: Relay, way: Way, opposite: Way, shut: number): number {
  way.ended = true;
  way.waiting = false;
  return opposite.ended ? over(state, CLOSE) : shut;
}

/** The receiver is gone. What it had said before it went is still on its way to the other end. */
function receiverReset(state: Relay, way: Way, opposite: Way, move: number, reset: number): number {
  way.ended = true;
  way.waiting = false;
  if (opposite.ended) {
    return over(state, reset | CLOSE);
  }
  opposite.waiting = true;
  return opposite.blocked ? 0 : move;
}

function over(state: Relay, commands: number): number {
  state.phase = 'over';
  return commands;
}
