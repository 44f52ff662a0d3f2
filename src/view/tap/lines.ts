/** What a tap tells, as lines for a person: the time, the connection, the direction, what was said. */
import type { Heard } from '../../wire/heard.ts';
import { printable } from '../../wire/printable.ts';
import type { Painter } from '../colour.ts';
import { bytes, duration } from '../units.ts';
import { asciiLines, hexLines } from '../wire/hexdump.ts';
import { cellsOf, messageText } from '../wire/message-line.ts';
import { fieldText, oneLine } from '../wire/messages.ts';
import type { WallClock } from '../wire/wall-clock.ts';
import { escapedLines } from './escaped.ts';
import { cut, fold } from './fit.ts';

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
const INDENT_CELLS = TIME_CELLS + 2;
/** A line of hex with its text; beside it the indent shrinks on narrow terminals. */
const HEX_CELLS = 78;
/** Values stand below each other, behind names of up to this length. */
const LONGEST_LABEL = 32;
/** Of a held message: more is seen in the editor. */
const MOST_HELD_LINES = 60;
/** Connection numbers so far: the column grows with them and does not shrink. */
const LEAST_DIGITS = 2;

/** The shape of src/tap/observation.ts, as far as lines need it: views know no sources. */
export interface TapLines {
  message(where: Where, heard: Heard): string;
  bytes(where: Where, from: From, data: Uint8Array): string;
  /** `grave`: something went wrong. */
  event(where: Where, from: From | null, text: string, tone: 'plain' | 'grave' | 'broken'): string;
  /** A message that waits, whole. */
  held(where: Where, id: number, heard: Heard, data: Uint8Array): string;
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

  const indent = ' '.repeat(INDENT_CELLS);

  /** Of the lines below a message. */
  function room(): number {
    return options.width === null ? Number.POSITIVE_INFINITY : options.width - INDENT_CELLS;
  }

  function dump(data: Uint8Array): string {
    if (!options.hex) {
      return block(asciiLines(data, 0, data.length).flatMap((line) => fold(line, room())));
    }
    const cells = options.width ?? INDENT_CELLS + HEX_CELLS;
    const before = ' '.repeat(Math.max(0, Math.min(INDENT_CELLS, cells - HEX_CELLS)));
    const lines = hexLines(data, 0, data.length, before);
    return lines.map((line) => `${paint.dim(cells < HEX_CELLS ? cut(line, cells) : line)}\n`).join('');
  }

  function block(lines: readonly string[]): string {
    return lines.map((line) => `${indent}${paint.dim(line)}\n`).join('');
  }

  function fieldLines({ fields }: Heard): string[] {
    const lines: string[] = [];
    const names = Object.keys(fields);
    const label = Math.min(
      LONGEST_LABEL,
      Math.floor(room() / 2),
      Math.max(0, ...names.map((name) => name.length)),
    );
    for (const name of names) {
      const cells = Math.max(label, name.length);
      const said = fold(printable(oneLine(fieldText(fields[name]))), room() - cells - 2);
      for (const [index, part] of said.entries()) {
        const before = index === 0 ? paint.dim(name.padEnd(cells)) : ' '.repeat(cells);
        lines.push(`${indent}${before}  ${part}\n`);
      }
    }
    return lines;
  }

  /** What is said of a message, in the cells behind `cells`. */
  function said(heard: Heard, cells: number): string {
    return messageText(heard, paint, options.width === null ? undefined : options.width - cells);
  }

  return {
    message(where, heard) {
      const { text, cells } = head(where, heard.side);
      const fields = options.verbose > 0 ? fieldLines(heard).join('') : '';
      return `${text}${said(heard, cells)}\n${fields}`;
    },
    bytes(where, from, data) {
      const dumps = options.hex || options.verbose > 1;
      if (options.layer === 'messages') {
        return dumps ? dump(data) : '';
      }
      return `${head(where, from).text}${bytes(data.length)}\n${dumps ? dump(data) : ''}`;
    },
    event(where, from, text, tone) {
      const tint = tone === 'plain' ? paint.dim : tone === 'grave' ? paint.red : paint.yellow;
      const { text: before, cells } = head(where, from);
      return `${before}${folded(text, cells, tint)}`;
    },
    held(where, id, heard, data) {
      const { text, cells } = head(where, heard.side);
      const label = `held ${id}: `;
      // Without fields there is no secret that could be masked in them.
      const fields = fieldLines(heard);
      const whole =
        fields.length > 0
          ? fields
          : escapedLines(data).flatMap((line) => fold(line, room()).map((part) => `${indent}${part}\n`));
      const lines =
        whole.length > MOST_HELD_LINES
          ? [
              ...whole.slice(0, MOST_HELD_LINES),
              `${indent}${paint.dim(`… of ${bytes(data.length)}; e shows all`)}\n`,
            ]
          : whole;
      const hex = options.hex ? dump(data) : '';
      return `${text}${paint.yellow(label)}${said(heard, cells + label.length)}\n${lines.join('')}${hex}`;
    },
    about(at, tap, text, grave) {
      const name = options.several ? `${tap}  ` : '';
      const before = `${paint.dim(clock.text(at))}  ${paint.dim(name)}`;
      return `${before}${folded(text, INDENT_CELLS + cellsOf(name), grave ? paint.red : paint.dim)}`;
    },
  };

  /** What goes on below begins where the first line did. */
  function folded(text: string, cells: number, tint: (text: string) => string): string {
    const parts = options.width === null ? [printable(text)] : fold(printable(text), options.width - cells);
    return parts.map((part, index) => `${index === 0 ? '' : ' '.repeat(cells)}${tint(part)}\n`).join('');
  }
}

const ENDINGS: Readonly<Record<string, string>> = {
  fault: 'ended by a fault',
  dial: 'over without a target',
  timeout: 'idle',
};

/** How a connection ended, in words. */
export function endedText(
  how: string,
  by: From | null,
  fromClient: number,
  fromServer: number,
  tookNs: number,
): string {
  const who = by === null ? '' : ` by the ${by}`;
  const verb = how === 'fin' ? `closed${who}` : how === 'reset' ? `reset${who}` : (ENDINGS[how] ?? how);
  return `${verb} after ${duration(tookNs / 1000)}, ${bytes(fromClient)} → ← ${bytes(fromServer)}`;
}
