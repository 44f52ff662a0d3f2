/** Datagrams on their way out: kept in order, each whole, and sent again when the socket had no room. */
import { errnoMeaning, errnoName } from '../../kernel/errno.ts';
import { AGAIN } from '../../reactor/reactor.ts';
import type { DialEar } from './kind.ts';

/** What one read brings is one datagram, as nc has it; a longer one is cut, because more than this meets limits on the way. */
export const MOST_DATAGRAM = 16 * 1024;
const RETRY_MS = 2;

export class Outgoing {
  sent = 0;
  readonly #ear: DialEar;
  readonly #send: (bytes: Uint8Array) => number;
  #waiting: Uint8Array[] = [];
  #timer: NodeJS.Timeout | null = null;

  constructor(ear: DialEar, send: (bytes: Uint8Array) => number) {
    this.#ear = ear;
    this.#send = send;
  }

  get empty(): boolean {
    return this.#waiting.length === 0;
  }

  /** No bytes are a datagram too. */
  add(bytes: Uint8Array): boolean {
    for (let at = 0; at === 0 || at < bytes.length; at += MOST_DATAGRAM) {
      this.#waiting.push(bytes.subarray(at, at + MOST_DATAGRAM));
    }
    this.#push();
    return this.empty;
  }

  stop(): void {
    this.#waiting = [];
    if (this.#timer !== null) {
      clearTimeout(this.#timer);
      this.#timer = null;
    }
  }

  #push(): void {
    while (this.#waiting.length > 0 && this.#timer === null) {
      const result = this.#send(this.#waiting[0]!);
      if (result === AGAIN) {
        this.#timer = setTimeout(() => this.#again(), RETRY_MS);
        return;
      }
      this.#waiting.shift();
      if (result < 0) {
        this.#ear.tell({
          type: 'broken',
          error: errnoName(result),
          meaning: errnoMeaning(result),
          ns: this.#ear.now(),
        });
      } else {
        this.sent += 1;
      }
    }
  }

  #again(): void {
    this.#timer = null;
    this.#push();
    if (this.empty) {
      this.#ear.room();
    }
  }
}
