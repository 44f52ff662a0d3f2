/** A request to this very server, over a connection of its own: what one service does to another. */
import type { Exchange, WebRequest } from '../web/handler.ts';
import type { Scope } from './scope.ts';

export interface Answer {
  readonly status: number;
  readonly text: string;
}

/** Null: there is no address to call, because the connection is led through something that misbehaves. */
export async function callSelf(
  path: string,
  request: WebRequest,
  exchange: Exchange,
  scope: Scope,
): Promise<Answer | null> {
  const { localAddress, localPort } = request.socket;
  const file = exchange.peer.startsWith('/') ? exchange.peer : null;
  if (file === null && (localAddress === undefined || localPort === undefined)) {
    return null;
  }
  const { Client } = await import('undici');
  const host = localAddress?.includes(':') ? `[${localAddress}]` : localAddress;
  const origin =
    file === null ? `http${exchange.secure ? 's' : ''}://${host}:${localPort}` : 'http://localhost';
  const client = new Client(origin, {
    // It is our own address: whoever answers there is us, under whatever name the certificate has.
    connect: { rejectUnauthorized: false, ...(file === null ? {} : { socketPath: file }) },
  });
  try {
    const left = scope.left();
    const { statusCode, body } = await client.request({
      method: 'GET',
      path,
      signal: scope.signal,
      headers: left === null ? {} : { 'x-deadline-ms': String(Math.max(1, Math.ceil(left))) },
    });
    return { status: statusCode, text: await body.text() };
  } finally {
    // Not waited for: a call that was cancelled ends with its connection.
    void client.destroy();
  }
}
