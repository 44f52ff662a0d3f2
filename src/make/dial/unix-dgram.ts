/**
 * Datagrams over a UNIX socket. Node has none, so the epoll reactor does it, turned from Node's loop: at once while there is something
 * to do, every 16 ms when it has been quiet. We have a name of our own, because without one nobody could answer (unix(7)).
 */
import { randomBytes } from 'node:crypto';
import { SockscopeError } from '../../errors.ts';
import { errnoMeaning, errnoName } from '../../kernel/errno.ts';
import { createEpollReactor, type EpollReactor } from '../../reactor/epoll.ts';
import type { Datagrams } from '../../reactor/reactor.ts';
import { Outgoing } from './datagrams.ts';
import type { Conversation, DialEar, DialKind, DialPlan } from './kind.ts';
import { notConnected } from './refusal.ts';

const EBADF = -9;
const QUIETEST_MS = 16;

class UnixDatagrams implements Conversation {
  readonly halfCloses = false;
  readonly #ear: DialEar;
  readonly #reactor: EpollReactor;
  readonly #out: Outgoing;
  #socket: Datagrams | null = null;
  #received = 0;
  #wait = 1;
  #timer: NodeJS.Timeout | null = null;
  #held = false;
  #over = false;

  constructor(ear: DialEar, reactor: EpollReactor) {
    this.#ear = ear;
    this.#reactor = reactor;
    this.#out = new Outgoing(ear, (bytes) => this.#socket?.send(bytes, 0, bytes.length, null) ?? EBADF);
  }

  get pieces(): { sent: number; received: number } {
    return { sent: this.#out.sent, received: this.#received };
  }

  connect({ path }: DialPlan): number {
    const local = `@sockscope-dial-${process.pid}-${randomBytes(4).toString('hex')}`;
    const socket = this.#reactor.datagrams(
      { kind: 'unix', path: local },
      { kind: 'unix', path },
      {
        datagram: (_from, bytes, length) => {
          this.#received += 1;
          this.#wait = 1;
          this.#ear.arrived(bytes.slice(0, length));
        },
        error: (errno) => this.#failed(errno),
      },
    );
    if (typeof socket === 'number') {
      this.#reactor.close();
      return socket;
    }
    this.#socket = socket;
    this.#ear.tell({ type: 'ready', address: path, name: '', local, ns: this.#ear.now() });
    this.#turn();
    return 0;
  }

  send(bytes: Uint8Array): boolean {
    this.#wait = 1;
    return this.#over || this.#out.add(bytes);
  }

  finish(): void {}

  /** What is not read fills the queue at our end, and its sender waits: the kernel does that for UNIX sockets. */
  hold(on: boolean): void {
    this.#held = on;
    if (!on && this.#timer === null) {
      this.#turn();
    }
  }

  reset(): void {
    void this.close();
  }

  async close(): Promise<void> {
    this.#over = true;
    this.#out.stop();
    if (this.#timer !== null) {
      clearTimeout(this.#timer);
    }
    this.#socket = null;
    this.#reactor.close();
  }

  #turn(): void {
    this.#timer = null;
    if (this.#over || this.#held) {
      return;
    }
    this.#wait = Math.min(QUIETEST_MS, this.#wait * 2);
    this.#reactor.turn(0);
    if (!this.#over) {
      this.#timer = setTimeout(() => this.#turn(), this.#wait);
    }
  }

  #failed(errno: number): void {
    if (!this.#over) {
      this.#ear.tell({
        type: 'broken',
        error: errnoName(errno),
        meaning: errnoMeaning(errno),
        ns: this.#ear.now(),
      });
      this.#over = true;
      this.#ear.over(true);
    }
  }
}

export const kind: DialKind = {
  name: 'unix-dgram',
  schemes: ['unix-dgram'],
  about: 'datagrams over a UNIX socket',
  port: 0,
  async open(plan, ear) {
    const reactor = createEpollReactor();
    if (typeof reactor === 'number') {
      return new SockscopeError(
        'DIAL_DGRAM',
        'Datagrams over UNIX sockets need Linux here.',
        'Use udp://.',
        3,
      );
    }
    const conversation = new UnixDatagrams(ear, reactor);
    const result = conversation.connect(plan);
    return result === 0 ? conversation : notConnected(plan, plan.path, result, false);
  },
};
