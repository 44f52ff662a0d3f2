/** Sends back what it gets (RFC 862). */
import { AGAIN, type Stream } from '../../reactor/reactor.ts';
import type { RawHouse, RawService, ServerKind, Talk, Visit } from './kind.ts';

/** Of a connection that does not take its answer this much waits here; then nothing more is read from it. */
const PIECE = 64 * 1024;
const DRAIN_GRACE_NS = 200e6;

/** One for all connections: what does not fit into the socket is copied out of it. */
const shared = new Uint8Array(PIECE);

class Echo implements Talk {
  readonly #house: RawHouse;
  readonly #stream: Stream;
  readonly #visit: Visit;
  /** Read, and not yet taken by the socket. */
  #rest: Uint8Array | null = null;
  #received = 0;
  #sent = 0;
  #draining = false;
  /** We said that we say no more; what still comes is read to see its end. */
  #finished = false;
  #ended = false;

  constructor(house: RawHouse, stream: Stream, visit: Visit) {
    this.#house = house;
    this.#stream = stream;
    this.#visit = visit;
  }

  readable(): void {
    while (this.#rest === null && !this.#ended) {
      const count = this.#stream.read(shared, 0, PIECE);
      if (count === AGAIN) {
        break;
      }
      if (count <= 0) {
        this.#ended = true;
        this.#done(count === 0 ? 'closed by the client' : 'reset by the client', count === 0);
        return;
      }
      this.#received += count;
      if (!this.#finished) {
        this.#send(shared, count);
      }
      if (count < PIECE && !this.#stream.hungUp) {
        break;
      }
    }
    if (this.#draining && !this.#finished && this.#rest === null && !this.#ended) {
      this.#finished = true;
      this.#stream.shutdown();
    }
  }

  writable(): void {
    const rest = this.#rest;
    if (rest !== null) {
      this.#rest = null;
      this.#send(rest, rest.length);
      if (this.#rest === null) {
        this.readable();
      }
    }
  }

  /** What the client sent before, and what is on its way, comes back; then it is told that we will say no more, and ends by itself. */
  drain(): void {
    this.#house.reactor.after(DRAIN_GRACE_NS, () => {
      this.#draining = true;
      this.readable();
    });
  }

  #send(bytes: Uint8Array, length: number): void {
    const taken = this.#stream.write(bytes, 0, length);
    if (taken < 0 && taken !== AGAIN) {
      this.#ended = true;
      this.#done('reset by the client', false);
      return;
    }
    const sent = Math.max(taken, 0);
    this.#sent += sent;
    if (sent < length) {
      this.#rest = bytes.slice(sent, length);
    }
  }

  moved(): readonly [number, number] {
    return [this.#received, this.#sent];
  }

  #done(how: string, fine: boolean): void {
    this.#visit.done(how, this.#received, this.#sent, fine);
  }
}

function service(house: RawHouse): RawService {
  return {
    visit: (stream, visit) => new Echo(house, stream, visit),
    datagram(_from, bytes, length, answer) {
      answer(bytes, 0, length);
    },
  };
}

export const kind: ServerKind<null> = {
  name: 'echo',
  about: 'sends back what it gets',
  words: '',
  options: [],
  examples: [
    'sockscope serve echo :7007',
    'sockscope serve echo udp:7007',
    'sockscope serve echo unix:/tmp/echo.sock',
  ],
  port: 7007,
  over: ['tcp', 'udp', 'unix', 'unix-dgram'],
  tls: true,
  lines: 'connections',
  plan: () => null,
  tries: ({ over, host, port, path, tls, authority }) => {
    if (over === 'unix') {
      return `echo hello | nc -NU ${path}`;
    }
    if (over === 'unix-dgram') {
      return `echo hello | sockscope dial unix-dgram:${path}`;
    }
    if (tls) {
      return `echo hello | openssl s_client -quiet -connect ${host}:${port} -CAfile ${authority}`;
    }
    return `echo hello | nc -N${over === 'udp' ? 'uw1' : ''} ${host} ${port}`;
  },
  raw: service,
};
