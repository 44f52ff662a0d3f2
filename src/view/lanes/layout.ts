/** How many cells each lane has. */

export interface Layout {
  readonly columns: number;
  /**
   * `five`: program, kernel, wire, kernel, program. `three`: a host's program and kernel share one lane, the kernel next to the wire.
   * `list`: no lanes, one line per event.
   */
  readonly mode: 'five' | 'three' | 'list';
  readonly time: number;
  /** One host's program and kernel with the cell between them. */
  readonly side: number;
  /** Of `side`, when they do not share it. */
  readonly program: number;
  readonly kernel: number;
  readonly wire: number;
}

const TIME = 8;
/** Spaces and lifelines between time, side, wire and side. */
const BETWEEN = 5;
const FIVE_FROM = 96;
/** `= EADDRNOTAVAIL` fits into a side from here on. */
const THREE_FROM = 64;
/** Nothing can be read below. */
export const LEAST_COLUMNS = 20;

export function layoutFor(wanted: number): Layout {
  const columns = Math.max(LEAST_COLUMNS, Math.floor(wanted));
  const room = columns - TIME - BETWEEN;
  const mode = columns >= FIVE_FROM ? 'five' : columns >= THREE_FROM ? 'three' : 'list';
  const wire =
    mode === 'five'
      ? Math.min(44, Math.round(room * 0.3))
      : Math.min(25, Math.max(19, Math.round(room * 0.34)));
  const side = Math.floor((room - wire) / 2);
  const kernel = mode === 'five' ? (columns >= 120 ? 18 : 14) : side;
  return { columns, mode, time: TIME, side, kernel, program: side - 1 - kernel, wire };
}
