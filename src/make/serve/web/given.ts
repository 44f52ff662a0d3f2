/** A connection that is no longer HTTP: a handler took it, or it is turned away. Its access line comes when it closes. */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { NodeHouse } from '../kind.ts';
import { rawAnswer } from './refusal.ts';
import { type HttpLine, Running } from './running.ts';

export type Taker = (request: IncomingMessage, socket: Duplex, head: Buffer, running: Running) => void;

/** `failed` hears what the taker throws. */
export function give(house: NodeHouse, taker: Taker, failed: (running: Running, error: unknown) => void) {
  return (line: HttpLine, request: IncomingMessage, socket: Duplex, head: Buffer) => {
    if (!house.allows(line.client)) {
      turnAway(house, line, request, socket, [429, 'too many requests', 'Retry-After: 1\r\n']);
      return;
    }
    line.given = true;
    const running = new Running(house, line, request, null);
    const before = counters(socket);
    const result = firstStatus(socket);
    socket.once('close', () => {
      const after = counters(socket);
      running.abort('the connection ended');
      running.over(result() || 'gone', result() !== '' && Number(result()) < 500, {
        received: after.received - before.received + head.length,
        sent: after.sent - before.sent,
      });
    });
    try {
      taker(request, socket, head, running);
    } catch (error) {
      failed(running, error);
    }
  };
}

/** One answer, and the end. */
export function turnAway(
  house: NodeHouse,
  line: HttpLine,
  request: IncomingMessage,
  socket: Duplex,
  [status, text, headers]: readonly [status: number, text: string, headers: string],
): void {
  line.given = true;
  const running = new Running(house, line, request, null);
  socket.end(rawAnswer(status, text, headers));
  // Unread bytes would reset the connection before the answer is read, and hide the client's FIN.
  socket.on('data', () => {});
  running.over(String(status), true);
  line.end();
}

/** The status in the first bytes that whoever took the socket writes; `taken` when there is none, empty when nothing was written. */
function firstStatus(socket: Duplex): () => string {
  let result = '';
  const watch = (way: 'write' | 'end') => {
    const on = socket[way] as (...given: unknown[]) => never;
    socket[way] = (...given: unknown[]) => {
      const [first] = given;
      if (result === '' && (typeof first === 'string' || first instanceof Uint8Array)) {
        const text =
          typeof first === 'string' ? first : Buffer.from(first.subarray(0, 16)).toString('latin1');
        result = /^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 'taken';
      }
      return on.apply(socket, given);
    };
  };
  watch('write');
  // A stream's `end` does not go through its `write`.
  watch('end');
  return () => result;
}

function counters(socket: Duplex): { readonly received: number; readonly sent: number } {
  const { bytesRead = 0, bytesWritten = 0 } = socket as Duplex & {
    bytesRead?: number;
    bytesWritten?: number;
  };
  return { received: bytesRead, sent: bytesWritten };
}
