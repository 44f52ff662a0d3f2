/**
 * The gate: messages are passed on when they are complete and have been judged. One per connection, with a stage for each
 * direction; both feed the same conversation, so that replies are known by their requests and an answer of our own takes its
 * turn. Whatever it cannot be sure of, it lets through and says so: it must never be the reason why a connection hangs.
 */
import type { Decoder, Side } from '../wire/app/decoder.ts';
import { type Budget, Conversation, type Spoken, type Start } from '../wire/conversation.ts';
import type { Heard } from '../wire/heard.ts';
import type { Verdict } from './control.ts';
import type { PlannedFault } from './fault.ts';
import { asksBack } from './gate/asks-back.ts';
import { judged } from './gate/judge.ts';
import { type Lane, newLane } from './gate/lane.ts';
import { type Entry, LINE_MAX, Line } from './gate/line.ts';
import { merged, type Order, type Piece } from './gate/piece.ts';
import type { Queue } from './gate/queue.ts';
import type { Rule } from './gate/rule.ts';
import type { Made } from './replies/made.ts';
import type { Stage, StageOut } from './stage.ts';

export { faultRule, holdRule, type Rule, setRule } from './gate/rule.ts';

/** A message larger than this is passed on as it comes, unjudged. */
export const GATE_MAX = 1 << 20;
/** Nanoseconds without a byte, after which what is no message (yet) is passed on: while no protocol is known, or nobody waits for a reply; */
export const GATE_QUIET = 50_000_000;
/** and where a message is under way. */
export const GATE_PATIENCE = 2_000_000_000;

export interface GateOptions {
  readonly start: Start;
  readonly candidates: readonly Decoder[];
  readonly fixed?: Decoder;
  readonly budget?: Budget;
  readonly rules: readonly Rule[];
  /** Secrets are shown to the person and to filters. */
  readonly reveal: boolean;
  /** Nanoseconds of the session, for messages. */
  now(): number;
  /** A message waits for a person; returns the number under which it is released. */
  held(message: Heard, bytes: Uint8Array): number;
  /** It waits no longer, though nobody said so: the connection or the gate is over. */
  forgotten(id: number): void;
  /** From here on this fault is a stage of the chains: behind the gate's. Called before the message itself is passed on. */
  handOver(fault: PlannedFault, from: Side): void;
  /** Call `timer` of this side's chain soon; never from within this call. */
  stir(from: Side): void;
}

export interface Gate {
  readonly client: Stage;
  readonly server: Stage;
  /** False: nobody waits under this number here. */
  release(id: number, verdict: Verdict): boolean;
  setRules(rules: readonly Rule[]): void;
  /** The connection is over, however it ended. */
  close(): void;
}

const NEVER = Number.POSITIVE_INFINITY;
/** Their messages lie in one another: bytes cannot be cut out by messages. */
const INTERLEAVED = new Set(['http2']);

export function createGate(options: GateOptions): Gate {
  return new Gates(options);
}

class Gates implements Gate {
  readonly client: Stage;
  readonly server: Stage;
  private readonly lanes: Readonly<Record<Side, Lane>> = {
    client: newLane('client'),
    server: newLane('server'),
  };
  private readonly options: GateOptions;
  private readonly conversation: Conversation;
  private readonly line = new Line();
  private readonly waiting = new Map<number, { lane: Lane; piece: Piece }>();
  private readonly told = new Set<string>();
  private rules: readonly Rule[] = [];
  private open = false;
  private closed = false;
  /** Our own reply is being fed to the decoder. */
  private own = false;
  /** Sides whose chain must be run. */
  private stirred: Side[] = [];

  constructor(options: GateOptions) {
    this.options = options;
    this.client = this.stage(this.lanes.client);
    this.server = this.stage(this.lanes.server);
    this.conversation = new Conversation(
      options.start,
      options.candidates,
      {
        message: (spoken) => this.spoken(spoken),
        trouble: ({ side, why }) => this.transparent(`${side}: ${why}`),
      },
      options.fixed,
      options.budget,
    );
    this.setRules(options.rules);
  }

  setRules(rules: readonly Rule[]): void {
    this.rules = rules;
    const replies = rules.some(({ action }) => action.do === 'set' && action.set.about === 'request');
    for (const lane of [this.lanes.client, this.lanes.server]) {
      const { side } = lane;
      lane.watched =
        rules.some(({ from }) => from === side || from === 'both') || (side === 'server' && replies);
    }
  }

  release(id: number, verdict: Verdict): boolean {
    const found = this.waiting.get(id);
    if (found === undefined) {
      return false;
    }
    this.waiting.delete(id);
    found.piece.verdict = verdict;
    this.stir(found.lane);
    this.flushStirs();
    return true;
  }

  close(): void {
    if (this.closed) {
      return;
    }
    this.closed = true;
    this.forgetHeld();
    for (const side of ['client', 'server'] as const) {
      const lane = this.lanes[side];
      lane.queue.drop(lane.queue.length);
      lane.pieces.length = 0;
      lane.covered = 0;
      this.conversation.end(side, this.options.now());
    }
  }

  private stage(lane: Lane): Stage {
    const gate = this;
    return {
      get held() {
        // What is not a whole message yet has a bound of its own; counted here, it might never become one.
        return lane.stalled ? lane.queue.length : lane.covered;
      },
      data(bytes, readAt, out) {
        lane.out = out;
        lane.heardAt = out.now;
        gate.feed(lane, bytes, readAt);
        gate.run(lane, out);
        gate.flushStirs();
      },
      end(out) {
        lane.out = out;
        gate.over(lane);
        gate.run(lane, out);
        gate.flushStirs();
      },
      timer(out) {
        lane.out = out;
        gate.run(lane, out);
        gate.flushStirs();
      },
      removed(out) {
        gate.transparent('');
        lane.stalled = false;
        gate.run(lane, out);
        gate.flushStirs();
      },
    };
  }

  // --- decoding

  private feed(lane: Lane, bytes: Uint8Array, readAt: number): void {
    lane.queue.put(bytes, readAt);
    if (this.open || this.closed) {
      return;
    }
    lane.ahead = bytes.length;
    let at = 0;
    // While a reply of our own waits for its turn, the decoder must not see what comes after that turn: byte by byte.
    while (lane.side === 'server' && this.line.own > 0 && at < bytes.length && !this.open) {
      this.answer();
      const size = Math.min(
        bytes.length - at,
        Math.max(1, Math.min(this.conversation.indifferent('server'), 1 << 16)),
      );
      this.decode(lane, bytes, at, at + size);
      at += size;
    }
    if (at < bytes.length && !this.open) {
      this.decode(lane, bytes, at, bytes.length);
    }
    this.answer();
  }

  private decode(lane: Lane, bytes: Uint8Array, from: number, to: number): void {
    lane.fed += to - from;
    lane.ahead -= to - from;
    this.conversation.feed(lane.side, bytes, from, to, this.options.now());
    this.finishSteps(lane);
  }

  private over(lane: Lane): void {
    lane.ended = true;
    if (!this.open && !this.closed) {
      this.conversation.end(lane.side, this.options.now());
      this.finishSteps(lane);
    }
    if (lane.queue.length > lane.covered) {
      this.cover(lane, lane.queue.length - lane.covered, null, false);
    }
    lane.judgedTo = lane.fed;
    this.answer();
  }

  private finishSteps(lane: Lane): void {
    this.finishStep(this.lanes.client);
    this.finishStep(this.lanes.server);
    const opposite = this.lanes[lane.side === 'client' ? 'server' : 'client'];
    if (opposite.pieces.length > 0) {
      this.stir(opposite);
    }
  }

  private spoken(spoken: Spoken): void {
    const lane = this.lanes[spoken.side];
    if (this.closed || this.open || (this.own && spoken.side === 'server')) {
      return;
    }
    if (lane.stepEnd !== spoken.endsAt) {
      this.finishStep(lane);
      lane.stepEnd = spoken.endsAt;
    }
    lane.sizes.push(spoken.message.bytes);
    lane.orders.push(this.judge(spoken, lane));
  }

  // --- judging

  private judge(spoken: Spoken, lane: Lane): Order | null {
    const { message, side, decoder } = spoken;
    let entry: Entry | null = null;
    if (message.pair !== undefined) {
      if (side === 'client' && message.kind === 'request') {
        entry = this.line.ask(message.pair);
        if (this.line.length > LINE_MAX) {
          this.transparent(`more than ${LINE_MAX} requests wait for their replies`);
          return null;
        }
      } else if (side === 'server' && message.kind === 'reply') {
        entry = this.line.find(message.pair);
        if (message.more !== true) {
          this.line.answered(message.pair, decoder.name);
        }
      }
    }
    return lane.watched || (side === 'client' && this.lanes.server.watched)
      ? judged(spoken, entry, {
          rules: this.rules,
          reveal: this.options.reveal,
          now: lane.out?.now ?? 0,
          say: (what) => this.once(lane, what),
        })
      : null;
  }

  /** The messages of one step become pieces: one each where their sizes add up, otherwise one for all. */
  private finishStep(lane: Lane): void {
    const { sizes, orders } = lane;
    const count = sizes.length;
    if (count === 0) {
      return;
    }
    const end = lane.stepEnd;
    const region = Math.max(0, end - lane.judgedTo);
    const decoded = lane.queue.length - lane.ahead - lane.covered;
    const here = Math.max(0, decoded - Math.max(0, lane.fed - end));
    let sum = 0;
    for (let i = 0; i < count; i++) {
      sum += sizes[i]!;
    }
    const touched = orders.filter((one) => one !== null);
    const before = region - sum;
    if (touched.length === 0) {
      this.cover(lane, here, null, false);
    } else if (
      here === region &&
      (before === 0 || (count === 1 && before > 0 && this.blank(lane, before))) &&
      !INTERLEAVED.has(touched[0]!.heard.decoder)
    ) {
      this.cover(lane, before, null, false);
      for (let i = 0; i < count; i++) {
        const order = orders[i]!;
        this.cover(lane, sizes[i]!, order, true);
        if (order?.made != null && order.entry !== null && order.fate === 'reply') {
          this.line.answerOurselves(order.entry, order.made);
        }
      }
    } else {
      this.cover(lane, here, merged(touched), false);
    }
    lane.judgedTo = Math.max(lane.judgedTo, end);
    lane.passing = false;
    lane.sizes = [];
    lane.orders = [];
  }

  /** Empty lines between messages, which belong to none. */
  private blank(lane: Lane, count: number): boolean {
    return lane.queue.peek(lane.covered, count).every((byte) => byte === 13 || byte === 10);
  }

  private cover(lane: Lane, length: number, order: Order | null, whole: boolean): void {
    const last = lane.pieces.at(-1);
    lane.covered += length;
    if (order === null && last !== undefined && last.order === null && last.made === null) {
      last.length += length;
    } else if (order !== null || length > 0) {
      lane.pieces.push({ length, order, whole, made: null, id: 0, verdict: null, delayed: false });
    }
  }

  // --- answering ourselves

  /** Puts in the replies whose turn it is, where the server has just finished a message. */
  private answer(): void {
    const { server } = this.lanes;
    const name = this.conversation.decoder?.name ?? '';
    while (this.line.own > 0 && !this.open && server.fed === server.judgedTo && !server.passing) {
      const entry = this.line.due(name, server.ended);
      if (entry === null) {
        return;
      }
      const made = entry.made!;
      this.line.remove(entry);
      if (server.endPassed) {
        this.once(server, 'the server has closed this direction: no reply can be put in');
        continue;
      }
      this.putIn(server, made);
    }
  }

  private putIn(server: Lane, made: Made): void {
    server.pieces.push({ length: 0, order: null, whole: false, made, id: 0, verdict: null, delayed: false });
    this.stir(server);
    if (server.ended) {
      return;
    }
    // The decoder must hear of it, or it would take the next reply for the answer to this request.
    server.fed += made.bytes.length;
    this.own = true;
    this.conversation.feed('server', made.bytes, 0, made.bytes.length, this.options.now());
    this.own = false;
    this.finishStep(this.lanes.client);
    server.judgedTo = server.fed;
  }

  // --- passing on

  private run(lane: Lane, out: StageOut): void {
    out.wake(NEVER);
    while (lane.pieces.length > 0 && !lane.stalled && !this.closed) {
      const piece = lane.pieces[0]!;
      if (piece.made !== null) {
        lane.pieces.shift();
        out.pass(piece.made.bytes, out.now);
        if (piece.made.closes) {
          lane.stalled = true;
          out.close();
          return;
        }
      } else if (piece.order === null || this.open) {
        this.shift(lane, piece);
        lane.queue.pass(piece.length, out);
      } else if (!this.carryOut(lane, piece, piece.order, out)) {
        return;
      }
    }
    if (lane.stalled || this.closed) {
      return;
    }
    this.passRest(lane, out);
    if (lane.ended && lane.queue.length === 0 && lane.pieces.length === 0 && !lane.endPassed) {
      lane.endPassed = true;
      out.end();
    }
  }

  /** What is no whole message yet. */
  private passRest(lane: Lane, out: StageOut): void {
    const { queue } = lane;
    if (queue.length === 0) {
      return;
    }
    if (!this.open && lane.watched && !lane.passing) {
      const known = this.conversation.decoder !== null;
      const nobody = lane.side === 'server' && this.line.length === 0;
      const until = lane.heardAt + (known && !nobody ? GATE_PATIENCE : GATE_QUIET);
      const askedBack = lane.side === 'server' && this.asksBack(queue);
      if (queue.length <= GATE_MAX && out.now < until && !askedBack) {
        out.wake(until);
        return;
      }
      if (queue.length > GATE_MAX) {
        this.once(lane, `a message of more than ${GATE_MAX >> 20} MiB is passed on as it comes`);
      } else if (known && !nobody && !askedBack) {
        this.once(lane, 'a message that comes too slowly is passed on as it comes');
      }
      // What trails a reply belongs to no message that anybody waits for.
      lane.passing = !(known && nobody);
      if (!lane.passing) {
        lane.judgedTo = lane.fed;
      }
    }
    queue.pass(queue.length, out);
    this.answer();
  }

  private asksBack(queue: Queue): boolean {
    const name = this.conversation.decoder?.name ?? '';
    return (name === 'postgres' || name === 'mysql') && asksBack(name, queue.peek(0, queue.length));
  }

  private shift(lane: Lane, piece: Piece): void {
    lane.pieces.shift();
    lane.covered -= piece.length;
  }

  /** False: it has to wait, or nothing comes after it. */
  private carryOut(lane: Lane, piece: Piece, order: Order, out: StageOut): boolean {
    if (order.delay > 0) {
      const due = lane.queue.readAt() + order.delay;
      if (due > out.now) {
        out.wake(due);
        return false;
      }
      if (!piece.delayed) {
        piece.delayed = true;
        out.say(`${order.by}: delayed ${Math.round(order.delay / 1e6)} ms: ${order.heard.summary}`);
      }
    }
    const verdict = order.hold ? this.verdictOn(lane, piece, order) : null;
    if (order.hold && verdict === null) {
      return false;
    }
    for (const fault of order.over.splice(0)) {
      out.say(order.by);
      this.options.handOver(fault, lane.side);
    }
    if (verdict?.verdict === 'drop') {
      this.gone(lane, piece, order, true);
      return true;
    }
    if (verdict?.verdict === 'edit') {
      this.shift(lane, piece);
      lane.queue.drop(piece.length);
      if (order.entry !== null) {
        this.line.leave(order.entry);
      }
      out.pass(verdict.bytes, out.now);
      return true;
    }
    return this.finally(lane, piece, order, out);
  }

  private finally(lane: Lane, piece: Piece, order: Order, out: StageOut): boolean {
    switch (order.fate) {
      case 'reset':
        out.say(`${order.by}: reset at ${order.heard.summary}`);
        lane.stalled = true;
        out.reset();
        return false;
      case 'close':
        out.say(`${order.by}: closed at ${order.heard.summary}`);
        lane.stalled = true;
        out.close();
        return false;
      case 'stall':
        out.say(`${order.by}: nothing more in this direction, from ${order.heard.summary} on`);
        lane.stalled = true;
        return false;
      case 'drop':
      case 'reply':
        if (piece.whole) {
          out.say(`${order.by}: ${order.fate === 'drop' ? 'dropped' : 'answered'} ${order.heard.summary}`);
          this.gone(lane, piece, order, order.fate === 'drop');
          return true;
        }
        this.once(lane, `${order.by}: this ${order.heard.decoder} message cannot be cut out, and goes on`);
        break;
      case 'go':
    }
    this.passChanged(lane, piece, order, out);
    return true;
  }

  private passChanged(lane: Lane, piece: Piece, order: Order, out: StageOut): void {
    this.shift(lane, piece);
    if (order.sets.length === 0) {
      lane.queue.pass(piece.length, out);
      return;
    }
    if (!piece.whole) {
      this.once(
        lane,
        `${order.by}: this ${order.heard.decoder} message cannot be changed, and goes on as it is`,
      );
      lane.queue.pass(piece.length, out);
      return;
    }
    const readAt = lane.queue.readAt();
    const bytes = this.changed(lane, lane.queue.take(piece.length), order);
    out.say(`${order.by}: changed ${order.heard.name}`);
    out.pass(bytes, readAt);
  }

  private changed(lane: Lane, bytes: Uint8Array, order: Order): Uint8Array {
    let now = bytes;
    for (const set of order.sets) {
      const next = set.change(now, order.heard);
      if (next === null) {
        this.once(lane, `set ${set.text}: not possible in this message`);
      }
      now = next ?? now;
    }
    return now;
  }

  /** The message is not passed on. `unanswered`: nor will there be a reply to it. */
  private gone(lane: Lane, piece: Piece, order: Order, unanswered: boolean): void {
    this.shift(lane, piece);
    lane.queue.drop(piece.length);
    const { entry } = order;
    if (entry !== null && lane.side === 'client') {
      if (unanswered) {
        this.line.remove(entry);
      } else {
        entry.ready = true;
      }
      this.answer();
    }
  }

  private verdictOn(lane: Lane, piece: Piece, order: Order): Verdict | null {
    if (piece.verdict === null && piece.id === 0) {
      const bytes = lane.queue.peek(0, piece.length);
      piece.id = this.options.held(order.heard, piece.whole ? this.changed(lane, bytes, order) : bytes);
      this.waiting.set(piece.id, { lane, piece });
    }
    return piece.verdict;
  }

  // --- letting go

  /** Everything goes on from now on, and nothing is judged any more. */
  private transparent(why: string): void {
    if (this.open || this.closed) {
      return;
    }
    this.open = true;
    const lane = this.lanes.client.out !== null ? this.lanes.client : this.lanes.server;
    if (why !== '') {
      this.once(lane, `messages are no longer held or changed here: ${why}`);
    }
    this.forgetHeld();
    this.stir(this.lanes.client);
    this.stir(this.lanes.server);
  }

  private forgetHeld(): void {
    for (const id of this.waiting.keys()) {
      this.options.forgotten(id);
    }
    this.waiting.clear();
  }

  private once(lane: Lane, what: string): void {
    if (!this.told.has(what) && this.told.size < 64) {
      this.told.add(what);
      lane.out?.say(what);
    }
  }

  private stir(lane: Lane): void {
    if (!this.stirred.includes(lane.side)) {
      this.stirred.push(lane.side);
    }
  }

  private flushStirs(): void {
    while (this.stirred.length > 0) {
      const side = this.stirred.pop()!;
      const { out } = this.lanes[side];
      out?.wake(0);
      this.options.stir(side);
    }
  }
}
