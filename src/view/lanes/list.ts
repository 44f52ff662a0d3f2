/** Where lanes have no room: one line per event, `12.3 ms  client  connect(…) = 0`. */
import type { Painter } from '../colour.ts';
import type { Arrow, End } from './arrow.ts';
import type { Glyphs } from './glyphs.ts';
import type { Layout } from './layout.ts';
import type { Page } from './page.ts';
import { type Line, paintLine, piece, wrap } from './text.ts';
import { span } from './times.ts';

interface Waiting {
  readonly at: number;
  line: Line;
}

export function createList(
  layout: Layout,
  paint: Painter,
  glyphs: Glyphs,
  origin: () => number,
  names: readonly [string, string],
): Page {
  const { columns } = layout;
  const done: string[] = [];
  let open: Waiting | null = null;

  function finishLine(): void {
    if (open !== null) {
      print(open);
      open = null;
    }
  }

  function print({ at, line }: Waiting): void {
    const time = span(at - origin())
      .padStart(layout.time)
      .slice(-layout.time);
    const indent = columns >= 36 ? layout.time + 1 : 1;
    const shown = columns >= 36 ? time : span(at - origin());
    const lines = wrap(columns >= 36 ? line : [piece(`${shown} `, 'dim'), ...line], columns - indent);
    lines.forEach((one, i) => {
      const before = columns < 36 ? '' : i === 0 ? `${time} ` : ' '.repeat(indent);
      done.push(paintLine([piece(before, 'dim'), ...one], paint));
    });
  }

  function put(at: number, line: Line): Waiting {
    finishLine();
    open = { at, line };
    return open;
  }

  const said = (end: End, line: Line): Line => [
    piece(`${names[end === 'left' ? 0 : 1]} `, end === 'left' ? 'cyan' : 'green'),
    ...line,
  ];

  function arrowLine(arrow: Arrow): Line {
    const { shape, sender, receiver, extra, dies } = arrow;
    const head = rightHead(arrow);
    const target = receiver === '' ? '' : ` ${receiver}`;
    const ends =
      shape === 'arrives'
        ? `${glyphs.ellipsis}${head}${target}`
        : shape === 'leaves'
          ? `${sender} ${head}${glyphs.ellipsis}`
          : `${sender} ${head}${target}`;
    return [
      piece(ends, dies || shape === 'dies' ? 'red' : 'dim'),
      piece(` ${arrow.labels[0] ?? ''}`, arrow.tone),
      ...(extra === null ? [] : [piece(' '), ...extra]),
    ];
  }

  function rightHead({ shape, dies }: Arrow): string {
    if (shape === 'dies' || dies) {
      return `${glyphs.dash}${glyphs.dead}`;
    }
    return `${glyphs.dash}${shape === 'held' ? glyphs.held : glyphs.right}`;
  }

  return {
    program: (end, at, line) => put(at, said(end, line)),
    replace(placed, line) {
      if (open === null || open !== placed) {
        return false;
      }
      open.line = [open.line[0]!, ...line];
      return true;
    },
    kernel: (end, at, line) => void put(at, said(end, line)),
    middle: (at, line) => void put(at, line),
    arrow: (at, arrow) => void put(at, arrowLine(arrow)),
    landed() {},
    note: (at, text, tone) => void put(at ?? open?.at ?? origin(), [piece(text, tone)]),
    heading(_, text) {
      finishLine();
      done.push(
        ...wrap([piece(`${glyphs.dash}${glyphs.dash} ${text}`, 'bold')], columns).map((l) =>
          paintLine(l, paint),
        ),
      );
    },
    finish(before) {
      if (open !== null && open.at < before) {
        finishLine();
      }
    },
    take: () => done.splice(0),
  };
}
