/** Where each column stands, and one row of the table as a line. Only visible rows ever come here. */
import type { Socket } from '../session/socket.ts';
import type { Mark } from '../view/changes.ts';
import { protocolWord } from '../view/socket-rows.ts';
import { localText, peerText, pidSpan, programSpan, queuesSpan, stateText, stateTone } from './cells.ts';
import type { Sort, SortKey } from './order.ts';
import { clip, exactly, exactlyEnd, type Line, lineWidth, type Span, span, type Tone } from './spans.ts';

/** The widest text of the flexible columns over the whole reading, so that scrolling never moves a column. */
export interface Widths {
  proto: number;
  state: number;
  local: number;
  peer: number;
}

export function widthsOf(sockets: readonly Socket[]): Widths {
  const widths: Widths = { proto: 5, state: 8, local: 15, peer: 15 };
  for (const socket of sockets) {
    // Brackets and colon, then the digits of a port, or of the inode beside a UNIX path.
    const extra = socket.family === 6 ? 8 : socket.family === 4 ? 6 : 1 + String(socket.inode).length;
    widths.proto = Math.max(
      widths.proto,
      socket.protocol.length + (socket.kind === undefined ? 0 : socket.kind.length + 1),
    );
    widths.state = Math.max(widths.state, socket.state.length);
    widths.local = Math.max(widths.local, socket.local.address.length + extra);
    widths.peer = Math.max(widths.peer, socket.peer.address.length + extra);
  }
  return widths;
}

export interface Column {
  key: SortKey;
  width: number;
}

/** Cursor, sign, space. */
const GUTTER = 3;
const GAP = 2;
const QUEUES = 16;
const PID = 7;
const PROGRAM = 15;
const ENOUGH = 40;
/** From here on there is room to say which kind of UNIX socket it is. */
const ROOMY = 120;
/** What gives way first on a narrow screen. LOCAL and STATE never do. */
const GIVE_WAY: readonly SortKey[] = ['queues', 'proto', 'pid', 'program', 'peer'];
const LEAST: Record<SortKey, number> = {
  proto: 5,
  state: 8,
  local: 15,
  peer: 15,
  queues: QUEUES,
  program: 13,
  pid: PID,
};
const ORDER: readonly SortKey[] = ['proto', 'state', 'local', 'peer', 'queues', 'program', 'pid'];

export function columnsFor(screen: number, widths: Widths): Column[] {
  const least = { ...LEAST, state: widths.state };
  const room = screen - GUTTER;
  const shown = new Set(ORDER);
  const total = (): number => [...shown].reduce((sum, key) => sum + least[key] + GAP, -GAP);
  for (const key of GIVE_WAY) {
    if (total() > room) {
      shown.delete(key);
    }
  }
  let spare = Math.max(0, room - total());
  const width = { ...least };
  const grow = (key: SortKey, want: number): void => {
    const more = shown.has(key) ? Math.max(0, Math.min(spare, want - width[key])) : 0;
    width[key] += more;
    spare -= more;
  };
  grow('program', PROGRAM);
  grow('proto', screen >= ROOMY ? widths.proto : least.proto);
  // Both ends grow together, so that a long path on one side does not starve the other.
  const half = Math.floor(spare / 2);
  grow('local', Math.min(widths.local, width.local + half));
  grow('peer', Math.min(widths.peer, width.peer + half));
  grow('local', widths.local);
  grow('peer', widths.peer);
  grow('program', ENOUGH);
  return ORDER.filter((key) => shown.has(key)).map((key) => ({ key, width: width[key] }));
}

const TITLE: Record<SortKey, string> = {
  proto: 'PROTO',
  state: 'STATE',
  local: 'LOCAL',
  peer: 'PEER',
  queues: 'QUEUES',
  program: 'PROGRAM',
  pid: 'PID',
};

/** Numbers stand right-aligned, under their heading. */
function aligned(key: SortKey, text: string, width: number): string {
  return key === 'pid' ? exactly(text, width).trimEnd().padStart(width) : exactly(text, width);
}

export function headLine(columns: readonly Column[], sort: Sort, width: number): Line {
  const line: Span[] = [span(' '.repeat(GUTTER), 'head')];
  columns.forEach(({ key, width: wide }, index) => {
    const sorted = key === sort.key;
    const text = sorted ? `${TITLE[key]} ${sort.reverse ? '▼' : '▲'}` : TITLE[key];
    line.push(span(aligned(key, text, wide), sorted ? 'sorted' : 'head'));
    if (index < columns.length - 1) {
      line.push(span(' '.repeat(GAP), 'head'));
    }
  });
  line.push(span(' '.repeat(Math.max(0, width - lineWidth(line))), 'head'));
  return clip(line, width);
}

function cell(socket: Socket, { key, width }: Column): Span {
  switch (key) {
    case 'proto': {
      const word = protocolWord(socket);
      return span(exactly(word.length > width ? socket.protocol : word, width));
    }
    case 'state': {
      const state = stateText(socket);
      return span(exactly(state, width), stateTone(state));
    }
    case 'local':
      return span(exactlyEnd(localText(socket), width));
    case 'peer': {
      const peer = peerText(socket);
      return span(exactlyEnd(peer, width), peer === '*' ? 'dim' : 'plain');
    }
    case 'queues': {
      const { text, tone } = queuesSpan(socket);
      return span(exactly(text, width), tone);
    }
    case 'program': {
      const { text, tone } = programSpan(socket);
      return span(exactly(text, width), tone);
    }
    case 'pid': {
      const { text, tone } = pidSpan(socket);
      return span(aligned('pid', text, width), tone);
    }
  }
}

/** The sign in the gutter says the same as the colour, for those who see none. */
const SIGN: Record<Mark['kind'], string> = { new: '+', changed: '~', gone: '-' };

function markedTone(key: SortKey, tone: Tone, mark: Mark | undefined): Tone {
  switch (mark?.kind) {
    case 'new':
      return 'new';
    case 'gone':
      return 'gone';
    case 'changed':
      return (key === 'state' && mark.state) || (key === 'queues' && mark.queues) ? 'changed' : tone;
    default:
      return tone;
  }
}

export function rowLine(
  socket: Socket,
  columns: readonly Column[],
  mark: Mark | undefined,
  selected: boolean,
  width: number,
): Line {
  const sign = mark === undefined ? ' ' : SIGN[mark.kind];
  const line: Span[] = [span(`${selected ? '›' : ' '}${sign} `, mark === undefined ? 'plain' : mark.kind)];
  columns.forEach((column, index) => {
    const { text, tone } = cell(socket, column);
    line.push(span(text, markedTone(column.key, tone, mark)));
    if (index < columns.length - 1) {
      line.push(span(' '.repeat(GAP)));
    }
  });
  if (!selected) {
    return clip(line, width);
  }
  line.push(span(' '.repeat(Math.max(0, width - lineWidth(line)))));
  return clip(line, width).map(({ text }) => span(text, 'cursor'));
}
