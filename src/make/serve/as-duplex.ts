/** A stream of the reactor as a Node stream, for kinds that stand on Node's. */
import { Duplex } from 'node:stream';
import { AGAIN, type Stream, type StreamEvents } from '../../reactor/reactor.ts';

const PIECE = 64 * 1024;

export interface Bridge {
  readonly duplex: Duplex;
  /** Who the stream has to tell. */
  readonly events: StreamEvents;
}

export function asDuplex(stream: Stream): Bridge {
  let wanted = false;
  const moved = { in: 0, out: 0 };
  let waiting: { bytes: Buffer; from: number; done: (error?: Error | null) => void } | null = null;

  function pull(): void {
    while (wanted) {
      const into = Buffer.allocUnsafe(PIECE);
      const count = stream.read(into, 0, PIECE);
      if (count === AGAIN) {
        return;
      }
      if (count < 0) {
        wanted = false;
        duplex.destroy(broken(count));
        return;
      }
      moved.in += count;
      wanted = duplex.push(count === 0 ? null : into.subarray(0, count)) && count > 0;
    }
  }

  function push(): void {
    if (waiting === null) {
      return;
    }
    const { bytes, done } = waiting;
    const taken = stream.write(bytes, waiting.from, bytes.length);
    if (taken === AGAIN) {
      return;
    }
    if (taken >= 0) {
      waiting.from += taken;
      moved.out += taken;
    }
    if (taken < 0 || waiting.from === bytes.length) {
      waiting = null;
      done(taken < 0 ? broken(taken) : null);
    } else {
      // A short write: the stream tells when there is room.
      push();
    }
  }

  const duplex = new Duplex({
    allowHalfOpen: true,
    read() {
      wanted = true;
      pull();
    },
    write(bytes: Buffer, _encoding, done) {
      waiting = { bytes, from: 0, done };
      push();
    },
    final(done) {
      stream.shutdown();
      done();
    },
    destroy(error, done) {
      stream.close();
      done(error);
    },
  });
  // As a socket counts them: whoever watches for progress asks.
  Object.defineProperties(duplex, {
    bytesRead: { get: () => moved.in },
    bytesWritten: { get: () => moved.out },
  });
  return { duplex, events: { readable: pull, writable: push } };
}

function broken(errno: number): NodeJS.ErrnoException {
  return Object.assign(new Error(`the connection broke (${-errno})`), { errno, code: 'ECONNRESET' });
}
