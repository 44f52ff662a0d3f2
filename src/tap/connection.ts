/** One connection through a tap: two streams, two movers, one relay state. Commands of the relay are carried out here. */
import type { Reactor, Stream, StreamEvents, Timer } from '../reactor/reactor.ts';
import type { Side } from '../wire/app/decoder.ts';
import type { Chain, ChainSink } from './chain.ts';
import type { Dialling } from './dial.ts';
import type { Listened } from './hearing.ts';
import { createMover, enqueue, flush, type Mover, move, type Outcome, release, tooMuch } from './mover.ts';
import {
  CLOSE,
  type Happening,
  MOVE_DOWN,
  MOVE_UP,
  RESET_CLIENT,
  RESET_SERVER,
  type Relay,
  relay,
  SHUT_CLIENT,
  SHUT_SERVER,
  step,
} from './relay.ts';
import type { Stage } from './stage.ts';

export type EndedHow = 'fin' | 'reset' | 'timeout' | 'dial' | 'fault' | 'tap closed';

export interface Connection {
  readonly number: number;
  readonly reactor: Reactor;
  readonly relay: Relay;
  readonly up: Mover;
  readonly down: Mover;
  readonly ears: Listened;
  readonly began: number;
  readonly notify: Notified;
  client: Stream | null;
  server: Stream | null;
  dialling: Dialling | null;
  /** Whoever sent FIN or RST first; null: nobody yet, or we did. */
  endedBy: Side | null;
  how: EndedHow | null;
  /** A stage wants both ends closed when what was passed on is delivered. */
  closing: boolean;
  /** A stage wants both ends reset: carried out when the stage has returned. */
  resetting: boolean;
  /** The stages of faults, by direction and the fault's name. */
  stages: Map<string, Stage> | null;
  /** Waits before it goes on (accept-delay). */
  waiting: Timer | null;
}

export interface Notified {
  halfClosed(connection: Connection, from: Side): void;
  said(connection: Connection, what: string, from: Side | null): void;
  over(connection: Connection): void;
}

export function createConnection(
  number: number,
  reactor: Reactor,
  ears: Listened,
  notify: Notified,
): Connection {
  return {
    number,
    reactor,
    relay: relay(),
    up: createMover('client', ears),
    down: createMover('server', ears),
    ears,
    began: reactor.now(),
    notify,
    client: null,
    server: null,
    dialling: null,
    endedBy: null,
    how: null,
    closing: false,
    resetting: false,
    stages: null,
    waiting: null,
  };
}

/** The same for every connection: which one it is stands in `stream.owner`. */
export const clientEvents: StreamEvents = {
  readable(stream) {
    happen(stream.owner as Connection, 'client readable');
  },
  writable(stream) {
    writable(stream.owner as Connection, 'down');
  },
};

export const serverEvents: StreamEvents = {
  readable(stream) {
    happen(stream.owner as Connection, 'server readable');
  },
  writable(stream) {
    writable(stream.owner as Connection, 'up');
  },
};

export function attachClient(connection: Connection, stream: Stream): void {
  stream.owner = connection;
  connection.client = stream;
  connection.up.source = stream;
  connection.down.sink = stream;
}

export function attachServer(connection: Connection, stream: Stream): void {
  stream.owner = connection;
  connection.server = stream;
  connection.down.source = stream;
  connection.up.sink = stream;
}

const EVENTS = {
  up: {
    idle: 'up idle',
    blocked: 'up blocked',
    'goes on': 'up goes on',
    ended: 'up ended',
    'sender reset': 'up sender reset',
    'receiver reset': 'up receiver reset',
  },
  down: {
    idle: 'down idle',
    blocked: 'down blocked',
    'goes on': 'down goes on',
    ended: 'down ended',
    'sender reset': 'down sender reset',
    'receiver reset': 'down receiver reset',
  },
} as const satisfies Record<'up' | 'down', Record<Outcome, Happening>>;

export function happen(connection: Connection, event: Happening): void {
  let commands = step(connection.relay, event);
  while (commands !== 0) {
    if ((commands & MOVE_UP) !== 0) {
      commands = (commands & ~MOVE_UP) | moved(connection, 'up');
    } else if ((commands & MOVE_DOWN) !== 0) {
      commands = (commands & ~MOVE_DOWN) | moved(connection, 'down');
    } else {
      carryOut(connection, commands);
      return;
    }
  }
}

function moved(connection: Connection, way: 'up' | 'down'): number {
  const outcome = move(connection[way], connection.reactor);
  const back = way === 'up' ? 'down' : 'up';
  if (connection[back].queued > 0 && !connection.relay[back].blocked) {
    // A stage has answered in the other end's place.
    settle(connection, back);
  }
  if (connection.resetting) {
    return resetNow(connection);
  }
  if (connection.closing) {
    return closeWhenDelivered(connection);
  }
  if (outcome === 'goes on') {
    connection.reactor.soon(() => happen(connection, EVENTS[way]['goes on']));
    return 0;
  }
  return concluded(connection, way, outcome);
}

function concluded(connection: Connection, way: 'up' | 'down', outcome: Outcome): number {
  if (outcome === 'ended' || outcome === 'sender reset') {
    connection.endedBy ??= way === 'up' ? 'client' : 'server';
    connection.ears.end(way === 'up' ? 'client' : 'server');
    if (outcome === 'sender reset') {
      connection.how = 'reset';
    }
  } else if (outcome === 'receiver reset') {
    connection.endedBy ??= way === 'up' ? 'server' : 'client';
    connection.how = 'reset';
  }
  return step(connection.relay, EVENTS[way][outcome]);
}

function carryOut(connection: Connection, commands: number): void {
  if ((commands & SHUT_SERVER) !== 0) {
    connection.server?.shutdown();
    connection.notify.halfClosed(connection, 'client');
  }
  if ((commands & SHUT_CLIENT) !== 0) {
    connection.client?.shutdown();
    connection.notify.halfClosed(connection, 'server');
  }
  if ((commands & (RESET_CLIENT | RESET_SERVER | CLOSE)) !== 0) {
    finish(connection, commands);
  }
}

function finish(connection: Connection, commands: number): void {
  const { client, server } = connection;
  connection.dialling?.cancel();
  connection.waiting?.cancel();
  connection.dialling = null;
  connection.client = null;
  connection.server = null;
  if ((commands & RESET_CLIENT) !== 0) {
    client?.reset();
  } else {
    client?.close();
  }
  if ((commands & RESET_SERVER) !== 0) {
    server?.reset();
  } else {
    server?.close();
  }
  for (const mover of [connection.up, connection.down]) {
    release(mover);
    mover.timer?.cancel();
  }
  connection.notify.over(connection);
}

/** There is room again, or fewer bytes are held: only a direction that waited for that hears of it. */
function writable(connection: Connection, way: 'up' | 'down'): void {
  if (connection.closing) {
    carry(connection, closeWhenDelivered(connection));
    return;
  }
  const mover = connection[way];
  if (connection.relay[way].blocked) {
    if (mover.full && tooMuch(mover)) {
      settle(connection, way);
      return;
    }
    mover.full = false;
    happen(connection, way === 'up' ? 'server writable' : 'client writable');
  } else if (mover.queued > 0) {
    settle(connection, way);
  }
}

/** After a stage has spoken by itself (a timer, a person's verdict): what it passed on is written. */
export function settle(connection: Connection, way: 'up' | 'down'): void {
  if (connection.relay.phase === 'over') {
    return;
  }
  if (connection.resetting) {
    carry(connection, resetNow(connection));
    return;
  }
  if (connection.closing) {
    carry(connection, closeWhenDelivered(connection));
    return;
  }
  const mover = connection[way];
  const outcome = flush(mover);
  if (outcome === 'idle') {
    if (mover.full && !tooMuch(mover)) {
      writable(connection, way);
    }
  } else {
    carry(connection, concluded(connection, way, outcome));
  }
}

function carry(connection: Connection, commands: number): void {
  if (commands !== 0) {
    carryOut(connection, commands);
  }
}

/** What was passed on before the RST is given to the kernel first: `reset` after ten bytes lets ten bytes through. */
function resetNow(connection: Connection): number {
  flush(connection.up);
  flush(connection.down);
  return step(connection.relay, 'reset both');
}

function closeWhenDelivered(connection: Connection): number {
  const up = flush(connection.up);
  const down = flush(connection.down);
  return up === 'blocked' || down === 'blocked' ? 0 : step(connection.relay, 'close both');
}

/** What the stages of one direction say goes to the connection. */
export function sinkOf(connection: Connection, way: 'up' | 'down'): ChainSink {
  const mover = connection[way];
  const back = connection[way === 'up' ? 'down' : 'up'];
  const from: Side = way === 'up' ? 'client' : 'server';
  let due = Number.POSITIVE_INFINITY;
  return {
    bytes(bytes) {
      enqueue(mover, bytes);
      connection.ears.hear(from, bytes, 0, bytes.length);
    },
    end() {
      mover.endDue = true;
    },
    wake(at) {
      if (at === due) {
        return;
      }
      mover.timer?.cancel();
      mover.timer = null;
      due = at;
      if (at !== Number.POSITIVE_INFINITY) {
        mover.timer = connection.reactor.after(Math.max(0, at - connection.reactor.now()), () => {
          due = Number.POSITIVE_INFINITY;
          mover.chain?.timer();
          settle(connection, way);
          settle(connection, way === 'up' ? 'down' : 'up');
        });
      }
    },
    answer(bytes) {
      enqueue(back, bytes);
      connection.ears.hear(from === 'client' ? 'server' : 'client', bytes, 0, bytes.length);
    },
    reset() {
      connection.resetting = true;
      connection.how = 'fault';
    },
    close() {
      connection.closing = true;
      connection.how = 'fault';
    },
    say(what) {
      connection.notify.said(connection, what, from);
    },
  };
}

export function chainOf(connection: Connection, way: 'up' | 'down', make: (sink: ChainSink) => Chain): Chain {
  const mover = connection[way];
  mover.chain ??= make(sinkOf(connection, way));
  return mover.chain;
}
