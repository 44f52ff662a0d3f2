/** DNS over TCP: messages with their length in two bytes before them, several at once, answered as they are ready (RFC 7766). */
import { AGAIN, type Stream } from '../../../reactor/reactor.ts';
import type { Talk, Visit } from '../kind.ts';

/** Little at a time: everything that a piece asks is answered before the next is read. */
const PIECE = 4096;
/** Questions of one connection that wait for the upstream. */
const MOST_WAITING = 64;
const SMALLEST = 256;
const RESET = 'reset by the client';

/** One for all connections. */
const piece = new Uint8Array(PIECE);
const framed = new Uint8Array(2 + 0xffff);

/** Answers one message, now or later; the bytes are borrowed. Exactly one `answer`; null is none. */
export type Asked = (
  bytes: Uint8Array,
  visit: Visit,
  answer: (bytes: Uint8Array | null, length: number) => number,
) => void;

export class DnsTalk implements Talk {
  readonly #stream: Stream;
  readonly #visit: Visit;
  readonly #asked: Asked;
  /** The message that has not come as a whole yet. */
  #part = new Uint8Array(0);
  #have = 0;
  /** What the socket did not take. */
  #out: Uint8Array[] = [];
  #waiting = 0;
  #received = 0;
  #sent = 0;
  /** Nothing more is read: the client's FIN, or a drain. */
  #last = '';
  #gone = false;

  constructor(stream: Stream, visit: Visit, asked: Asked) {
    this.#stream = stream;
    this.#visit = visit;
    this.#asked = asked;
  }

  readable(): void {
    while (this.#last === '' && !this.#gone && this.#out.length === 0 && this.#waiting < MOST_WAITING) {
      const count = this.#stream.read(piece, 0, PIECE);
      if (count === AGAIN) {
        return;
      }
      if (count < 0) {
        this.#end(RESET);
        return;
      }
      if (count === 0) {
        this.#last =
          this.#have > 0 ? 'closed by the client in the middle of a query' : 'closed by the client';
        break;
      }
      this.#received += count;
      this.#feed(count);
      if (count < PIECE && !this.#stream.hungUp) {
        break;
      }
    }
    this.#finish();
  }

  writable(): void {
    while (this.#out.length > 0 && !this.#gone) {
      const first = this.#out[0]!;
      const count = this.#stream.write(first, 0, first.length);
      if (count === AGAIN) {
        return;
      }
      if (count < 0) {
        this.#end(RESET);
        return;
      }
      if (count === first.length) {
        this.#out.shift();
      } else {
        this.#out[0] = first.subarray(count);
        return;
      }
    }
    this.readable();
  }

  drain(): void {
    this.#last ||= 'drained';
    this.#finish();
  }

  dropped(): void {
    this.#gone = true;
  }

  /** The message may lie in `piece`, which the next connection uses too: whoever keeps it copies it. */
  #feed(count: number): void {
    for (let at = 0; at < count && !this.#gone; ) {
      const size = count - at >= 2 ? 2 + ((piece[at]! << 8) | piece[at + 1]!) : Number.POSITIVE_INFINITY;
      if (this.#have === 0 && size <= count - at) {
        this.#ask(piece.subarray(at + 2, at + size));
        at += size;
        continue;
      }
      const whole = this.#have < 2 ? 2 : this.#whole();
      const some = Math.min(whole - this.#have, count - at);
      this.#keep(at, some);
      at += some;
      if (this.#have >= 2 && this.#have === this.#whole()) {
        this.#have = 0;
        this.#ask(this.#part.subarray(2, this.#whole()));
      }
    }
  }

  #whole(): number {
    return 2 + ((this.#part[0]! << 8) | this.#part[1]!);
  }

  #keep(at: number, count: number): void {
    if (this.#have + count > this.#part.length) {
      const larger = new Uint8Array(Math.max(SMALLEST, 2 * this.#part.length, this.#have + count));
      larger.set(this.#part.subarray(0, this.#have));
      this.#part = larger;
    }
    this.#part.set(piece.subarray(at, at + count), this.#have);
    this.#have += count;
  }

  #ask(bytes: Uint8Array): void {
    let now = true;
    this.#waiting += 1;
    this.#asked(bytes, this.#visit, (answer, length) => {
      this.#waiting -= 1;
      const sent = answer === null || this.#gone ? 0 : this.#send(answer, length);
      if (!now) {
        this.readable();
      }
      return sent;
    });
    now = false;
  }

  #send(bytes: Uint8Array, length: number): number {
    framed[0] = length >> 8;
    framed[1] = length & 255;
    framed.set(bytes.subarray(0, length), 2);
    const whole = 2 + length;
    this.#sent += whole;
    const taken = this.#out.length > 0 ? 0 : this.#stream.write(framed, 0, whole);
    if (taken < 0 && taken !== AGAIN) {
      this.#end(RESET);
      return taken;
    }
    if (taken < whole) {
      this.#out.push(framed.slice(Math.max(0, taken), whole));
    }
    return whole;
  }

  #finish(): void {
    if (this.#last !== '' && this.#waiting === 0 && this.#out.length === 0) {
      this.#end(this.#last);
    }
  }

  #end(how: string): void {
    if (!this.#gone) {
      this.#gone = true;
      const fine = how !== RESET;
      this.#visit.done(how, this.#received, this.#sent, fine);
    }
  }
}
