/** A frame on the wire's lane: whole, or in two parts with the slope of its delay between them. */
import type { Glyphs } from './glyphs.ts';
import { cellCount, type Line, type Piece, type Tone } from './text.ts';

export type End = 'left' | 'right';

/** A frame that has left and not arrived; cells count from the sender's end of the lane. */
export interface Flight {
  readonly rightwards: boolean;
  readonly departed: number;
  /** Null while nobody knows. */
  arrives: number | null;
  from: number;
  to: number;
}

export interface Arrow {
  readonly shape: 'whole' | 'leaves' | 'arrives' | 'dies' | 'held';
  readonly rightwards: boolean;
  /** Hosts at neither end of the drawing are named. */
  readonly sender: string;
  readonly receiver: string;
  readonly atSender: boolean;
  readonly atReceiver: boolean;
  /** The longest first. */
  readonly labels: readonly string[];
  readonly tone: Tone;
  /** Below the arrow: why it died. */
  readonly extra: Line | null;
  readonly flight: Flight | null;
  /** Of `arrives`: it was seen to leave, it was held, or it was neither; and whether it dies after all. */
  readonly after?: 'flight' | 'held' | 'unseen';
  readonly dies?: boolean;
}

interface Cell {
  text: string;
  tone: Tone;
}

export interface Canvas {
  flight(flight: Flight, at: number): void;
  arrow(arrow: Arrow): void;
  line(): Piece[];
}

/** Where a frame that has left stands while nobody knows when it arrives. */
const UNKNOWN = 0.35;

export function createCanvas(cells: number, glyphs: Glyphs): Canvas {
  const row: Cell[] = Array.from({ length: cells }, () => ({ text: ' ', tone: 'plain' }));
  let rightwards = true;

  /** Positions count from the sender's end. */
  function put(at: number, text: string, tone: Tone): void {
    const cell = row[rightwards ? at : cells - 1 - at];
    if (cell !== undefined) {
      cell.text = text;
      cell.tone = tone;
    }
  }

  function write(at: number, text: string, tone: Tone): void {
    let to = rightwards ? at : cells - at - cellCount(text);
    for (const character of text) {
      const wide = cellCount(character);
      const cell = row[wide === 0 ? to - 1 : to];
      if (cell === undefined) {
        return;
      }
      cell.text = wide === 0 ? cell.text + character : character;
      cell.tone = tone;
      if (wide === 2 && row[to + 1] !== undefined) {
        row[to + 1]!.text = '';
      }
      to += wide;
    }
  }

  const slope = (): string => (rightwards ? glyphs.down : glyphs.up);

  return {
    flight(flight, at) {
      rightwards = flight.rightwards;
      const { from, to, departed, arrives } = flight;
      const part =
        arrives === null
          ? UNKNOWN
          : Math.min(1, Math.max(0, (at - departed) / Math.max(1, arrives - departed)));
      const where = Math.round(from + (to - from) * part);
      const there = row[rightwards ? where : cells - 1 - where]?.text;
      const meets = there === glyphs.down || there === glyphs.up || there === glyphs.cross;
      put(where, meets && there !== slope() ? glyphs.cross : slope(), 'dim');
    },
    arrow(arrow) {
      rightwards = arrow.rightwards;
      const { tone, shape } = arrow;
      let start = 0;
      let end = cells - 1;
      const third = Math.floor(cells / 3);
      if (!arrow.atSender) {
        const name = shorten(arrow.sender, third, glyphs);
        write(0, name, 'bold');
        start = cellCount(name) + 1;
      }
      if (!arrow.atReceiver && shape !== 'leaves') {
        const name = shorten(arrow.receiver, third, glyphs);
        end -= cellCount(name) + 1;
        write(end + 2, name, 'bold');
      }
      const most = end - start + 1;
      const room = most - 5;
      const wanted = shape === 'leaves' ? Math.max(room * 0.5, 6) : shape === 'arrives' ? room - 3 : room;
      const label = arrow.labels.find((one) => cellCount(one) <= wanted) ?? arrow.labels.at(-1) ?? '';
      const said = shorten(label, room, glyphs);
      const taken = said === '' ? 2 : cellCount(said) + 4;
      let from = start;
      let to = end;
      let head = arrow.dies || shape === 'dies' ? glyphs.dead : rightwards ? glyphs.right : glyphs.left;
      let headTone: Tone = arrow.dies || shape === 'dies' ? 'red' : tone;
      if (shape === 'leaves') {
        to = start + Math.min(most - 1, taken);
        head = slope();
        headTone = 'dim';
      } else if (shape === 'dies' || shape === 'held') {
        to = Math.min(end, Math.max(start + taken, Math.floor(cells * 0.7)));
        if (shape === 'held') {
          head = glyphs.held;
          headTone = 'yellow';
        }
      } else if (shape === 'arrives') {
        from = Math.max(start, end - taken - 1);
      }
      for (let at = from; at < to; at++) {
        put(at, glyphs.dash, tone);
      }
      put(to, head, headTone);
      let labelAt = from + 2;
      if (shape === 'arrives') {
        put(from, arrow.after === 'held' ? glyphs.held : slope(), arrow.after === 'held' ? 'yellow' : 'dim');
        labelAt = Math.min(from + 3, to - cellCount(said) - 1);
      }
      if (said !== '') {
        write(labelAt - 1, ` ${said} `, arrow.tone);
      }
      if (arrow.flight !== null && shape === 'leaves') {
        arrow.flight.from = to;
        arrow.flight.to = Math.max(to, cells - 6 - cellCount(arrow.labels.at(-1) ?? ''));
      }
    },
    line() {
      const pieces: { text: string; tone: Tone }[] = [];
      for (const { text, tone } of row) {
        const last = pieces.at(-1);
        if (last !== undefined && last.tone === tone) {
          last.text += text;
        } else {
          pieces.push({ text, tone });
        }
      }
      return pieces;
    },
  };
}

export function shorten(text: string, room: number, glyphs: Glyphs): string {
  if (cellCount(text) <= room) {
    return text;
  }
  const left = room - glyphs.ellipsis.length;
  let kept = '';
  let cells = 0;
  for (const character of text) {
    cells += cellCount(character);
    if (cells > left) {
      break;
    }
    kept += character;
  }
  return left < 0 ? '' : kept + glyphs.ellipsis;
}
