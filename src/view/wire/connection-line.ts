/** One line per connection when it has ended: who, how long, how much, what went wrong, who closed it and how. */
import type { Flow } from '../../wire/flows.ts';
import { noteNames } from '../../wire/notes.ts';
import type { ClosedHow } from '../../wire/streams.ts';
import type { Painter } from '../colour.ts';
import { bytes, duration, several } from '../units.ts';

/** What every TCP connection has is not worth a word. */
const USUAL = ['window-update', 'reset', 'keep-alive-ack'] as const;

export interface ConnectionText {
  readonly how: ClosedHow;
  readonly protocol: string;
  readonly owners: readonly [client: string, server: string];
}

export function connectionText(
  flow: Flow,
  { how, protocol, owners }: ConnectionText,
  paint: Painter,
): string {
  const client = flow.ends[flow.clientEnd];
  const server = flow.ends[(1 - flow.clientEnd) as 0 | 1];
  const took = (Math.max(client.last, server.last) - Math.min(client.first, server.first)) / 1000;
  const parts = [
    `${named(client.text, owners[0], paint.cyan, paint)} → ${named(server.text, owners[1], paint.green, paint)}`,
    paint.magenta(protocol === '' ? (flow.protocol === 6 ? 'tcp' : 'udp') : protocol),
    duration(took),
    `${bytes(client.payload)} → ← ${bytes(server.payload)}`,
    several(client.packets + server.packets, 'packet'),
  ];
  const repeated = client.repeated + server.repeated;
  if (repeated > 0) {
    parts.push(paint.yellow(`${bytes(repeated)} sent again`));
  }
  const notes = noteNames(flow.notes).filter((name) => !(USUAL as readonly string[]).includes(name));
  if (notes.length > 0) {
    parts.push(paint.yellow(notes.map((name) => `${name}${times(flow, name)}`).join(', ')));
  }
  parts.push(closing(flow, how, paint));
  return parts.join('  ');
}

function named(text: string, owner: string, colour: (text: string) => string, paint: Painter): string {
  return owner === '' ? colour(text) : `${colour(text)} ${paint.dim(owner)}`;
}

function times(flow: Flow, name: string): string {
  const found = flow.noteCount(name as Parameters<Flow['noteCount']>[0]);
  return found > 1 ? ` ×${found}` : '';
}

/** Who closed, and how: the first FIN, or the RST. */
function closing(flow: Flow, how: ClosedHow, paint: Painter): string {
  const side = (end: number): string => (end === flow.clientEnd ? 'client' : 'server');
  if (flow.resetBy >= 0) {
    const other = flow.ends[flow.resetBy as 0 | 1];
    if (flow.synSeen && flow.resetBy !== flow.clientEnd && other.packets === 1 && other.payload === 0) {
      return paint.red('refused by the server');
    }
    return paint.red(`reset by the ${side(flow.resetBy)}`);
  }
  if (flow.finBy >= 0) {
    return how === 'fin' ? `closed by the ${side(flow.finBy)}` : `half-closed by the ${side(flow.finBy)}`;
  }
  switch (how) {
    case 'idle':
      return paint.dim('silent');
    case 'evicted':
      return paint.dim('forgotten: too many connections');
    case 'reused':
      return paint.dim('its ports were used again');
    default:
      return paint.dim(flow.protocol === 6 ? 'still open' : 'last seen');
  }
}
