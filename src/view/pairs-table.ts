/** Both ends of a connection on one row: client → server, each with its state and owner. */
import type { Pair } from '../session/connection.ts';
import type { Socket } from '../session/socket.ts';
import type { Painter } from './colour.ts';
import { endText, ownersText } from './socket-rows.ts';
import { stateColour } from './state-colour.ts';

const HEADING = ['CLIENT', 'ADDRESS', 'STATE', 'QUEUES', '', 'SERVER', 'ADDRESS', 'STATE', 'QUEUES'];
const STATES = [2, 7];

export function pairsTable(pairs: readonly Pair[], header: boolean, paint: Painter): string {
  const rows = pairs.map(({ client, server, how }) => [
    ...end(client),
    how === 'guessed' ? '→?' : '→',
    ...end(server),
  ]);
  const all = header ? [HEADING, ...rows] : rows;
  const widths = HEADING.map((_, column) => Math.max(0, ...all.map((row) => row[column]!.length)));
  return all
    .map((row) =>
      row
        .map((cell, column) => {
          const painted = STATES.includes(column) ? stateColour(paint, cell) : cell;
          return painted + ' '.repeat(widths[column]! - cell.length);
        })
        .join('  ')
        .trimEnd(),
    )
    .map((line) => `${line}\n`)
    .join('');
}

function end(socket: Socket): string[] {
  return [
    ownersText(socket.owners, socket.ownerGap ?? 'none'),
    endText(socket, socket.local),
    socket.state === 'CLOSED' && socket.protocol !== 'tcp' ? 'UNCONN' : socket.state,
    queues(socket),
  ];
}

function queues({ recvQueue, sendQueue }: Socket): string {
  if (recvQueue === 0 && sendQueue === 0) {
    return '-';
  }
  return [recvQueue > 0 && `recv ${recvQueue}`, sendQueue > 0 && `send ${sendQueue}`]
    .filter(Boolean)
    .join(' ');
}
