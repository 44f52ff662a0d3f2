/** Characters without end (RFC 864): for measuring how fast somebody can read, and what happens when nobody does. */
import { randomInt } from 'node:crypto';
import { AGAIN, type Reactor, type Stream } from '../../reactor/reactor.ts';
import type { RawHouse, RawService, ServerKind, Talk, Visit } from './kind.ts';

const FIRST = 32;
const CHARACTERS = 95;
const LINE = 72;
const MOST_DATAGRAM = 512;

/** Every line begins one character further on; after 95 lines it is the same again. */
const pattern = Buffer.from(
  Array.from({ length: CHARACTERS }, (_, line) =>
    [...Array(LINE).keys()].map((at) => String.fromCharCode(FIRST + ((line + at) % CHARACTERS))).join(''),
  )
    .map((line) => `${line}\r\n`)
    .join(''),
);
const PIECES = 8;
const stock = Buffer.concat(Array(PIECES + 1).fill(pattern));
const PIECE = pattern.length * PIECES;
/** Not for ever in one turn: others want to be served as well. */
const ROUNDS = 4;
const ignored = new Uint8Array(16 * 1024);

class Chargen implements Talk {
  readonly #stream: Stream;
  readonly #visit: Visit;
  readonly #reactor: Reactor;
  #at = 0;
  #received = 0;
  #sent = 0;
  #over = false;

  constructor(reactor: Reactor, stream: Stream, visit: Visit) {
    this.#reactor = reactor;
    this.#stream = stream;
    this.#visit = visit;
    reactor.soon(() => this.writable());
  }

  writable(): void {
    for (let round = 0; !this.#over; round++) {
      if (round === ROUNDS) {
        this.#reactor.soon(() => this.writable());
        return;
      }
      const taken = this.#stream.write(stock, this.#at, this.#at + PIECE);
      if (taken === AGAIN) {
        return;
      }
      if (taken < 0) {
        this.#end('reset by the client', false);
        return;
      }
      this.#sent += taken;
      this.#at = (this.#at + taken) % pattern.length;
      if (taken < PIECE) {
        return;
      }
    }
  }

  readable(): void {
    while (!this.#over) {
      const count = this.#stream.read(ignored, 0, ignored.length);
      if (count === AGAIN) {
        return;
      }
      if (count <= 0) {
        this.#end(count === 0 ? 'closed by the client' : 'reset by the client', true);
        return;
      }
      this.#received += count;
    }
  }

  drain(): void {
    this.#end('closed by the server', true);
  }

  moved(): readonly [number, number] {
    return [this.#received, this.#sent];
  }

  #end(how: string, fine: boolean): void {
    this.#over = true;
    this.#visit.done(how, this.#received, this.#sent, fine);
  }
}

function service({ reactor }: RawHouse): RawService {
  return {
    visit: (stream, visit) => new Chargen(reactor, stream, visit),
    // RFC 864: as many characters as it pleases, up to 512.
    datagram(_from, _bytes, _length, answer) {
      answer(stock, 0, randomInt(MOST_DATAGRAM + 1));
    },
  };
}

export const kind: ServerKind<null> = {
  name: 'chargen',
  about: 'characters without end',
  words: '',
  options: [],
  examples: ['sockscope serve chargen :1919', 'sockscope serve chargen --slow 10B/s'],
  port: 1919,
  over: ['tcp', 'udp', 'unix', 'unix-dgram'],
  tls: true,
  lines: 'connections',
  // Over UDP it answers more than it is asked: a favourite of those who flood others under a false address.
  guarded: true,
  plan: () => null,
  tries: ({ over, host, port, path }) => {
    if (path !== '') {
      return `nc -U ${path} | head`;
    }
    return over === 'udp' ? `echo | nc -uw1 ${host} ${port}` : `nc ${host} ${port} | head`;
  },
  raw: service,
};
