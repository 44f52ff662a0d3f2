/** What arrows and marks are drawn with. `ascii`: for terminals and pipes that know nothing else. */
export interface Glyphs {
  readonly dash: string;
  readonly right: string;
  readonly left: string;
  readonly down: string;
  readonly up: string;
  readonly cross: string;
  readonly dead: string;
  readonly held: string;
  readonly line: string;
  readonly again: string;
  readonly ellipsis: string;
  readonly gap: string;
  readonly times: string;
  readonly to: string;
  readonly sampled: string;
  readonly inferred: string;
  readonly cut: string;
}

const UNICODE: Glyphs = {
  dash: '─',
  right: '▶',
  left: '◀',
  down: '╲',
  up: '╱',
  cross: '╳',
  dead: '✗',
  held: '⏸',
  line: '│',
  again: '↻',
  ellipsis: '…',
  gap: '⋮',
  times: '×',
  to: '→',
  sampled: '·',
  inferred: '?',
  cut: '✂',
};

const ASCII: Glyphs = {
  dash: '-',
  right: '>',
  left: '<',
  down: '\\',
  up: '/',
  cross: 'X',
  dead: 'x',
  held: '=',
  line: '|',
  again: 'again ',
  ellipsis: '...',
  gap: ':',
  times: 'x',
  to: '->',
  sampled: '.',
  inferred: '?',
  cut: '!',
};

export function glyphsFor(ascii: boolean): Glyphs {
  return ascii ? ASCII : UNICODE;
}
