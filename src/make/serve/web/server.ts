/** Turns what answers HTTP into a server: limits, refusals, access lines and the end are the same for every kind that speaks HTTP. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerResponse } from 'node:http2';
import type { Duplex } from 'node:stream';
import { createWebServer, type ServerHttp2Session, statusText } from '../../../kernel/web-server.ts';
import type { NodeHouse, NodeService } from '../kind.ts';
import { announcedLength } from './body.ts';
import { Cut } from './cut.ts';
import type { WebHandler, WebRequest, WebResponse } from './handler.ts';
import { Line as AnyLine } from './line.ts';
import { answer, hasOneHost, type Refusal, rawAnswer, refusal } from './refusal.ts';
import { Running } from './running.ts';

type Line = AnyLine<Running>;

/** Milliseconds for a request's head where --idle-timeout sets no limit: nobody needs longer who means well. */
const HEAD = 60_000;
/** A drain closes a kept connection when nothing came for so long: a request may be on its way. */
const GRACE = 200;
const DRAIN_LOOK = 50;
/** A client that closed its side gets an answer that begins within this time; then it counts as gone, for it looks the same. */
const HALF_CLOSED = 250;
/** The idle are looked for this often at most. */
const LOOK = 1000;
const CANCEL = 8;
const INTERNAL_ERROR = 2;
/** RFC 9113, section 6.8: the first GOAWAY announces the end and still takes every stream. */
const LAST_STREAM = 2 ** 31 - 1;

export function webService(house: NodeHouse, handler: WebHandler): NodeService {
  const { idleNs, maxBody, drainNs, wishes } = house.common;
  const idle = idleNs / 1e6;
  const lines = new Set<Line>();
  let draining = false;
  let cut = 0;
  let emptied: (() => void) | null = null;
  let closing: Promise<void> | null = null;

  const web = createWebServer<Line>(
    { tls: house.tls, headTimeout: idle === 0 ? HEAD : Math.max(idle, 1), keepAlive: idle },
    {
      request: begin,
      upgrade: handler.upgrade === undefined ? null : give('upgrade'),
      connect: handler.connect === undefined ? refuseConnect : give('connect'),
      malformed,
      idle: (line) => line.running.size === 0 && line.end(),
      spoken(line, socket) {
        line.speaks(socket);
        socket.once('end', () => halfClosed(line));
        // Whoever speaks on it hears of errors; this one is for the time after.
        socket.on('error', () => {});
      },
      session(line, session) {
        line.session = session;
        if (draining) {
          announce(session);
        }
      },
      refusedTls: (line, why) => house.say(`${line.peer}: TLS: ${why}`),
    },
  );
  const looking = idle === 0 ? null : setInterval(lookForIdle, Math.min(LOOK, Math.max(idle / 4, 10)));
  looking?.unref();

  function begin(line: Line, request: WebRequest, response: WebResponse, expects: boolean): void {
    const running = new Running(house, line, request, response);
    // A client that goes away, or an answer to what was cut: `close` follows and tells.
    response.on('error', () => {});
    request.on('error', () => {});
    let finished = false;
    response.once('finish', () => {
      finished = true;
    });
    response.once('close', () => {
      running.closed(isSecond(response) ? complete(response) : finished);
      line.moved = performance.now();
      settle(line);
    });
    if (draining) {
      lastAnswer(running);
    }
    const refusal = refuse(request, line.client);
    if (refusal !== null) {
      answer(response, refusal.status, refusal.text, refusal.headers);
      return;
    }
    if (expects) {
      response.writeContinue();
    }
    try {
      handler.handle(request, response, running)?.catch((error: unknown) => failed(running, error));
    } catch (error) {
      failed(running, error);
    }
  }

  function refuse(request: WebRequest, client: string): Refusal | null {
    if (!house.allows(client)) {
      return refusal(429, 'too many requests', { 'Retry-After': '1' });
    }
    if (request.httpVersionMajor === 1 && !hasOneHost(request as IncomingMessage)) {
      return refusal(400, 'a request has exactly one Host', { Connection: 'close' });
    }
    if (maxBody > 0 && announcedLength(request) > maxBody) {
      const close = request.httpVersionMajor === 1 ? { Connection: 'close' } : {};
      return refusal(413, `a body has at most ${maxBody} bytes here`, close);
    }
    return request.method === 'CONNECT' ? refusal(405, 'no tunnels here', { Allow: '' }) : null;
  }

  function failed(running: Running, error: unknown): void {
    const { response, aborted, line } = running;
    if (response === null || aborted) {
      line.socket.destroy();
      return;
    }
    const { request } = running;
    if (error instanceof Cut) {
      running.cut(error.message);
    } else {
      house.say(`${request.method} ${request.url}: ${error instanceof Error ? error.stack : String(error)}`);
    }
    if (!response.headersSent) {
      answer(response, 500, 'internal error', {});
    } else if (!response.writableEnded) {
      // An answer that stops must not look complete.
      if (isSecond(response)) {
        response.stream.close(INTERNAL_ERROR);
      } else {
        line.socket.destroy();
      }
    }
  }

  function give(way: 'upgrade' | 'connect') {
    return (line: Line, request: IncomingMessage, socket: Duplex, head: Buffer) => {
      line.given = true;
      const running = new Running(house, line, request, null);
      const before = counters(socket);
      let result = '';
      const { write } = socket;
      const on = write as (...given: unknown[]) => boolean;
      socket.write = (...given: unknown[]) => {
        result ||= /^HTTP\/1\.1 (\d{3})/.exec(String(given[0]).slice(0, 16))?.[1] ?? 'taken';
        return on.apply(socket, given);
      };
      socket.once('close', () => {
        const after = counters(socket);
        running.abort('the connection ended');
        running.over(result || 'gone', result !== '' && Number(result) < 500, {
          received: after.received - before.received + head.length,
          sent: after.sent - before.sent,
        });
      });
      if (!house.allows(line.client)) {
        socket.end(rawAnswer(429, 'too many requests', 'Retry-After: 1\r\n'));
        return;
      }
      try {
        handler[way]!(request, socket, head, running);
      } catch (error) {
        failed(running, error);
      }
    };
  }

  function refuseConnect(line: Line, request: IncomingMessage, socket: Duplex): void {
    line.given = true;
    const running = new Running(house, line, request, null);
    socket.end(rawAnswer(405, 'no tunnels here', 'Allow: \r\n'));
    socket.on('data', () => {});
    socket.once('close', () => settle(line));
    running.over('405', true);
    line.end();
  }

  function malformed(line: Line, status: number, why: string): void {
    if (status === 0 || line.ending) {
      line.cut();
      return;
    }
    const waiting = [...line.running];
    const newest = waiting.at(-1);
    if (newest?.request.complete === true && newest.response !== null) {
      // What was asked properly is answered first; then the connection ends.
      newest.response.once('close', () => malformed(line, status, why));
      return;
    }
    if (newest !== undefined && (waiting.length > 1 || newest.response?.headersSent !== false)) {
      line.cut();
      return;
    }
    const running = newest ?? null;
    if (running === null) {
      house.access({
        at: house.now(),
        from: line.peer,
        what: status === 408 ? 'half a request' : 'no request',
        result: String(status),
        fine: true,
        took: 0,
        received: 0,
        sent: 0,
        note: why,
      });
    } else {
      running.note(why);
      running.abort(why);
      running.over(String(status), true);
    }
    line.end(rawAnswer(status, statusText(status).toLowerCase(), ''));
  }

  function halfClosed(line: Line): void {
    if (line.given || line.running.size === 0) {
      return;
    }
    setTimeout(() => {
      for (const running of line.running) {
        if (running.response?.headersSent === false) {
          running.abort('the client closed the connection');
        }
      }
    }, HALF_CLOSED).unref();
  }

  /** Of two answers that are under way at the drain, only the last may say that it is the last. */
  function lastAnswer(running: Running): void {
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

  function settle(line: Line): void {
    if (line.raw.destroyed) {
      gone(line);
    }
  }

  function gone(line: Line): void {
    for (const running of line.running) {
      // Requests that waited behind another one have no socket that could tell them.
      if (running.response !== null) {
        running.closed(false);
      }
    }
    lines.delete(line);
    if (lines.size === 0) {
      emptied?.();
    }
  }

  function lookForIdle(): void {
    const now = performance.now();
    // A head that is late is answered by Node, which looks as often as this.
    const most = idle + 2 * Math.min(LOOK, Math.max(idle / 4, 10));
    for (const line of lines) {
      const silent = line.silence(now);
      if (line.ignored(silent)) {
        line.cut();
      }
      if (silent < most || line.ending) {
        continue;
      }
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
        malformed(line, 408, 'the body stopped coming');
      } else if (line.socket.writableLength > 0) {
        line.cut();
      }
    }
  }

  function drainLook(since: number): void {
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

  function ended(): Promise<void> {
    if (closing === null) {
      if (looking !== null) {
        clearInterval(looking);
      }
      web.close();
      closing = Promise.resolve(handler.close?.());
    }
    return closing;
  }

  return {
    connection(socket, peer, client) {
      const line: Line = new AnyLine(socket, peer, client);
      lines.add(line);
      socket.on('error', () => {});
      socket.once('close', () => setImmediate(gone, line));
      if (wishes.nodelay === undefined) {
        (socket as { setNoDelay?(on: boolean): void }).setNoDelay?.(true);
      }
      web.take(socket, line);
    },
    async drain() {
      draining = true;
      for (const line of lines) {
        if (line.session !== null) {
          announce(line.session);
        }
        for (const running of line.running) {
          lastAnswer(running);
        }
      }
      handler.drain?.();
      const since = performance.now();
      const look = setInterval(() => drainLook(since), DRAIN_LOOK);
      const late = setTimeout(() => {
        for (const line of lines) {
          cut += line.running.size;
          line.cut();
        }
      }, drainNs / 1e6);
      if (lines.size > 0) {
        await new Promise<void>((done) => {
          emptied = done;
        });
      }
      clearInterval(look);
      clearTimeout(late);
      await ended();
      return cut;
    },
    close() {
      for (const line of lines) {
        for (const running of line.running) {
          running.abort('the server ended');
        }
        line.cut();
      }
      void ended();
    },
  };
}

function isSecond(response: WebResponse): response is Http2ServerResponse {
  return 'stream' in response;
}

/** HTTP/2's `finish` comes whenever the stream is closed, however that happened. */
function complete({ stream }: Http2ServerResponse): boolean {
  return stream.writableFinished && stream.rstCode === 0;
}

function announce(session: ServerHttp2Session): void {
  if (!session.closed && !session.destroyed) {
    session.goaway(0, LAST_STREAM);
  }
}

function counters(socket: Duplex): { readonly received: number; readonly sent: number } {
  const { bytesRead = 0, bytesWritten = 0 } = socket as Duplex & {
    bytesRead?: number;
    bytesWritten?: number;
  };
  return { received: bytesRead, sent: bytesWritten };
}
