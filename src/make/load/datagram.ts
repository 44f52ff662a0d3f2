/** One socket for datagrams. After a timeout a new one takes its place, so that an answer that comes late is nobody's. */
import { errnoName } from '../../kernel/errno.ts';
import { AGAIN, type DatagramEvents, type Datagrams } from '../../reactor/reactor.ts';
import type { Caller, Desk } from './desk.ts';
import { record } from './histogram.ts';
import { noteError } from './tally.ts';

const REDIAL_NS = 50e6;

export class DatagramCaller implements Caller, DatagramEvents {
  flying = 0;
  readonly connecting = false;
  oldest = 0;
  readonly #desk: Desk;
  #socket: Datagrams | null = null;
  #since = 0;

  constructor(desk: Desk) {
    this.#desk = desk;
  }

  launch(now: number): void {
    const desk = this.#desk;
    const made = desk.reactor.datagrams(null, desk.plan.target, this);
    desk.launched();
    if (typeof made === 'number') {
      noteError(desk.tally, `socket ${errnoName(made)}`);
      desk.tally.failed++;
      if (desk.goesOn(made)) {
        this.#again();
      }
      return;
    }
    this.#socket = made;
    desk.tally.opened++;
    desk.open++;
    this.fill(now);
  }

  fill(now: number): void {
    const desk = this.#desk;
    if (this.flying > 0 || this.#socket === null) {
      return;
    }
    const start = desk.pace.begin(now, !desk.nobodyFree);
    if (start < 0) {
      desk.free(this);
      return;
    }
    const { request, tally } = desk;
    this.oldest = start;
    this.#since = now;
    this.flying = 1;
    desk.flying++;
    const sent = this.#socket.send(request, 0, request.length, null);
    if (sent === request.length) {
      tally.sent += sent;
    } else if (sent !== AGAIN) {
      this.#lost(`send ${errnoName(sent)}`);
    }
  }

  datagram(_from: unknown, _bytes: Uint8Array, length: number): void {
    const desk = this.#desk;
    if (desk.ended || this.flying === 0) {
      return;
    }
    const now = desk.clock();
    const { tally, request } = desk;
    tally.received += length;
    if (length !== request.length) {
      noteError(tally, 'another length came back');
    } else {
      tally.requests++;
      record(tally.latencies, now - this.oldest);
    }
    this.#done();
    desk.lives(now);
    desk.settle();
    if (!desk.ended) {
      this.fill(now);
    }
  }

  error(errno: number): void {
    if (this.flying > 0 && !this.#desk.ended) {
      this.#lost(`recv ${errnoName(errno)}`, errno);
    }
  }

  sweep(now: number): void {
    if (this.flying > 0 && now - this.#since >= this.#desk.plan.timeoutNs) {
      this.#lost('timeout');
    }
  }

  close(): void {
    if (this.#socket !== null) {
      this.#socket.close();
      this.#socket = null;
    }
  }

  #done(): void {
    this.flying = 0;
    this.#desk.flying--;
  }

  #lost(what: string, errno = 0): void {
    const desk = this.#desk;
    noteError(desk.tally, what);
    if (this.flying > 0) {
      this.#done();
    }
    this.close();
    desk.open--;
    if (errno === 0 || desk.goesOn(errno)) {
      desk.settle();
      this.#again();
    }
  }

  #again(): void {
    const desk = this.#desk;
    if (desk.ended) {
      return;
    }
    desk.reactor.after(REDIAL_NS, () => {
      if (!desk.ended && this.#socket === null) {
        this.launch(desk.clock());
      }
    });
  }
}
