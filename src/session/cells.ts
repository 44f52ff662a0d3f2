/**
 * The rows of the socket table as a cursor over loose cells. The plain table is written from these, so that a list of
 * 100 000 sockets needs no object per socket; `see/raw-rows.ts` walks kernel bytes, `view/socket-rows.ts` full rows.
 */
export interface Cells {
  protocol: string;
  /** Index in TCP_STATES. */
  state: number;
  listening: boolean;
  receive: number;
  send: number;
  inode: number;
}

export interface RowSource {
  rewind(): void;
  /** Moves to the next row and fills the cells; false when there is none (yet). */
  next(cells: Cells): boolean;
  /** Write the current row's addresses; each returns the next free position. */
  writeLocal(out: Uint8Array, at: number): number;
  writePeer(out: Uint8Array, at: number): number;
}

export function freshCells(): Cells {
  return { protocol: '', state: 0, listening: false, receive: 0, send: 0, inode: 0 };
}
