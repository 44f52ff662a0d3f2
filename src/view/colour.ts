/** Colours for a terminal, and nothing at all elsewhere. NO_COLOR (no-color.org) and FORCE_COLOR are honoured. */
const CODES = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  blue: [34, 39],
  magenta: [35, 39],
  cyan: [36, 39],
} as const;

export type Colour = keyof typeof CODES;
export type Painter = Record<Colour, (text: string) => string>;

export function painter(enabled: boolean): Painter {
  const paint = {} as Painter;
  for (const [name, [on, off]] of Object.entries(CODES)) {
    paint[name as Colour] = (text) => (enabled && text !== '' ? `\x1b[${on}m${text}\x1b[${off}m` : text);
  }
  return paint;
}

export function wantsColour(isTerminal: boolean, environment: Record<string, string | undefined>): boolean {
  if (environment.NO_COLOR !== undefined && environment.NO_COLOR !== '') {
    return false;
  }
  if (environment.FORCE_COLOR !== undefined && environment.FORCE_COLOR !== '0') {
    return true;
  }
  return isTerminal && environment.TERM !== 'dumb';
}
