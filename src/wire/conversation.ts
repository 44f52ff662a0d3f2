/**
 * Two streams of bytes → messages. Picks the decoder, keeps what a decoder needs more of, passes bodies by, pairs replies
 * with requests and times them. Knows nothing of TCP: a capture's reassembly and a proxy's buffers feed it alike.
 */
import { type Decoder, type Hint, MAX_NEED, type Message, type Side, type Step } from './app/decoder.ts';

/** Requests that wait for their reply, per conversation. Beyond it the oldest is forgotten and counted. */
export const MAX_OUTSTANDING = 4096;
/** Before a decoder is certain it may see this many bytes of a side. */
const ENOUGH_TO_RECOGNISE = 64;
const CERTAIN = 0.8;
/** After so many bytes that nobody recognised, nobody looks any more (`indifferent`). */
const ENOUGH_TO_GIVE_UP = 65_536;
/** Headers in front of headers, tunnels within tunnels: honest ones are a few deep, and each is a call within a call. */
const MAX_BECOMES = 16;
/** All conversations of one budget together keep no more unfinished bytes than this. */
export const MAX_PENDING = 64 * 1024 * 1024;

/** What the conversations that share it keep for unfinished messages, in bytes. */
export interface Budget {
  pending: number;
}

/** A message and what surrounds it. The same object every time: read it before returning. */
export interface Spoken {
  side: Side;
  decoder: Decoder;
  message: Message;
  /** When its last byte came, and its first. */
  at: number;
  began: number;
  /** A reply's request: its name and when it was complete. Null for everything else. */
  asked: Asked | null;
  /** Where in its side's stream the step ended that completed it: what comes before belongs to this message or to earlier ones. */
  endsAt: number;
}

export interface Asked {
  name: string;
  at: number;
  /** The first reply to it began then; -1 before. */
  firstReply: number;
}

export interface Trouble {
  readonly side: Side;
  readonly at: number;
  readonly decoder: Decoder;
  readonly why: string;
}

export interface Listener {
  message(spoken: Spoken, conversation: Conversation): void;
  trouble(trouble: Trouble, conversation: Conversation): void;
}

export interface Start {
  readonly transport: 'tcp' | 'udp';
  readonly clientPort: number;
  readonly serverPort: number;
  readonly midStream: boolean;
}

interface Lane {
  readonly side: Side;
  /** Bytes kept until there are enough: pending[0, kept). */
  pending: Uint8Array;
  kept: number;
  /** When the first byte came that belongs to no message yet. */
  began: number;
  /** When its last bytes came. */
  heard: number;
  /** Nothing was consumed since the last message: the next byte begins one. */
  fresh: boolean;
  /** The decoder waits for what the other side says, not for more bytes. */
  held: boolean;
  /** The decoder wants at least this many bytes before it is called again. */
  wanted: number;
  skipping: number;
  /** Bytes of this side so far. */
  total: number;
  /** Nothing more is decoded on this side until something recognises it. */
  lost: boolean;
  ended: boolean;
}

const NOTHING = new Uint8Array(0);
/** A buffer of more is not kept for the next message. */
const LARGE = 65_536;

function newLane(side: Side): Lane {
  return {
    side,
    pending: NOTHING,
    kept: 0,
    began: 0,
    heard: 0,
    fresh: true,
    held: false,
    wanted: 0,
    skipping: 0,
    total: 0,
    lost: false,
    ended: false,
  };
}

export class Conversation {
  readonly start: Start;
  decoder: Decoder | null = null;
  /** Requests forgotten because too many were open. */
  forgotten = 0;
  private readonly budget: Budget;
  private readonly candidates: readonly Decoder[];
  private readonly listener: Listener;
  private readonly lanes: { client: Lane; server: Lane } = {
    client: newLane('client'),
    server: newLane('server'),
  };
  private state: unknown = null;
  /** What waits for its reply. Mostly there is one at a time, and its slot is used again and again; the map takes the others. */
  private readonly only: Asked = { name: '', at: 0, firstReply: -1 };
  private onlyPair: number | string | null = null;
  private outstanding: Map<number | string, Asked> | null = null;
  /** Stays where the oldest is: a new iterator would walk over all that was deleted before it, for each that is forgotten. */
  private oldest: IterableIterator<number | string> | null = null;
  private becomes = 0;
  private readonly spoken: Spoken;

  constructor(
    start: Start,
    candidates: readonly Decoder[],
    listener: Listener,
    fixed?: Decoder,
    budget: Budget = { pending: 0 },
  ) {
    this.start = start;
    this.budget = budget;
    this.candidates = candidates;
    this.listener = listener;
    this.spoken = {
      side: 'client',
      decoder: candidates[0]!,
      message: null as unknown as Message,
      at: 0,
      began: 0,
      asked: null,
      endsAt: 0,
    };
    if (fixed !== undefined) {
      this.use(fixed, this.hint('client'), undefined);
    }
  }

  /** Bytes in order. They are borrowed: what is needed later is copied. */
  feed(side: Side, bytes: Uint8Array, from: number, to: number, at: number): void {
    const lane = this.lanes[side];
    lane.heard = at;
    lane.total += to - from;
    let next = from;
    if (lane.skipping > 0) {
      const passed = Math.min(lane.skipping, to - next);
      lane.skipping -= passed;
      next += passed;
      if (lane.skipping > 0) {
        return;
      }
      // The decoder speaks now: the end of a body completes a message even when nothing follows.
    } else if (next >= to) {
      return;
    }
    if (lane.kept === 0) {
      if (lane.fresh) {
        lane.began = at;
        lane.fresh = false;
      }
      this.advance(lane, bytes, next, to, at);
    } else {
      this.keep(lane, bytes, next, to);
      if (lane.kept >= lane.wanted) {
        this.advance(lane, lane.pending, 0, lane.kept, at);
      }
    }
    if (this.budget.pending > MAX_PENDING && lane.kept > 0) {
      this.giveUp(lane, at);
    }
    const opposite = this.lanes[other(side)];
    if (opposite.held && opposite.kept > 0) {
      opposite.held = false;
      this.advance(opposite, opposite.pending, 0, opposite.kept, opposite.heard);
    }
  }

  /** `count` bytes of this side will never come. */
  gap(side: Side, count: number, at: number): void {
    const lane = this.lanes[side];
    if (lane.skipping > count) {
      lane.skipping -= count;
      return;
    }
    if (this.decoder !== null) {
      this.listener.trouble(
        { side, at, decoder: this.decoder, why: `${count} bytes are missing from the capture` },
        this,
      );
    }
    lane.skipping = 0;
    lane.kept = 0;
    lane.wanted = 0;
    lane.fresh = true;
    lane.lost = true;
  }

  /**
   * How many of the next bytes of this side nobody here will look at: the rest of a body, or Infinity when this is no
   * protocol we know. They may be told with `passedBy` instead of being fed.
   */
  indifferent(side: Side): number {
    const lane = this.lanes[side];
    if (lane.skipping > 0) {
      // The last byte of a body is fed: with it the decoder speaks.
      return lane.skipping - 1;
    }
    const { decoder } = this;
    if (decoder !== null && decoder.indifferent !== undefined && lane.kept === 0 && !lane.lost) {
      return decoder.indifferent(side, this.state) ? Number.POSITIVE_INFINITY : 0;
    }
    const { client, server } = this.lanes;
    const unknown = this.decoder === null && client.total + server.total > ENOUGH_TO_GIVE_UP;
    return unknown && lane.kept === 0 ? Number.POSITIVE_INFINITY : 0;
  }

  /** `count` bytes went by unseen; never more than `indifferent` said. */
  passedBy(side: Side, count: number, at: number): void {
    const lane = this.lanes[side];
    lane.heard = at;
    lane.total += count;
    if (lane.skipping > 0) {
      lane.skipping -= count;
    } else {
      this.decoder?.passedBy?.(side, count, this.state);
    }
  }

  /** This side sends no more. */
  end(side: Side, at: number): void {
    const lane = this.lanes[side];
    if (lane.ended) {
      return;
    }
    lane.ended = true;
    this.decide(lane, true);
    if (this.decoder?.end !== undefined && !lane.lost) {
      this.deliver(lane, this.decoder.end(side, this.state), at, 0);
    }
    lane.kept = 0;
    this.hold(lane, NOTHING);
  }

  /** UDP: each datagram is whole. */
  datagram(side: Side, bytes: Uint8Array, from: number, to: number, at: number): void {
    const lane = this.lanes[side];
    lane.began = at;
    if (this.decoder === null && !this.recognise(side, bytes, from, to, true)) {
      return;
    }
    const decoder = this.decoder!;
    const step = decoder[side](bytes, from, to, this.state);
    switch (step.step) {
      case 'ok':
      case 'become':
        this.deliver(lane, step.messages, at, 0);
        break;
      case 'malformed':
        this.listener.trouble({ side, at, decoder, why: step.why }, this);
        break;
      case 'need':
      case 'skip':
        this.listener.trouble({ side, at, decoder, why: 'the datagram ends early' }, this);
    }
  }

  private advance(lane: Lane, bytes: Uint8Array, from: number, to: number, at: number): void {
    let next = from;
    if (lane.lost) {
      // Where a message begins is anybody's guess; a segment's start that a decoder is certain of is the best one.
      if (!this.resynchronise(lane.side, bytes, next, to)) {
        lane.kept = 0;
        return;
      }
      lane.lost = false;
      lane.began = at;
      lane.fresh = false;
    }
    if (this.decoder === null) {
      const { side, pending, kept, lost } = this.lanes[other(lane.side)];
      const enough = to - next >= ENOUGH_TO_RECOGNISE || kept > 0;
      // What the other side waits with may say more than the first bytes of this one.
      const known = kept > 0 && !lost && this.recognise(side, pending, 0, kept, false);
      if (!known && !this.recognise(lane.side, bytes, next, to, enough)) {
        lane.wanted = 0;
        if (enough) {
          // Nobody's protocol: a later segment may be somebody's, but these bytes are not kept for it.
          lane.kept = 0;
        } else {
          this.remain(lane, bytes, next, to);
        }
        return;
      }
      this.decide(this.lanes[other(lane.side)], false);
    }
    lane.wanted = 0;
    lane.held = false;
    for (;;) {
      const { decoder } = this;
      if (decoder === null) {
        // What the other side had said before made it a protocol that nobody has recognised yet.
        break;
      }
      const step: Step = decoder[lane.side](bytes, next, to, this.state);
      if (step.step === 'ok') {
        next += step.consumed;
        this.deliver(lane, step.messages, at, to - next);
        if (step.messages.length > 0) {
          // What follows in the same bytes came with them.
          lane.began = at;
          lane.fresh = next >= to;
        }
        if (next >= to || (step.consumed === 0 && step.messages.length === 0)) {
          lane.held = next < to;
          break;
        }
      } else if (step.step === 'need') {
        if (step.bytes > MAX_NEED) {
          this.fail(lane, decoder, at, `a message of ${step.bytes} bytes is larger than what is kept`);
          return;
        }
        lane.wanted = Math.max(step.bytes, to - next + 1);
        break;
      } else if (step.step === 'skip') {
        const passed = Math.min(step.bytes, to - next);
        next += passed;
        lane.skipping = step.bytes - passed;
        if (lane.skipping > 0 || step.bytes === 0) {
          break;
        }
      } else if (step.step === 'malformed') {
        this.fail(lane, decoder, at, step.why);
        return;
      } else {
        next += step.consumed;
        this.deliver(lane, step.messages, at, to - next);
        this.become(step, lane, bytes, next, to, at);
        return;
      }
    }
    this.remain(lane, bytes, next, to);
  }

  /** Both directions go on with another decoder, and this side's rest is its first food. */
  private become(
    { decoder: name, given, asksAgain }: Extract<Step, { step: 'become' }>,
    lane: Lane,
    bytes: Uint8Array,
    from: number,
    to: number,
    at: number,
  ): void {
    if (++this.becomes > MAX_BECOMES) {
      this.fail(lane, this.decoder!, at, `the protocol changed more than ${MAX_BECOMES} times`);
      return;
    }
    const { spoken } = this;
    const again = asksAgain === undefined ? null : spoken.asked;
    this.forget();
    if (again !== null) {
      this.ask(asksAgain!, again.name, again.at);
    }
    const decoder = name === null ? undefined : this.candidates.find((one) => one.name === name);
    this.decoder = null;
    this.state = null;
    if (decoder !== undefined) {
      this.use(decoder, this.hint(lane.side), given);
    }
    lane.wanted = 0;
    lane.fresh = true;
    const rest = bytes.slice(from, to);
    lane.kept = 0;
    const opposite = this.lanes[other(lane.side)];
    opposite.wanted = 0;
    opposite.skipping = 0;
    if (rest.length > 0) {
      lane.total -= rest.length;
      this.feed(lane.side, rest, 0, rest.length, at);
    }
    if (this.decoder !== null && opposite.kept > 0) {
      const waiting = opposite.pending.slice(0, opposite.kept);
      opposite.kept = 0;
      opposite.total -= waiting.length;
      this.feed(opposite.side, waiting, 0, waiting.length, opposite.heard);
    }
  }

  private fail(lane: Lane, decoder: Decoder, at: number, why: string): void {
    lane.kept = 0;
    lane.wanted = 0;
    lane.lost = true;
    this.listener.trouble({ side: lane.side, at, decoder, why }, this);
  }

  /** Keeps bytes[next, to) for later; they may already lie in `pending`. */
  private remain(lane: Lane, bytes: Uint8Array, next: number, to: number): void {
    if (bytes === lane.pending) {
      if (next > 0) {
        lane.pending.copyWithin(0, next, to);
      }
      lane.kept = to - next;
      if (lane.kept === 0 && lane.pending.length > LARGE) {
        this.hold(lane, NOTHING);
      }
    } else {
      lane.kept = 0;
      this.keep(lane, bytes, next, to);
    }
  }

  private keep(lane: Lane, bytes: Uint8Array, from: number, to: number): void {
    const total = lane.kept + to - from;
    if (total > lane.pending.length) {
      const larger = new Uint8Array(Math.max(total, 2 * lane.pending.length, 64));
      larger.set(lane.pending.subarray(0, lane.kept));
      this.hold(lane, larger);
    }
    for (let i = from, j = lane.kept; i < to; ) {
      lane.pending[j++] = bytes[i++]!;
    }
    lane.kept = total;
  }

  /** Too much waits in all conversations together: this one, which asks for more, gives its own back. */
  private giveUp(lane: Lane, at: number): void {
    const { decoder } = this;
    lane.kept = 0;
    lane.wanted = 0;
    lane.lost = decoder !== null;
    this.hold(lane, NOTHING);
    if (decoder !== null) {
      const why = 'given up: unfinished messages of all connections together take too much memory';
      this.listener.trouble({ side: lane.side, at, decoder, why }, this);
    }
  }

  private hold(lane: Lane, buffer: Uint8Array): void {
    this.budget.pending += buffer.length - lane.pending.length;
    lane.pending = buffer;
  }

  private deliver(lane: Lane, messages: readonly Message[], at: number, left: number): void {
    for (let i = 0; i < messages.length; i++) {
      const message = messages[i]!;
      const { spoken } = this;
      spoken.asked = null;
      if (message.pair !== undefined) {
        if (message.kind === 'request') {
          this.ask(message.pair, message.name, at);
        } else if (message.kind === 'reply') {
          spoken.asked = this.answer(message, lane.began);
        }
      }
      spoken.side = lane.side;
      spoken.decoder = this.decoder!;
      spoken.message = message;
      spoken.at = at;
      spoken.began = lane.began;
      spoken.endsAt = lane.total - left;
      this.listener.message(spoken, this);
    }
  }

  private ask(pair: number | string, name: string, at: number): void {
    if (this.onlyPair === null || this.onlyPair === pair) {
      this.onlyPair = pair;
      this.only.name = name;
      this.only.at = at;
      this.only.firstReply = -1;
      return;
    }
    this.outstanding ??= new Map();
    if (this.outstanding.size >= MAX_OUTSTANDING) {
      this.oldest ??= this.outstanding.keys();
      let oldest = this.oldest.next();
      if (oldest.done) {
        this.oldest = this.outstanding.keys();
        oldest = this.oldest.next();
      }
      if (!oldest.done) {
        this.outstanding.delete(oldest.value);
        this.forgotten++;
      }
    }
    this.outstanding.set(pair, { name, at, firstReply: -1 });
  }

  private forget(): void {
    this.onlyPair = null;
    this.outstanding?.clear();
  }

  private answer(message: Message, began: number): Asked | null {
    if (message.pair === this.onlyPair) {
      if (this.only.firstReply < 0) {
        this.only.firstReply = began;
      }
      if (message.more !== true) {
        this.onlyPair = null;
      }
      return this.only;
    }
    const asked = this.outstanding?.get(message.pair!);
    if (asked === undefined) {
      return null;
    }
    if (asked.firstReply < 0) {
      asked.firstReply = began;
    }
    if (message.more !== true) {
      this.outstanding?.delete(message.pair!);
    }
    return asked;
  }

  /** The side that waited for a decision goes on, when there is a decoder now or never will be a better moment. */
  private decide(lane: Lane, last: boolean): void {
    if (lane.kept === 0 || lane.lost) {
      return;
    }
    if (this.decoder === null && (!last || !this.recognise(lane.side, lane.pending, 0, lane.kept, true))) {
      return;
    }
    if (lane.kept >= lane.wanted) {
      this.advance(lane, lane.pending, 0, lane.kept, lane.heard);
    }
  }

  private recognise(side: Side, bytes: Uint8Array, from: number, to: number, enough: boolean): boolean {
    const { decoder, score } = this.best(this.hint(side), bytes, from, to);
    if (decoder === null || (score < CERTAIN && !enough)) {
      return false;
    }
    this.use(decoder, this.hint(side), undefined);
    return true;
  }

  private resynchronise(side: Side, bytes: Uint8Array, from: number, to: number): boolean {
    if (this.decoder === null) {
      return true;
    }
    const hint: Hint = { ...this.start, side, midStream: true };
    if (this.decoder.recognises(hint, bytes, from, to) < CERTAIN) {
      return false;
    }
    this.forget();
    this.state = this.decoder.begin(hint);
    return true;
  }

  private best(
    hint: Hint,
    bytes: Uint8Array,
    from: number,
    to: number,
  ): { decoder: Decoder | null; score: number } {
    let decoder: Decoder | null = null;
    let score = 0;
    for (const candidate of this.candidates) {
      if (!candidate.transports.includes(hint.transport)) {
        continue;
      }
      const found = candidate.recognises(hint, bytes, from, to);
      if (found > score) {
        decoder = candidate;
        score = found;
      }
    }
    return { decoder, score };
  }

  private use(decoder: Decoder, hint: Hint, given: unknown): void {
    this.decoder = decoder;
    this.state = decoder.begin(hint, given);
  }

  private hint(side: Side): Hint {
    const { transport, clientPort, serverPort, midStream } = this.start;
    return { transport, clientPort, serverPort, side, midStream };
  }
}

function other(side: Side): Side {
  return side === 'client' ? 'server' : 'client';
}
