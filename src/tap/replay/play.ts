/** Plays the client's side of a recording against a real server: says what was said, in the recorded order, and waits for each answer. */
import { AGAIN, type Reactor, type Stream, type StreamEvents } from '../../reactor/reactor.ts';
import { decoders } from '../../wire/app/decoders.ts';
import { Conversation as Talk } from '../../wire/conversation.ts';
import type { Resolved } from '../plan.ts';
import { type Exchange, exchangesOf } from './exchanges.ts';
import { createLog, type Log } from './log.ts';
import type { Conversation } from './recording.ts';

/** Nanoseconds without a word, beyond what the recorded server took, after which no answer is expected any more. */
const PATIENCE = 5e9;
/** Where nobody understands the bytes, silence is all there is to go by. */
const BYTE_PATIENCE = 1e9;
const DIAL_PATIENCE = 10e9;
/** After the last word: for what a server says, or does, unasked. */
const LINGER = 5e7;
const READ = 65_536;
const ETIMEDOUT = -110;

export interface Played {
  readonly conversation: Conversation;
  /** Null: the server could not be reached; `errno` says why. */
  readonly log: Log | null;
  readonly exchanges: readonly Exchange[];
  readonly errno: number;
}

export interface PlayOptions {
  readonly target: Resolved;
  readonly conversations: readonly Conversation[];
  /** Of the pauses of the recorded client: 1 as they were, 10 ten times as short, 0 none. */
  readonly speed: number;
  readonly reveal: boolean;
}

/** What a client says in one go, and what it had heard before. */
interface Turn {
  readonly player: Player;
  readonly from: number;
  readonly to: number;
  readonly at: number;
  readonly heardBytes: number;
  readonly heardMessages: number;
  /** How long the server had taken for that, since the turn before. */
  readonly took: number;
}

interface Player {
  readonly conversation: Conversation;
  connect(): Promise<number>;
  send(from: number, to: number): Promise<boolean>;
  /** Resolves when so much has been heard, when the server has ended, or when it stays silent. */
  heard(bytes: number, messages: number, took: number): Promise<void>;
  /** Says and does at the end what the recorded client did. */
  leave(): Promise<void>;
  result(errno: number): Played;
}

export async function play(reactor: Reactor, options: PlayOptions): Promise<Played[]> {
  const { conversations, speed } = options;
  const players = conversations.map((one) => createPlayer(reactor, one, options));
  const turns = players.flatMap(turnsOf).sort((a, b) => a.at - b.at);
  const errnos = new Map<Player, number>();
  const first = conversations.reduce(
    (least, { log }) => Math.min(least, log.began),
    Number.POSITIVE_INFINITY,
  );
  const start = reactor.now();
  for (const turn of turns) {
    const { player } = turn;
    if (!errnos.has(player)) {
      errnos.set(player, await player.connect());
    }
    if (errnos.get(player)! < 0) {
      continue;
    }
    await player.heard(turn.heardBytes, turn.heardMessages, turn.took);
    if (speed > 0) {
      await pause(reactor, Math.max(0, start + (turn.at - first) / speed - reactor.now()));
    }
    if (turn.to > turn.from) {
      await player.send(turn.from, turn.to);
    }
  }
  const stood = players.filter((player) => (errnos.get(player) ?? -1) >= 0);
  await Promise.all(stood.map((player) => player.leave()));
  return players.map((player) => player.result(errnos.get(player) ?? 0));
}

function pause(reactor: Reactor, ns: number): Promise<void> {
  return new Promise((resolve) => {
    reactor.after(ns, resolve);
  });
}

/** The client's words between two of the server's; last, with no words, what it heard until the end. */
function turnsOf(player: Player): Turn[] {
  const { log } = player.conversation;
  const turns: Turn[] = [];
  const messages = log.said.filter(({ heard }) => heard.side === 'server');
  let heardBytes = 0;
  let heardMessages = 0;
  let last = log.began;
  let lastHeard = log.began;
  let current: { from: number; to: number; at: number; heardBytes: number } | null = null;
  const push = (): void => {
    if (current !== null) {
      while (heardMessages < messages.length && messages[heardMessages]!.to <= current.heardBytes) {
        heardMessages++;
      }
      const { from, to, at } = current;
      const took = Math.max(0, lastHeard - last);
      turns.push({ player, from, to, at, heardBytes: current.heardBytes, heardMessages, took });
      last = at;
      current = null;
    }
  };
  for (const { side, from, to, at } of log.chunks) {
    if (side === 'server') {
      push();
      heardBytes = to;
      lastHeard = at;
    } else if (current === null) {
      current = { from, to, at, heardBytes };
    } else {
      current = { ...(current as { from: number; at: number; heardBytes: number }), to };
    }
  }
  push();
  turns.push({
    player,
    from: 0,
    to: 0,
    at: Math.max(last, lastHeard),
    heardBytes: log.server.length,
    heardMessages: messages.length,
    took: Math.max(0, lastHeard - last),
  });
  return turns;
}

function createPlayer(reactor: Reactor, conversation: Conversation, options: PlayOptions): Player {
  const { log: recorded } = conversation;
  const zero = reactor.now();
  const log = createLog(0, options.reveal);
  const scratch = new Uint8Array(READ);
  let stream: Stream | null = null;
  let over = false;
  let understood = recorded.decoded;
  let left = false;
  let lastHeard = 0;
  /** Looks again whether what is waited for has come. */
  let look: () => void = () => {};
  let roomy: () => void = () => {};
  const now = (): number => reactor.now() - zero;

  const talk = recorded.decoded
    ? new Talk(
        { transport: 'tcp', clientPort: 0, serverPort: conversation.serverPort, midStream: false },
        decoders,
        {
          message: (spoken) => log.message(spoken),
          trouble() {
            understood = false;
            log.trouble();
          },
        },
        decoders.find(({ name }) => name === conversation.decoder),
      )
    : null;

  function end(how: 'fin' | 'reset'): void {
    if (!over) {
      over = true;
      talk?.end('server', now());
      if (!left) {
        log.ended({ at: now(), by: 'server', how });
      }
    }
  }

  const events = (connected: (result: number) => void): StreamEvents => ({
    connected: (_, result) => connected(result),
    readable(from) {
      for (;;) {
        const count = from.read(scratch, 0, READ);
        if (count === AGAIN) {
          break;
        }
        if (count <= 0) {
          end(count === 0 ? 'fin' : 'reset');
          break;
        }
        lastHeard = now();
        log.bytes('server', scratch, 0, count, lastHeard);
        talk?.feed('server', scratch, 0, count, lastHeard);
      }
      look();
      roomy();
    },
    writable: () => roomy(),
  });

  function dial(address: Resolved[number]): Promise<number> {
    return new Promise((resolve) => {
      let answered = false;
      const answer = (result: number): void => {
        if (!answered) {
          answered = true;
          timer.cancel();
          resolve(result);
        }
      };
      const timer = reactor.after(DIAL_PATIENCE, () => {
        stream?.close();
        answer(ETIMEDOUT);
      });
      const begun = reactor.connect(
        address,
        address.kind === 'tcp' ? { wishes: { nodelay: 1 } } : {},
        events(answer),
      );
      if (typeof begun === 'number') {
        answer(begun);
      } else {
        stream = begun;
      }
    });
  }

  return {
    conversation,
    async connect() {
      let result = -1;
      for (const address of options.target) {
        result = await dial(address);
        if (result >= 0) {
          break;
        }
      }
      lastHeard = now();
      return result;
    },
    async send(from, to) {
      if (stream === null || over) {
        return false;
      }
      const at = now();
      log.bytes('client', recorded.client, from, to, at);
      talk?.feed('client', recorded.client, from, to, at);
      lastHeard = at;
      for (let next = from; next < to && !over; ) {
        const written = stream.write(recorded.client, next, to);
        if (written >= 0) {
          next += written;
        }
        if (written === AGAIN || (written >= 0 && next < to)) {
          await new Promise<void>((resolve) => {
            roomy = resolve;
          });
          roomy = () => {};
        } else if (written < 0) {
          end('reset');
          return false;
        }
      }
      return !over;
    },
    heard(bytes, messages, took) {
      return new Promise((resolve) => {
        const patience = took + (understood ? PATIENCE : BYTE_PATIENCE);
        const done = (): boolean => {
          const count = log.count('server');
          // A message may be longer or shorter now; only where none was completed do bytes count.
          return over || (understood && messages > 0 ? count.messages >= messages : count.bytes >= bytes);
        };
        const finish = (): void => {
          look = () => {};
          resolve();
        };
        const wait = (): void => {
          const silence = now() - lastHeard;
          if (done() || silence >= patience) {
            finish();
          } else {
            timer = reactor.after(patience - silence, wait);
          }
        };
        let timer = reactor.after(0, wait);
        look = () => {
          if (done()) {
            timer.cancel();
            finish();
          }
        };
      });
    },
    async leave() {
      if (stream === null) {
        return;
      }
      await pause(reactor, LINGER);
      const ending = recorded.ended;
      const asks = ending?.by === 'client' && ending.how === 'fin';
      if (asks && !over) {
        // What a server still says after the client's FIN belongs to the conversation.
        left = true;
        talk?.end('client', now());
        stream.shutdown();
      }
      if (asks || conversation.exchanges.at(-1)!.closes !== null) {
        understood = false;
        lastHeard = now();
        await this.heard(Number.POSITIVE_INFINITY, 0, 0);
      }
      left = true;
      if (ending?.by === 'client' && ending.how === 'reset') {
        stream.reset();
      } else {
        stream.close();
      }
    },
    result(errno) {
      const finished = errno < 0 ? null : log.finish();
      return {
        conversation,
        log: finished,
        exchanges: finished === null ? [] : exchangesOf(finished),
        errno: Math.min(0, errno),
      };
    },
  };
}
