/** Turns what answers HTTP into a server: limits, refusals, access lines and the end are the same for every kind that speaks HTTP. */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { createWebServer } from '../../../kernel/web-server.ts';
import type { NodeHouse, NodeService } from '../kind.ts';
import { Cut } from './cut.ts';
import { announceEnd, createDrain, markLast } from './drain.ts';
import { give, turnAway } from './given.ts';
import type { WebHandler, WebRequest, WebResponse } from './handler.ts';
import { watchIdle } from './idle.ts';
import { whyRefused } from './limits.ts';
import { Line } from './line.ts';
import { malformed } from './malformed.ts';
import { answer } from './refusal.ts';
import { type HttpLine, Running } from './running.ts';
import { isComplete, isSecond } from './versions.ts';

/** Milliseconds for a request's head where --idle-timeout sets no limit: nobody needs longer who means well. */
const HEAD = 60_000;
/** A client that closed its side gets an answer that begins within this time; then it counts as gone, for it looks the same. */
const HALF_CLOSED = 250;
/** RFC 9113, section 7. */
const INTERNAL_ERROR = 2;

export function webService(house: NodeHouse, handler: WebHandler): NodeService {
  const { idleNs, drainNs, wishes } = house.common;
  const idle = idleNs / 1e6;
  const lines = new Set<HttpLine>();
  const drain = createDrain(lines);
  const stopLooking = watchIdle(house, lines, idle);
  let closing: Promise<void> | null = null;

  const web = createWebServer<HttpLine>(
    { tls: house.tls, headTimeout: idle === 0 ? HEAD : Math.max(idle, 1), keepAlive: idle },
    {
      request: begin,
      upgrade: handler.upgrade === undefined ? null : give(house, handler.upgrade.bind(handler), failed),
      connect:
        handler.connect === undefined ? refuseConnect : give(house, handler.connect.bind(handler), failed),
      malformed: (line, status, why) => malformed(house, line, status, why),
      idle: (line) => line.running.size === 0 && line.end(),
      spoken(line, socket) {
        line.speaks(socket);
        socket.once('end', () => halfClosed(line));
        // Whoever speaks on it hears of errors; this one is for the time after.
        socket.on('error', ignore);
      },
      session(line, session) {
        line.session = session;
        if (drain.draining) {
          announceEnd(session);
        }
      },
      refusedTls: (line, why) => house.say(`${line.peer}: TLS: ${why}`),
    },
  );

  function begin(line: HttpLine, request: WebRequest, response: WebResponse, expects: boolean): void {
    const running = new Running(house, line, request, response);
    // A client that goes away, or an answer to what was cut: `close` follows and tells.
    response.on('error', ignore);
    request.on('error', ignore);
    let finished = false;
    // Each comes once; `once` would cost another function for each request.
    response.on('finish', () => {
      finished = true;
    });
    response.on('close', () => {
      running.closed(isSecond(response) ? isComplete(response) : finished);
      line.moved = performance.now();
      if (line.raw.destroyed) {
        gone(line);
      }
    });
    if (drain.draining) {
      markLast(running);
    }
    const refusal = whyRefused(house, request, line.client);
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

  function refuseConnect(line: HttpLine, request: IncomingMessage, socket: Duplex): void {
    turnAway(house, line, request, socket, [405, 'no tunnels here', 'Allow: \r\n']);
  }

  function gone(line: HttpLine): void {
    for (const running of line.running) {
      // Requests that waited behind another one have no socket that could tell them.
      if (running.response !== null) {
        running.closed(false);
      }
    }
    lines.delete(line);
    if (lines.size === 0) {
      drain.emptied();
    }
  }

  function ended(): Promise<void> {
    if (closing === null) {
      stopLooking();
      web.close();
      closing = Promise.resolve(handler.close?.());
    }
    return closing;
  }

  return {
    connection(socket, peer, client) {
      const line: HttpLine = new Line(socket, peer, client);
      lines.add(line);
      socket.on('error', ignore);
      socket.once('close', () => setImmediate(gone, line));
      if (wishes.nodelay === undefined) {
        (socket as { setNoDelay?(on: boolean): void }).setNoDelay?.(true);
      }
      web.take(socket, line);
    },
    async drain() {
      const drained = drain.begin(drainNs / 1e6);
      handler.drain?.();
      const cut = await drained;
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

function ignore(): void {}

function halfClosed(line: HttpLine): void {
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
