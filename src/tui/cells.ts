/** The text of each cell of the live table. What is not known is said in words, never left blank. */
import type { Owner, Socket } from '../session/socket.ts';
import { endText } from '../view/socket-rows.ts';
import { bytes, count } from '../view/units.ts';
import { printable, type Span, span, type Tone } from './spans.ts';

export function localText(socket: Socket): string {
  return printable(endText(socket, socket.local));
}

const ANY = new Set(['0.0.0.0', '::']);

function hasPeer({ family, peer }: Socket): boolean {
  return family === 0 ? peer.port !== 0 : !(ANY.has(peer.address) && peer.port === 0);
}

/** A listener has no peer; neither has a datagram socket that never connected. */
export function peerText(socket: Socket): string {
  return hasPeer(socket) ? printable(endText(socket, socket.peer)) : '*';
}

/** What the kernel calls closed is, for sockets without connections, only "not connected". */
export function stateText(socket: Socket): string {
  return socket.state === 'CLOSED' && socket.protocol !== 'tcp' ? 'UNCONN' : socket.state;
}

export function stateTone(state: string): Tone {
  switch (state) {
    case 'LISTEN':
      return 'accent';
    case 'ESTABLISHED':
      return 'good';
    case 'TIME-WAIT':
    case 'UNCONN':
      return 'dim';
    case 'SYN-SENT':
    case 'SYN-RECV':
    case 'NEW-SYN-RECV':
      return 'odd';
    default:
      return 'warn';
  }
}

const NEARLY_FULL = 0.8;

export function queuesSpan(socket: Socket): Span {
  const { accept, recvQueue, sendQueue } = socket;
  if (accept !== undefined) {
    // The kernel refuses when the queue holds more than the limit, so `used` may be limit + 1.
    const tone =
      accept.used > accept.limit ? 'bad' : accept.used > accept.limit * NEARLY_FULL ? 'warn' : 'dim';
    return span(`accept ${accept.used}/${accept.limit}`, accept.used > 0 && tone === 'dim' ? 'plain' : tone);
  }
  if (recvQueue === 0 && sendQueue === 0) {
    return span('-', 'dim');
  }
  if (sendQueue === 0) {
    return span(`recv ${bytes(recvQueue)}`);
  }
  return recvQueue === 0
    ? span(`send ${bytes(sendQueue)}`)
    : span(`${bytes(recvQueue)} / ${bytes(sendQueue)}`);
}

export function distinctOwners(owners: readonly Owner[]): Owner[] {
  const seen = new Map<number, Owner>();
  for (const owner of owners) {
    if (!seen.has(owner.pid)) {
      seen.set(owner.pid, owner);
    }
  }
  return [...seen.values()];
}

export function gapText(socket: Socket): string {
  switch (socket.ownerGap) {
    case 'none':
      return 'no process';
    case 'not visible':
      return 'not visible';
    default:
      return 'not looked up';
  }
}

export function programSpan(socket: Socket): Span {
  const first = socket.owners[0];
  if (first === undefined) {
    return span(gapText(socket), 'dim');
  }
  const others = distinctOwners(socket.owners).length - 1;
  return span(printable(first.name) + (others > 0 ? ` +${others}` : ''));
}

export function pidSpan(socket: Socket): Span {
  const first = socket.owners[0];
  return first === undefined ? span('-', 'dim') : span(String(first.pid));
}

export function countsByState(sockets: readonly Socket[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const socket of sockets) {
    const state = stateText(socket);
    counts.set(state, (counts.get(state) ?? 0) + 1);
  }
  return new Map([...counts].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1)));
}

export function countsSpans(counts: ReadonlyMap<string, number>): Span[] {
  return [...counts].flatMap(([state, number]) => [
    span('   '),
    span(state, stateTone(state)),
    span(` ${count(number)}`, 'bold'),
  ]);
}
