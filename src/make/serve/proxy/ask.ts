/** One request to one upstream: its body streams there, and what comes back, or what went wrong, is a value. */
import type { ClientRequest, IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Destination, RequestHead, WebClient } from '../../../kernel/web-client.ts';
import type { Exchange, WebRequest } from '../web/handler.ts';

export interface Failure {
  readonly kind: 'failed';
  /** `ECONNREFUSED`, `ETIMEDOUT`, `E2BIG` for a body over the limit, `EGONE` for a client that went away. */
  readonly code: string;
  /** The connection stood: something may have arrived. */
  readonly stood: boolean;
  /** It was a kept connection, which the server may have closed while the request was on its way. */
  readonly reused: boolean;
  readonly bodySent: boolean;
}

export interface Came {
  readonly kind: 'came';
  readonly message: IncomingMessage;
  readonly request: ClientRequest;
  /** Something of the body moved: the time limit begins anew. */
  beat(): void;
}

export interface Upgraded {
  readonly kind: 'upgraded';
  readonly message: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Buffer;
}

export interface Order {
  readonly head: RequestHead;
  readonly body: WebRequest | null;
  /** Bytes; 0 is no limit. */
  readonly mostBody: number;
  readonly timeoutMs: number;
  /** Whoever waits for the answer; null is nobody. */
  readonly waiting: Pick<Exchange, 'whenGone'> | null;
  readonly upgrade: boolean;
}

class Trouble extends Error {
  readonly code: string;

  constructor(code: string) {
    super(code);
    this.code = code;
  }
}

export function ask(client: WebClient, to: Destination, order: Order): Promise<Came | Upgraded | Failure> {
  const { body, waiting, timeoutMs } = order;
  const request = client.ask(to, order.head, order.upgrade);
  let stood = false;
  let bodySent = false;
  let message: IncomingMessage | null = null;
  return new Promise((resolve) => {
    const late = setTimeout(() => {
      const uploads = body !== null && message === null && !body.readableEnded && !body.isPaused();
      if (uploads ? stood : message?.isPaused() === true) {
        // Not the upstream is slow but the client, whose idle time is looked after elsewhere.
        late.refresh();
      } else {
        request.destroy(new Trouble('ETIMEDOUT'));
      }
    }, timeoutMs);
    const gone = () => request.destroy(new Trouble('EGONE'));
    const beat = () => void late.refresh();

    const stand = () => {
      stood = true;
      if (body !== null) {
        send(body, request, order.mostBody, beat, () => {
          bodySent = true;
        });
      }
    };
    request.once('socket', (socket) => {
      if (request.reusedSocket) {
        stand();
      } else {
        socket.once(to.secure ? 'secureConnect' : 'connect', stand);
      }
    });
    request.once('response', (came) => {
      message = came;
      beat();
      resolve({ kind: 'came', message: came, request, beat });
    });
    request.once('upgrade', (came, socket, head) => {
      resolve({ kind: 'upgraded', message: came, socket, head });
    });
    request.on('error', (error: NodeJS.ErrnoException) => {
      if (!bodySent) {
        // All of it is there for whoever is asked next.
        body?.pause();
      }
      resolve({
        kind: 'failed',
        code: error.code ?? error.message,
        stood,
        reused: request.reusedSocket,
        bodySent,
      });
    });
    request.once('close', () => {
      clearTimeout(late);
      stay?.();
    });
    const stay = waiting?.whenGone(gone);
    if (body === null && !request.destroyed) {
      request.end();
    }
  });
}

function send(body: WebRequest, to: ClientRequest, most: number, beat: () => void, begun: () => void): void {
  let length = 0;
  const move = (piece: Buffer) => {
    begun();
    beat();
    length += piece.length;
    if (most > 0 && length > most) {
      body.off('data', move);
      to.destroy(new Trouble('E2BIG'));
      // Read on and forget: closing with unread bytes would reset the connection before the answer is read.
      body.resume();
    } else if (!to.write(piece)) {
      body.pause();
    }
  };
  const end = () => to.end();
  const on = () => {
    beat();
    body.resume();
  };
  body.on('data', move);
  body.once('end', end);
  to.on('drain', on);
  to.once('close', () => {
    body.off('data', move).off('end', end);
    if (length > 0) {
      body.resume();
    }
  });
  if (body.readableEnded) {
    end();
  } else {
    body.resume();
  }
}
