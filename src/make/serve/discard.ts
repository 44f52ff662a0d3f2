/** Takes what it gets and answers nothing (RFC 863): for measuring how fast somebody can send. */
import { AGAIN, type Stream } from '../../reactor/reactor.ts';
import type { RawService, ServerKind, Talk, Visit } from './kind.ts';

const PIECE = 256 * 1024;

const shared = new Uint8Array(PIECE);

class Discard implements Talk {
  readonly #stream: Stream;
  readonly #visit: Visit;
  #received = 0;

  constructor(stream: Stream, visit: Visit) {
    this.#stream = stream;
    this.#visit = visit;
  }

  readable(): void {
    for (;;) {
      const count = this.#stream.read(shared, 0, PIECE);
      if (count === AGAIN) {
        return;
      }
      if (count <= 0) {
        const how = count === 0 ? 'closed by the client' : 'reset by the client';
        this.#visit.done(how, this.#received, 0, count === 0);
        return;
      }
      this.#received += count;
      if (count < PIECE && !this.#stream.hungUp) {
        return;
      }
    }
  }

  writable(): void {}

  moved(): readonly [number, number] {
    return [this.#received, 0];
  }

  /** There is nothing to be said; the client may finish its sentence. */
  drain(): void {
    this.#stream.shutdown();
  }
}

const service: RawService = {
  visit: (stream, visit) => new Discard(stream, visit),
  datagram() {},
};

export const kind: ServerKind<null> = {
  name: 'discard',
  about: 'takes everything, answers nothing',
  words: '',
  options: [],
  examples: ['sockscope serve discard :9009', 'sockscope serve discard --no-read    a window that closes'],
  port: 9009,
  over: ['tcp', 'udp', 'unix', 'unix-dgram'],
  tls: true,
  lines: 'connections',
  plan: () => null,
  tries: ({ over, host, port, path }) =>
    path === ''
      ? `head -c 1000000 /dev/zero | nc -N${over === 'udp' ? 'uw1' : ''} ${host} ${port}`
      : `head -c 1000 /dev/zero | nc ${over === 'unix' ? '-NU' : '-uU'} ${path}`,
  raw: () => service,
};
