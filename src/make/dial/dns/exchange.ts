/** One question to one server: a message out, the message that answers it back. The socket is the question's own, and connected. */
import { type Address, AGAIN, type Reactor, type Stream } from '../../../reactor/reactor.ts';

const ETIMEDOUT = -110;
const ECONNRESET = -104;
const EMSGSIZE = -90;
const MOST = 0xffff;

export interface Heard {
  /** The answer, or null. */
  readonly bytes: Uint8Array | null;
  /** Why there is none, as -errno. */
  readonly errno: number;
  /** Since the message was handed to the socket; over TCP since the connection was begun. */
  readonly tookNs: number;
  /** What came and was no answer to this, in words. */
  readonly ignored: readonly string[];
}

export interface Wish {
  readonly server: { readonly host: string; readonly port: number };
  readonly message: Uint8Array;
  readonly patienceNs: number;
  /** '' when this answers the message; otherwise why not. */
  refuse(bytes: Uint8Array, length: number): string;
  done(heard: Heard): void;
}

export interface Exchange {
  /** Nothing more is heard of it. */
  cancel(): void;
}

const MOST_IGNORED = 100;

export function exchangeUdp(reactor: Reactor, wish: Wish): Exchange {
  const ignored: string[] = [];
  let began = reactor.now();
  let over = false;
  const end = (bytes: Uint8Array | null, errno: number, told: boolean): void => {
    if (!over) {
      over = true;
      timer.cancel();
      if (typeof socket !== 'number') {
        socket.close();
      }
      if (told) {
        wish.done({ bytes, errno, tookNs: reactor.now() - began, ignored });
      }
    }
  };
  const timer = reactor.after(wish.patienceNs, () => end(null, ETIMEDOUT, true));
  const socket = reactor.datagrams(
    null,
    { kind: 'udp', ...wish.server },
    {
      datagram(_from, bytes, length) {
        const why = wish.refuse(bytes, length);
        if (why === '') {
          end(bytes.slice(0, length), 0, true);
        } else if (ignored.length < MOST_IGNORED) {
          ignored.push(why);
        }
      },
      error: (errno) => end(null, errno, true),
    },
  );
  began = reactor.now();
  const sent = typeof socket === 'number' ? socket : socket.send(wish.message, 0, wish.message.length, null);
  if (sent < 0) {
    reactor.soon(() => end(null, sent, true));
  }
  return { cancel: () => end(null, 0, false) };
}

/** A message over TCP has its length in two bytes before it (RFC 1035 section 4.2.2). */
export function exchangeTcp(reactor: Reactor, wish: Wish): Exchange {
  const address: Address = { kind: 'tcp', ...wish.server };
  const framed = new Uint8Array(2 + wish.message.length);
  framed[0] = wish.message.length >> 8;
  framed[1] = wish.message.length & 255;
  framed.set(wish.message, 2);
  const ignored: string[] = [];
  const began = reactor.now();
  const got = new Uint8Array(2 + MOST);
  let have = 0;
  let written = 0;
  let over = false;

  const end = (bytes: Uint8Array | null, errno: number, told: boolean): void => {
    if (!over) {
      over = true;
      timer.cancel();
      if (typeof stream !== 'number') {
        stream.close();
      }
      if (told) {
        wish.done({ bytes, errno, tookNs: reactor.now() - began, ignored });
      }
    }
  };
  const write = (to: Stream): void => {
    while (written < framed.length && !over) {
      const count = to.write(framed, written, framed.length);
      if (count === AGAIN) {
        return;
      }
      if (count < 0) {
        end(null, count, true);
        return;
      }
      written += count;
    }
  };
  /** Whole messages at the front of what came; the first that answers ends it. */
  const look = (): void => {
    while (have >= 2 && !over) {
      const size = 2 + ((got[0]! << 8) | got[1]!);
      if (have < size) {
        return;
      }
      const bytes = got.slice(2, size);
      got.copyWithin(0, size, have);
      have -= size;
      const why = wish.refuse(bytes, bytes.length);
      if (why === '') {
        end(bytes, 0, true);
      } else if (ignored.length < MOST_IGNORED) {
        ignored.push(why);
      } else {
        end(null, EMSGSIZE, true);
      }
    }
  };
  const timer = reactor.after(wish.patienceNs, () => end(null, ETIMEDOUT, true));
  const stream = reactor.connect(
    address,
    {},
    {
      connected(to, result) {
        if (result < 0) {
          end(null, result, true);
        } else {
          write(to);
        }
      },
      readable(from) {
        while (!over) {
          const count = from.read(got, have, got.length);
          if (count === AGAIN) {
            return;
          }
          if (count <= 0) {
            end(null, count === 0 ? ECONNRESET : count, true);
            return;
          }
          have += count;
          look();
        }
      },
      writable: write,
    },
  );
  if (typeof stream === 'number') {
    reactor.soon(() => end(null, stream, true));
  }
  return { cancel: () => end(null, 0, false) };
}
