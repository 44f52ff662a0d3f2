/** Connections on which nothing moves for --idle-timeout end, each in the way that fits what was going on. */
import type { Http2ServerResponse } from 'node:http2';
import type { NodeHouse } from '../kind.ts';
import { malformed } from './malformed.ts';
import type { HttpLine } from './running.ts';

/** The idle are looked for this often at most (milliseconds). */
const LOOK = 1000;
/** RFC 9113, section 7. */
const CANCEL = 8;

/** `idle` in milliseconds; 0 is no limit. What it returns ends the looking. */
export function watchIdle(house: NodeHouse, lines: Iterable<HttpLine>, idle: number): () => void {
  if (idle === 0) {
    return () => {};
  }
  const every = Math.min(LOOK, Math.max(idle / 4, 10));
  const looking = setInterval(() => {
    const now = performance.now();
    for (const line of lines) {
      const silent = line.silence(now);
      if (line.ignored(silent)) {
        line.cut();
      }
      // A head that is late is answered by Node, which looks as often as this.
      if (silent >= idle + 2 * every && !line.ending) {
        endIdle(house, line);
      }
    }
  }, every);
  looking.unref();
  return () => clearInterval(looking);
}

function endIdle(house: NodeHouse, line: HttpLine): void {
  const running = [...line.running];
  if (running.length === 0 || line.given) {
    line.end();
  } else if (line.session !== null) {
    for (const { request, response } of running) {
      if (!request.complete || response?.headersSent === true) {
        (response as Http2ServerResponse).stream.close(CANCEL);
      }
    }
  } else if (running.some(({ request }) => !request.complete)) {
    malformed(house, line, 408, 'the body stopped coming');
  } else if (line.socket.writableLength > 0) {
    line.cut();
  }
}
