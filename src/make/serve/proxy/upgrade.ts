/** `Upgrade:` through the proxy: WebSocket and whatever else both ends agree on. */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { statusText } from '../../../kernel/web-server.ts';
import { endToEnd, type Fields } from '../../cache/fields.ts';
import type { NodeHouse } from '../kind.ts';
import type { Exchange } from '../web/handler.ts';
import type { Asked } from './asked.ts';
import { refusalFor } from './failure.ts';
import { tryUpstreams } from './send-up.ts';
import { tunnel } from './tunnel.ts';
import type { Location } from './upstreams.ts';

export interface Switch {
  readonly house: NodeHouse;
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Buffer;
  readonly exchange: Exchange;
  readonly id: string;
  /** What ends each of those that stand, when the server drains. */
  readonly tunnels: Set<() => void>;
}

export interface Refused {
  readonly status: number;
  readonly text: string;
  readonly fields: Fields;
}

export function refuseRaw(socket: Duplex, { status, text, fields }: Refused): void {
  const body = `${text}\n`;
  const about = [
    'Content-Type',
    'text/plain; charset=utf-8',
    'Content-Length',
    String(Buffer.byteLength(body)),
  ];
  // Written, not given to `end`: the access line knows the status by what is written.
  socket.write(rawHead(status, statusText(status), [...about, ...fields, 'Connection', 'close']) + body);
  socket.end();
  socket.resume();
}

export function rawHead(status: number, message: string, fields: Fields): string {
  let head = `HTTP/1.1 ${status} ${message}\r\n`;
  for (let i = 0; i < fields.length; i += 2) {
    head += `${fields[i]}: ${fields[i + 1]}\r\n`;
  }
  return `${head}\r\n`;
}

export async function upgradeThrough(
  refused: Refused | null,
  { asked, location }: { readonly asked: Asked; readonly location: Location },
  { house, request, socket, head, exchange, id, tunnels }: Switch,
): Promise<void> {
  if (refused !== null) {
    refuseRaw(socket, refused);
    return;
  }
  const wished = request.headers.upgrade ?? '';
  const { upstream, outcome } = await tryUpstreams(
    { house, location, asked, request, client: exchange.client, id },
    { fields: asked.fields, body: null, waiting: exchange, upgrade: wished },
  );
  const name = upstream.target.text;
  exchange.note(`upstream ${name}`);
  if (outcome.kind === 'failed') {
    if (outcome.code === 'EGONE') {
      socket.destroy();
      return;
    }
    const refusal = refusalFor(outcome, `the upstream ${name}`, location.route.timeoutMs);
    exchange.note(refusal.text);
    refuseRaw(socket, { ...refusal, fields: [] });
    return;
  }
  const { statusCode = 502, statusMessage = '', rawHeaders } = outcome.message;
  if (outcome.kind === 'came') {
    // It says no, in its own words; this connection is over because nobody reads requests from it any more.
    const fields = [...endToEnd(rawHeaders), 'Connection', 'close'];
    socket.write(Buffer.from(rawHead(statusCode, statusMessage, fields), 'latin1'));
    socket.resume();
    outcome.message.on('data', outcome.beat);
    outcome.message.pipe(socket);
    outcome.message.once('error', () => socket.destroy());
    return;
  }
  const other = outcome.socket;
  const fields = [
    ...endToEnd(rawHeaders),
    'Connection',
    'Upgrade',
    'Upgrade',
    outcome.message.headers.upgrade ?? wished,
  ];
  socket.write(Buffer.from(rawHead(101, statusMessage, fields), 'latin1'));
  // What came early on either side is the first that crosses.
  if (outcome.head.length > 0) {
    socket.write(outcome.head);
  }
  if (head.length > 0) {
    other.write(head);
  }
  tunnel(socket, other);
  const end = () => {
    socket.end();
    other.end();
  };
  tunnels.add(end);
  socket.once('close', () => tunnels.delete(end));
}
