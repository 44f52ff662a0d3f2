/** How a web server ends without losing a request: what was asked is answered, and each connection hears which answer is its last. */
import type { ServerResponse } from 'node:http';
import type { ServerHttp2Session } from '../../../kernel/web-server.ts';
import type { HttpLine, Running } from './running.ts';
import { isSecond } from './versions.ts';

/** A drain closes a kept connection when nothing came for so long (milliseconds): a request may be on its way. */
const GRACE = 200;
const LOOK = 50;
/** RFC 9113, section 6.8: the first GOAWAY announces the end and still takes every stream. */
const LAST_STREAM = 2 ** 31 - 1;

export interface Drain {
  readonly draining: boolean;
  /** Resolves when every connection is gone; how many requests were cut off after `ms`. */
  begin(ms: number): Promise<number>;
  /** The last connection went away. */
  emptied(): void;
}

export function createDrain(lines: ReadonlySet<HttpLine>): Drain {
  let draining = false;
  let emptied: () => void = () => {};

  function look(since: number): void {
    const now = performance.now();
    for (const line of lines) {
      const silent = Math.min(line.silence(now), now - since);
      if (line.ignored(silent)) {
        line.cut();
      }
      if (line.ending || silent < GRACE) {
        continue;
      }
      if (line.session !== null || (line.running.size === 0 && !line.given)) {
        line.end();
      }
    }
  }

  return {
    get draining() {
      return draining;
    },
    emptied: () => emptied(),
    async begin(ms) {
      draining = true;
      for (const line of lines) {
        if (line.session !== null) {
          announceEnd(line.session);
        }
        for (const running of line.running) {
          markLast(running);
        }
      }
      let cut = 0;
      const since = performance.now();
      const looking = setInterval(() => look(since), LOOK);
      const late = setTimeout(() => {
        for (const line of lines) {
          cut += line.running.size;
          line.cut();
        }
      }, ms);
      if (lines.size > 0) {
        await new Promise<void>((done) => {
          emptied = done;
        });
      }
      clearInterval(looking);
      clearTimeout(late);
      return cut;
    },
  };
}

export function announceEnd(session: ServerHttp2Session): void {
  if (!session.closed && !session.destroyed) {
    session.goaway(0, LAST_STREAM);
  }
}

/** Of two answers that are under way at the drain, only the last may say that it is the last. */
export function markLast(running: Running): void {
  const { response, line } = running;
  if (response === null || response.headersSent || isSecond(response)) {
    return;
  }
  const { writeHead } = response;
  const on = writeHead as (...given: unknown[]) => ServerResponse;
  response.writeHead = (...given: unknown[]) => {
    if ([...line.running].at(-1) === running) {
      response.shouldKeepAlive = false;
    }
    return on.apply(response, given);
  };
}
