/** One thing that a client does on its connection: a command, a shell, SFTP, a forwarded connection. */
import type { ServerChannel } from 'ssh2';
import type { House } from '../kind.ts';

export interface Work {
  /** Nothing was asked that is not answered: a server that ends need not wait for it. */
  idle(): boolean;
  /** The client is gone, or the server has waited long enough. Called once. */
  end(why: 'client gone' | 'cut off'): void;
}

/** What every piece of work knows about its client. */
export interface Visitor {
  readonly house: House;
  /** `127.0.0.1:5000` */
  readonly peer: string;
  readonly user: string;
  /** `OpenSSH_9.2p1`, as it says itself. */
  readonly software: string;
}

/** Parts of ssh2's channel that its types leave out. */
export interface Tail {
  /** No more data from us; the other direction stays open. */
  eof(): void;
}

/** ssh2 types the channel of a server without it. */
export function eof(channel: ServerChannel): void {
  (channel as unknown as Tail).eof();
}

/** One line of the access log, begun now. */
export class Story {
  readonly #visitor: Visitor;
  readonly #since: number;
  readonly #what: string;
  received = 0;
  sent = 0;
  #told = false;

  constructor(visitor: Visitor, what: string) {
    this.#visitor = visitor;
    this.#what = what;
    this.#since = visitor.house.now();
  }

  tell(result: string, fine = true, note = ''): void {
    if (this.#told) {
      return;
    }
    this.#told = true;
    const { house, peer } = this.#visitor;
    const took = house.now() - this.#since;
    const { received, sent } = this;
    if (house.wantsLines) {
      house.access({
        at: this.#since,
        from: peer,
        what: this.#what,
        result,
        fine,
        took,
        received,
        sent,
        note,
      });
    } else {
      house.counted(took, received, sent, fine);
    }
  }
}
