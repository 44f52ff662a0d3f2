/** What stands above the lanes. */
import type { Painter } from '../colour.ts';
import { shorten } from './arrow.ts';
import type { Glyphs } from './glyphs.ts';
import type { Layout } from './layout.ts';
import { cellCount, paintLine, piece, wrap } from './text.ts';

export function headerLines(
  layout: Layout,
  paint: Painter,
  glyphs: Glyphs,
  names: readonly [string, string],
): string[] {
  const { mode, columns, time, side, program, kernel, wire } = layout;
  const legend =
    mode === 'list'
      ? `STATE${glyphs.sampled} sampled, STATE${glyphs.inferred} inferred; ${glyphs.again.trim()} sent again; ${glyphs.dead} lost`
      : `STATE traced by the kernel, STATE${glyphs.sampled} sampled, STATE${glyphs.inferred} inferred; ` +
        `${glyphs.again.trim()} sent again, ${glyphs.dead} lost, ${glyphs.held} held, ${glyphs.ellipsis} waits`;
  const explained = wrap([piece(legend, 'dim')], columns).map((line) => paintLine(line, paint));
  if (mode === 'list') {
    return explained;
  }
  const left = title(names[0], layout, glyphs);
  const right = title(names[1], layout, glyphs);
  const middle = centre('wire', wire);
  const leftText =
    mode === 'five' ? `${pad(left.program, program)} ${pad(left.kernel, kernel)}` : pad(left.both, side);
  const rightText = mode === 'five' ? `${pad(right.kernel, kernel)} ${right.program}` : right.both;
  const titles = paintLine(
    [
      piece(`${'time'.padStart(time)} `, 'dim'),
      piece(pad(leftText, side), 'cyan'),
      piece(` ${glyphs.line}`, 'dim'),
      piece(middle, 'bold'),
      piece(`${glyphs.line} `, 'dim'),
      piece(rightText, 'green'),
    ],
    paint,
  );
  return [...explained, titles];
}

interface Title {
  readonly program: string;
  readonly kernel: string;
  readonly both: string;
}

function title(name: string, { mode, side, program, kernel }: Layout, glyphs: Glyphs): Title {
  if (mode !== 'five') {
    return { program: '', kernel: '', both: shorten(`${name} program+kernel`, side, glyphs) };
  }
  const least = Math.min(program, kernel);
  return {
    program: `${shorten(name, least - ' program'.length, glyphs)} program`,
    kernel: `${shorten(name, least - ' kernel'.length, glyphs)} kernel`,
    both: '',
  };
}

function pad(text: string, cells: number): string {
  return text + ' '.repeat(Math.max(0, cells - cellCount(text)));
}

function centre(text: string, cells: number): string {
  const before = Math.floor((cells - text.length) / 2);
  return `${' '.repeat(before)}${text}${' '.repeat(cells - text.length - before)}`;
}
