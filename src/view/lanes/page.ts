/** Rows of the drawing. What happens at about the same moment shares a row as long as the row still reads from cause to effect. */
import type { Painter } from '../colour.ts';
import { type Arrow, createCanvas, type End, type Flight } from './arrow.ts';
import type { Glyphs } from './glyphs.ts';
import type { Layout } from './layout.ts';
import { type Line, paintLine, piece, type Tone, width, wrap } from './text.ts';
import { span } from './times.ts';

/** What a program's cell can be replaced by, as long as its row is not finished. */
export type Placed = object;

export interface Page {
  program(end: End, at: number, line: Line): Placed;
  /** False when the row is finished or has no room. */
  replace(placed: Placed, line: Line, at: number): boolean;
  kernel(end: End, at: number, line: Line): void;
  /** Of hosts that have no lane. */
  middle(at: number, line: Line): void;
  arrow(at: number, arrow: Arrow): void;
  landed(flight: Flight): void;
  /** Across all lanes. */
  /** Without a moment: about several rows. */
  note(at: number | null, text: string, tone: Tone): void;
  heading(at: number, text: string): void;
  /** Ends the row at hand, when it began before that moment. */
  finish(before: number): void;
  /** The lines that are finished. */
  take(): string[];
}

const SAME_MOMENT = 1e6;
/** A delay that is worth a slope, and a wait that is worth a row. */
export const VISIBLE = 5e6;
const LONG = 1e9;

interface Side {
  program: Line | null;
  kernel: Line | null;
}

interface Row {
  readonly at: number;
  last: number;
  readonly left: Side;
  readonly right: Side;
  arrow: Arrow | null;
  text: Line | null;
}

export function createPage(layout: Layout, paint: Painter, glyphs: Glyphs, origin: () => number): Page {
  const { side: room, wire, mode } = layout;
  const done: string[] = [];
  const flights = new Set<Flight>();
  let row: Row | null = null;
  let last: number | null = null;
  let shownTime = '';

  function timeText(at: number): string {
    const text = span(at - origin());
    const shown = text === shownTime ? '' : text;
    shownTime = text;
    return shown;
  }

  function rowLine(time: Line, left: Line, middle: Line, right: Line): void {
    const all: Line = [
      ...padded(time, layout.time, true),
      piece(' '),
      ...padded(left, room, false),
      piece(` ${glyphs.line}`, 'dim'),
      ...padded(middle, wire, false),
      piece(`${glyphs.line} `, 'dim'),
      ...right,
    ];
    done.push(paintLine(all, paint));
  }

  function fits(end: End, { program, kernel }: Side): boolean {
    if (program === null || kernel === null) {
      return true;
    }
    return mode === 'five'
      ? width(program) <= layout.program && width(kernel) <= layout.kernel
      : width(program) + width(kernel) < room - (end === 'left' ? 0 : 1);
  }

  /** The lines of one host's cells, each not wider than its side. */
  function sideLines(end: End, { program, kernel }: Side): Line[] {
    const programs =
      program === null ? [] : wrap(program, kernel === null || mode === 'three' ? room : layout.program);
    const kernels = kernel === null ? [] : wrap(kernel, room);
    const lines: Line[] = [];
    for (let i = 0; i < Math.max(programs.length, kernels.length); i++) {
      const p = programs[i] ?? [];
      const k = kernels[i] ?? [];
      const pWidth = width(p);
      const kWidth = width(k);
      if (end === 'left') {
        const column = mode === 'five' ? Math.min(layout.program + 1, room - kWidth) : room - kWidth;
        lines.push([...p, piece(' '.repeat(Math.max(0, column - pWidth))), ...k]);
      } else {
        const wanted = mode === 'five' ? layout.kernel + 1 : kWidth === 0 ? 2 : kWidth + 1;
        const column = pWidth === 0 ? kWidth : Math.min(wanted, room - pWidth);
        lines.push([...k, piece(' '.repeat(Math.max(0, column - kWidth))), ...p]);
      }
    }
    return lines;
  }

  function finishRow(): void {
    if (row === null) {
      return;
    }
    const canvas = createCanvas(wire, glyphs);
    for (const flight of flights) {
      if (flight !== row.arrow?.flight) {
        canvas.flight(flight, row.at);
      }
    }
    let middles: Line[] = [];
    if (row.arrow !== null) {
      canvas.arrow(row.arrow);
      middles = [canvas.line(), ...extraLines(row, row.arrow)];
      if (row.arrow.shape === 'leaves' && row.arrow.flight !== null) {
        flights.add(row.arrow.flight);
      }
    } else {
      middles = row.text === null ? [canvas.line()] : wrap(row.text, wire - 2).map((l) => [piece(' '), ...l]);
    }
    const lefts = sideLines('left', row.left);
    const rights = sideLines('right', row.right);
    const time: Line = [piece(timeText(row.at), 'dim')];
    for (let i = 0; i < Math.max(lefts.length, middles.length, rights.length); i++) {
      rowLine(i === 0 ? time : [], lefts[i] ?? [], middles[i] ?? [], rights[i] ?? []);
    }
    last = row.last;
    row = null;
  }

  /** What became of a frame stands on the side that it did not reach, where nothing else is. */
  function extraLines(of: Row, { extra, rightwards, shape, dies }: Arrow): Line[] {
    if (extra === null) {
      return [];
    }
    const beyond = rightwards ? of.right : of.left;
    if ((shape === 'dies' || shape === 'held' || dies) && beyond.program === null && beyond.kernel === null) {
      beyond.kernel = extra;
      return [];
    }
    return wrap(extra, wire - 2).map((line) => [piece(' '), ...line]);
  }

  /** What is under way, and a long wait, are seen between the rows. */
  function pass(at: number): void {
    const since = last ?? at;
    const waited = at - since;
    const gap: Line =
      waited >= LONG
        ? [piece(`${glyphs.gap} ${waited < 99.5e9 ? `${(waited / 1e9).toFixed(1)} s` : span(waited)}`, 'dim')]
        : [];
    const flying = [...flights];
    const crossing = flying.some((one) => one.rightwards) && flying.some((one) => !one.rightwards);
    const rows =
      waited < VISIBLE || flying.length === 0
        ? gap.length > 0
          ? 1
          : 0
        : crossing && waited >= 4 * VISIBLE
          ? 3
          : 1;
    for (let i = 1; i <= rows; i++) {
      const canvas = createCanvas(wire, glyphs);
      for (const flight of flying) {
        canvas.flight(flight, since + (waited * i) / (rows + 1));
      }
      rowLine(i === 1 ? gap : [], [], canvas.line(), []);
    }
  }

  function rowFor(at: number, joins: (row: Row) => boolean): Row {
    if (row !== null && Math.abs(at - row.at) < SAME_MOMENT && joins(row)) {
      row.last = Math.max(row.last, at);
      return row;
    }
    finishRow();
    pass(at);
    row = {
      at,
      last: at,
      left: { program: null, kernel: null },
      right: { program: null, kernel: null },
      arrow: null,
      text: null,
    };
    return row;
  }

  function centred(at: number | null, text: string, tone: Tone): void {
    finishRow();
    const cells = layout.columns - layout.time - 1;
    for (const line of wrap([piece(text, tone)], cells)) {
      const middle = room + 2 + Math.floor(wire / 2);
      const before = Math.max(0, Math.min(middle - Math.floor(width(line) / 2), cells - width(line)));
      const time = at === null ? '' : timeText(at);
      done.push(
        paintLine(
          [...padded([piece(time, 'dim')], layout.time, true), piece(' '.repeat(before + 1)), ...line],
          paint,
        ),
      );
    }
    // What it sums up filled the time: no gap behind it.
    last = at === null ? null : Math.max(last ?? at, at);
  }

  return {
    program(end, at, line) {
      const placed = rowFor(at, (r) => {
        // An arrow that leaves this host is drawn to have left after what stands here.
        const left = r.arrow !== null && r.arrow.rightwards === (end === 'left');
        return !left && r[end].program === null && fits(end, { program: line, kernel: r[end].kernel });
      });
      placed[end].program = line;
      return { row: placed, end };
    },
    replace(placed, line, at) {
      const { row: of, end } = placed as { row: Row; end: End };
      if (row !== of || !fits(end, { program: line, kernel: of[end].kernel })) {
        return false;
      }
      of[end].program = line;
      of.last = Math.max(of.last, at);
      return true;
    },
    kernel(end, at, line) {
      const joins = (r: Row): boolean =>
        r[end].kernel === null && fits(end, { program: r[end].program, kernel: line });
      rowFor(at, joins)[end].kernel = line;
    },
    middle(at, line) {
      rowFor(at, (r) => r.arrow === null && r.text === null && flights.size === 0).text = line;
    },
    arrow(at, arrow) {
      if (arrow.flight !== null && arrow.shape === 'arrives') {
        // The pass before its arrival still shows it under way.
        finishRow();
      }
      const end: End = arrow.rightwards ? 'right' : 'left';
      const joins = (r: Row): boolean =>
        r.arrow === null && r.text === null && r[end].program === null && r[end].kernel === null;
      rowFor(at, joins).arrow = arrow;
      if (arrow.flight !== null && arrow.shape === 'arrives') {
        flights.delete(arrow.flight);
      }
    },
    landed: (flight) => void flights.delete(flight),
    note: centred,
    heading(at, text) {
      finishRow();
      if (last !== null) {
        pass(at);
        done.push('');
      }
      const begin = `${glyphs.dash}${glyphs.dash} `;
      const lines = wrap([piece(text, 'bold')], layout.columns - 6);
      lines.forEach((line, i) => {
        const rest = layout.columns - 4 - width(line);
        const tail = i === lines.length - 1 ? glyphs.dash.repeat(rest) : '';
        done.push(
          paintLine([piece(i === 0 ? begin : '   ', 'dim'), ...line, piece(` ${tail}`, 'dim')], paint),
        );
      });
      last = at;
      shownTime = '';
    },
    finish(before) {
      if (row !== null && row.last < before) {
        finishRow();
      }
    },
    take: () => done.splice(0),
  };
}

function padded(line: Line, cells: number, right: boolean): Line {
  const kept = width(line) <= cells ? line : wrap(line, cells)[0]!;
  const pad = piece(' '.repeat(Math.max(0, cells - width(kept))));
  return right ? [pad, ...kept] : [...kept, pad];
}
