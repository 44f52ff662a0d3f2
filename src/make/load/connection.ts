/** One connection of a run and what is asked through it. */
import { errnoName } from '../../kernel/errno.ts';
import { AGAIN, type Stream, type StreamEvents } from '../../reactor/reactor.ts';
import type { Caller, Desk } from './desk.ts';
import { record } from './histogram.ts';
import type { Manner, Recogniser } from './kind.ts';
import { noteError } from './tally.ts';

const REDIAL_NS = 50e6;
const SPACE = 0x20;

export class Connection implements Caller, StreamEvents {
  flying = 0;
  connecting = false;
  readonly #desk: Desk;
  readonly #answers: Recogniser;
  readonly #manner: Manner;
  /** A connection for many requests; otherwise each begins with a connect. */
  readonly #pooled: boolean;
  readonly #most: number;
  /** When the requests on their way began: a ring. */
  readonly #starts: Float64Array;
  #first = 0;
  #stream: Stream | null = null;
  /** Bytes of requests that the kernel did not take yet. */
  #owed = 0;
  /** When something was last sent or heard. */
  #since = 0;
  #answered = 0;
  #isFirst = true;

  constructor(desk: Desk) {
    this.#desk = desk;
    this.#manner = desk.kind.manner;
    this.#pooled = this.#manner === 'talk' && desk.plan.wishes.keepAlive;
    this.#most = this.#pooled ? desk.plan.pipeline : 1;
    this.#starts = new Float64Array(this.#most);
    this.#answers = desk.kind.recogniser(desk.plan.wishes);
  }

  get oldest(): number {
    return this.#starts[this.#first]!;
  }

  launch(now: number): void {
    if (this.#pooled) {
      this.#dial(now);
    } else {
      this.fill(now);
    }
  }

  fill(now: number): void {
    const desk = this.#desk;
    if (this.#pooled && (this.#stream === null || this.connecting)) {
      return;
    }
    let begun = 0;
    while (this.flying < this.#most) {
      const start = desk.pace.begin(now, !desk.nobodyFree);
      if (start < 0) {
        desk.free(this);
        break;
      }
      this.#starts[(this.#first + this.flying) % this.#most] = start;
      this.flying++;
      begun++;
    }
    if (begun === 0) {
      return;
    }
    desk.flying += begun;
    if (this.#pooled) {
      desk.tally.reused += this.#answered === 0 ? begun - 1 : begun;
      this.#send(begun, now);
    } else {
      this.#dial(now);
    }
  }

  sweep(now: number): void {
    const owesUs = this.flying > 0 || this.#manner === 'open-close';
    const busy = this.connecting || (owesUs && this.#stream !== null);
    if (!busy || now - this.#since < this.#desk.plan.timeoutNs) {
      return;
    }
    this.#lose(this.connecting ? 'connect timeout' : 'timeout');
  }

  close(): void {
    this.#stream?.close();
    this.#stream = null;
  }

  connected(stream: Stream, result: number): void {
    const desk = this.#desk;
    if (stream !== this.#stream || desk.ended) {
      return;
    }
    this.connecting = false;
    this.#tellLaunched();
    if (result < 0) {
      this.#stream = null;
      this.#failed(result);
      return;
    }
    const now = desk.clock();
    desk.tally.opened++;
    desk.open++;
    this.#since = now;
    this.#answered = 0;
    desk.lives(now);
    switch (this.#manner) {
      case 'hold':
        this.#over(now);
        break;
      case 'open-close':
        this.#over(now);
        if (desk.plan.closeBy === 'client') {
          this.#closeAndGoOn(now);
        }
        break;
      default:
        if (this.#pooled) {
          this.fill(now);
        } else {
          this.#send(1, now);
        }
    }
  }

  readable(stream: Stream): void {
    const desk = this.#desk;
    const { buffer } = desk;
    while (stream === this.#stream && !desk.ended) {
      const got = stream.read(buffer, 0, buffer.length);
      if (got <= 0) {
        if (got !== AGAIN) {
          this.#ended(got);
        }
        return;
      }
      desk.tally.received += got;
      this.#heard(got);
      if (got < buffer.length && !stream.hungUp) {
        return;
      }
    }
  }

  writable(stream: Stream): void {
    if (stream === this.#stream && !this.#desk.ended) {
      this.#flush();
    }
  }

  #dial(now: number): void {
    const { reactor, plan } = this.#desk;
    this.#answers.reset();
    this.#owed = 0;
    this.#since = now;
    this.connecting = true;
    const made = reactor.connect(plan.target, { wishes: plan.sockopt }, this);
    if (typeof made === 'number') {
      this.connecting = false;
      this.#tellLaunched();
      this.#failed(made);
      return;
    }
    this.#stream = made;
  }

  #tellLaunched(): void {
    if (this.#isFirst) {
      this.#isFirst = false;
      this.#desk.launched();
    }
  }

  #send(requests: number, now: number): void {
    this.#since = now;
    const before = this.#owed;
    this.#owed += requests * this.#desk.request.length;
    if (before === 0) {
      this.#flush();
    }
  }

  /** All requests are alike, so what is owed is the end of as many of them. */
  #flush(): void {
    const { request, batch, tally } = this.#desk;
    const stream = this.#stream!;
    while (this.#owed > 0) {
      const rest = this.#owed % request.length;
      const from = rest === 0 ? 0 : request.length - rest;
      const to = Math.min(batch.length, from + this.#owed);
      const taken = stream.write(batch, from, to);
      if (taken < 0) {
        // What broke the connection is told to whoever reads.
        return;
      }
      this.#owed -= taken;
      tally.sent += taken;
      if (taken < to - from) {
        return;
      }
    }
  }

  #heard(got: number): void {
    if (this.#manner !== 'talk') {
      return;
    }
    const desk = this.#desk;
    const answers = this.#answers;
    const now = desk.clock();
    this.#since = now;
    for (let at = 0; at < got; ) {
      if (this.flying === 0 && isBlank(desk.buffer, at, got)) {
        // The end of a line behind the last answer.
        break;
      }
      at = this.flying === 0 ? -1 : answers.take(desk.buffer, at, got);
      if (at < 0) {
        this.#misunderstood();
        return;
      }
      if (answers.done) {
        desk.tally.byStatus[answers.status]!++;
        this.#over(now);
        if (answers.last || !this.#pooled) {
          this.#closeAndGoOn(now);
          return;
        }
      }
    }
    if (this.flying < this.#most) {
      this.fill(now);
    }
  }

  /** The oldest request is over, and well. */
  #over(now: number): void {
    const desk = this.#desk;
    record(desk.tally.latencies, now - this.#starts[this.#first]!);
    this.#first = this.#first + 1 === this.#most ? 0 : this.#first + 1;
    this.flying--;
    this.#answered++;
    desk.flying--;
    desk.tally.requests++;
    desk.lives(now);
    desk.settle();
  }

  #misunderstood(): void {
    const desk = this.#desk;
    const problem =
      this.flying === 0 ? 'it sent more than was asked for' : `it does not speak ${desk.kind.name}`;
    if (this.#answered === 0) {
      desk.stop({ code: 'protocol', problem });
    } else {
      this.#lose(problem);
    }
  }

  /** FIN (0) or an error. */
  #ended(result: number): void {
    const desk = this.#desk;
    const now = desk.clock();
    if (this.#manner === 'open-close') {
      this.#closeAndGoOn(now);
      return;
    }
    if (result === 0 && this.flying > 0 && this.#answers.ended()) {
      desk.tally.byStatus[this.#answers.status]!++;
      this.#over(now);
      this.#closeAndGoOn(now);
      return;
    }
    if (this.flying === 0 && this.#manner === 'talk' && this.#answered > 0) {
      // It closes what is idle; that is its right.
      this.#closeAndGoOn(now);
      return;
    }
    const fin = this.#manner === 'hold' ? 'closed by the server' : 'closed without an answer';
    this.#lose(result === 0 ? fin : `read ${errnoName(result)}`);
  }

  /** Requests behind an answer that was the last one are asked again elsewhere. */
  #closeAndGoOn(now: number): void {
    const desk = this.#desk;
    const before = this.#stream;
    this.close();
    desk.open -= before === null ? 0 : 1;
    for (; this.flying > 0; this.flying--) {
      desk.flying--;
      desk.pace.giveBack();
    }
    if (!desk.ended) {
      this.launch(now);
    }
  }

  #lose(what: string): void {
    const desk = this.#desk;
    const stood = this.#stream !== null && !this.connecting;
    const times = Math.max(1, this.flying);
    noteError(desk.tally, what, times);
    this.close();
    desk.open -= stood ? 1 : 0;
    desk.tally.failed += stood ? 0 : 1;
    this.connecting = false;
    this.#tellLaunched();
    this.#dropFlying(false);
    if (this.#manner === 'hold') {
      // It is to be held again.
      desk.pace.giveBack();
    }
    desk.settle();
    this.#again(this.#answered > 0 ? 0 : REDIAL_NS);
  }

  #dropFlying(giveBack: boolean): void {
    const desk = this.#desk;
    for (; this.flying > 0; this.flying--) {
      desk.flying--;
      if (giveBack) {
        desk.pace.giveBack();
      }
    }
  }

  #failed(errno: number): void {
    const desk = this.#desk;
    noteError(desk.tally, `connect ${errnoName(errno)}`);
    desk.tally.failed++;
    this.#dropFlying(this.#manner === 'hold');
    if (desk.goesOn(errno)) {
      desk.settle();
      this.#again(REDIAL_NS);
    }
  }

  #again(ns: number): void {
    const desk = this.#desk;
    if (desk.ended) {
      return;
    }
    const run = (): void => {
      if (!desk.ended && this.#stream === null) {
        this.launch(desk.clock());
      }
    };
    if (ns === 0) {
      desk.reactor.soon(run);
    } else {
      desk.reactor.after(ns, run);
    }
  }
}

function isBlank(bytes: Uint8Array, from: number, to: number): boolean {
  for (let at = from; at < to; at++) {
    if (bytes[at]! > SPACE) {
      return false;
    }
  }
  return true;
}
