/** A service that says one thing to whoever comes, and closes. */
import { AGAIN, type Stream } from '../../reactor/reactor.ts';
import type { RawService, Talk, Visit } from './kind.ts';

const ignored = new Uint8Array(1024);

export function greeter(what: () => Buffer): RawService {
  return {
    visit: (stream, visit) => farewell(stream, visit, what()),
    datagram(_from, _bytes, _length, answer) {
      const bytes = what();
      answer(bytes, 0, bytes.length);
    },
  };
}

/** Whoever says something meanwhile is not reset for it. */
function farewell(stream: Stream, visit: Visit, words: Buffer): Talk {
  let received = 0;
  let sent = 0;

  function say(): void {
    const taken = stream.write(words, sent, words.length);
    sent += Math.max(0, taken);
    if (sent === words.length) {
      stream.shutdown();
    } else if (taken > 0) {
      say();
    }
  }

  say();
  return {
    readable() {
      for (;;) {
        const count = stream.read(ignored, 0, ignored.length);
        if (count === AGAIN) {
          return;
        }
        if (count <= 0) {
          const how = count === 0 ? 'closed by the client' : 'reset by the client';
          visit.done(how, received, sent, sent === words.length);
          return;
        }
        received += count;
      }
    },
    writable() {
      if (sent < words.length) {
        say();
      }
    },
    drain: () => visit.done('closed by the server', received, sent, sent === words.length),
  };
}
