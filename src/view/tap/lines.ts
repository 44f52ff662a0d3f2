/** What a tap tells, as lines for a person: the time, the connection, the direction, what was said. */
import type { Heard } from '../../wire/heard.ts';
import { printable } from '../../wire/printable.ts';
import type { Painter } from '../colour.ts';
import { bytes, duration } from '../units.ts';
import { asciiLines, hexLines } from '../wire/hexdump.ts';
import { cellsOf, messageText } from '../wire/message-line.ts';
import { fieldText, oneLine } from '../wire/messages.ts';
import type { WallClock } from '../wire/wall-clock.ts';

export type Layer = 'messages' | 'bytes';

export interface LineOptions {
  readonly paint: Painter;
  readonly clock: WallClock;
  /** Cells of the terminal; null: no line is cut. */
  width: number | null;
  /** 1: every field. 2: the bytes as well, and what happens to connections. */
  verbose: 0 | 1 | 2;
  layer: Layer;
  hex: boolean;
  /** Several taps: each line says which. */
  several: boolean;
}

interface Where {
  readonly at: number;
  readonly tap: string;
  readonly connection: number;
}

type From = 'client' | 'server';

const TIME_CELLS = 15;
const INDENT = ' '.repeat(TIME_CELLS + 2);
/** Connection numbers so far: the column grows with them and does not shrink. */
const LEAST_DIGITS = 2;

/** The shape of src/tap/observation.ts, as far as lines need it: views know no sources. */
export interface TapLines {
  message(where: Where, heard: Heard): string;
  bytes(where: Where, from: From, data: Uint8Array): string;
  /** `grave`: something went wrong. */
  event(where: Where, from: From | null, text: string, tone: 'plain' | 'grave' | 'broken'): string;
  about(at: number, tap: string, text: string, grave: boolean): string;
}

export function tapLines(options: LineOptions): TapLines {
  const { paint, clock } = options;
  let digits = LEAST_DIGITS;
  let longestTap = 0;

  function head({ at, tap, connection }: Where, from: From | null): { text: string; cells: number } {
    const number = `#${connection}`;
    digits = Math.max(digits, number.length);
    longestTap = Math.max(longestTap, tap.length);
    const name = options.several ? `${tap.padEnd(longestTap)}  ` : '';
    const arrow = from === null ? ' ' : from === 'client' ? '→' : '←';
    const plain = `${number.padEnd(digits)} ${arrow}`;
    const colour = from === null ? paint.dim : from === 'client' ? paint.cyan : paint.green;
    return {
      text: `${paint.dim(clock.text(at))}  ${paint.dim(name)}${colour(plain)} `,
      cells: TIME_CELLS + 2 + cellsOf(name) + cellsOf(plain) + 1,
    };
  }

  function dump(data: Uint8Array): string {
    const lines = options.hex
      ? hexLines(data, 0, data.length, INDENT)
      : asciiLines(data, 0, data.length, INDENT);
    return lines.map((line) => `${paint.dim(line)}\n`).join('');
  }

  return {
    message(where, heard) {
      const { text, cells } = head(where, heard.side);
      const room = options.width === null || options.verbose > 0 ? undefined : options.width - cells;
      const fields = options.verbose > 0 ? fieldLines(heard, paint) : '';
      return `${text}${messageText(heard, paint, room)}\n${fields}`;
    },
    bytes(where, from, data) {
      if (options.layer === 'messages') {
        return dump(data);
      }
      const shown = options.hex || options.verbose > 1 ? dump(data) : '';
      return `${head(where, from).text}${bytes(data.length)}\n${shown}`;
    },
    event(where, from, text, tone) {
      const tint = tone === 'plain' ? paint.dim : tone === 'grave' ? paint.red : paint.yellow;
      return `${head(where, from).text}${tint(printable(text))}\n`;
    },
    about(at, tap, text, grave) {
      const name = options.several ? `${tap}  ` : '';
      return `${paint.dim(clock.text(at))}  ${paint.dim(name)}${(grave ? paint.red : paint.dim)(printable(text))}\n`;
    },
  };
}

function fieldLines({ fields }: Heard, paint: Painter): string {
  return Object.entries(fields)
    .map(([name, value]) => `${INDENT}${paint.dim(name)} ${printable(oneLine(fieldText(value)))}\n`)
    .join('');
}

/** How a connection ended, in words. */
export function endedText(
  how: string,
  by: From | null,
  fromClient: number,
  fromServer: number,
  tookNs: number,
): string {
  const who = by === null ? '' : ` by the ${by}`;
  const verb =
    how === 'fin'
      ? `closed${who}`
      : how === 'reset'
        ? `reset${who}`
        : how === 'fault'
          ? 'ended by a fault'
          : how === 'dial'
            ? 'client reset'
            : how;
  return `${verb} after ${duration(tookNs / 1000)}, ${bytes(fromClient)} → ← ${bytes(fromServer)}`;
}
