/**
 * The plain socket table, written straight into bytes. A cell that does not fit widens its column, and the table is
 * written once more at the end, which small tables do not feel. Big ones start at the width of the longest IPv4
 * address and port, so that they hardly ever need the second pass.
 */
import { type Cells, freshCells, type RowSource } from '../session/cells.ts';
import { TCP_STATES } from '../session/socket.ts';
import { writeAscii, writeDecimal } from '../wire/net/text.ts';

export interface TableOptions {
  header: boolean;
  /** Text of the last column, asked once for each row in order; null for a table without owners. */
  owner: ((inode: number, index: number) => string) | null;
  /** Wraps the state's name in colour codes; same visible width. */
  paintState: (state: string) => string;
  /** Further lines under row `index`, each ending in a newline. */
  detail?: (index: number) => string;
}

const FIRST_PAGE = 64 * 1024;
const PAGE = 1024 * 1024;
const IPV4_WIDTH = 21;
const LONGEST_COMMON_STATE = 11;
const GAP = 2;
const SPACE = 32;
const SLASH = 47;
const NEWLINE = 10;
/** No row without its owner and details is longer: two UNIX paths of 108 bytes, three bytes each when shown, and numbers. */
const ROW_ROOM = 1024;
const encoder = new TextEncoder();
const HEADINGS = ['PROTO', 'STATE', 'LOCAL', 'PEER', 'QUEUES', 'OWNER'] as const;

interface Widths {
  protocol: number;
  state: number;
  local: number;
  peer: number;
  queues: number;
}

/** What the kernel calls closed is, for sockets without connections, only "not connected". */
export function stateWord(protocol: string, state: number): string {
  const word = TCP_STATES[state] ?? 'UNKNOWN';
  return word === 'CLOSED' && protocol !== 'tcp' ? 'UNCONN' : word;
}

/** A table in the making: the bytes so far and the widths in use and in need. */
interface Sheet {
  /** Full pages; `out` is the one being written, up to `at`. */
  pages: Uint8Array[];
  out: Uint8Array;
  at: number;
  index: number;
  widths: Widths;
  wanted: Widths;
  /** Protocol and state of a row, ready to copy, by protocol and state number. */
  heads: Map<string, Uint8Array[]>;
}

function freshSheet(options: TableOptions, widths: Widths): Sheet {
  const sheet: Sheet = {
    pages: [],
    out: freshPage(FIRST_PAGE),
    at: 0,
    index: 0,
    widths,
    wanted: { ...NARROW },
    heads: new Map(),
  };
  if (options.header) {
    sheet.at = writeHeading(sheet.out, widths, options.owner !== null);
  }
  return sheet;
}

const NARROW: Widths = { protocol: 5, state: 5, local: 5, peer: 4, queues: 6 };
const USUAL: Widths = {
  ...NARROW,
  state: LONGEST_COMMON_STATE,
  local: IPV4_WIDTH,
  peer: IPV4_WIDTH,
  queues: 'accept 4096/4096'.length,
};

/** The table as pages of bytes, to be written one after the other. */
export function plainTable(source: RowSource, options: TableOptions): Uint8Array[] {
  const sheet = freshSheet(options, NARROW);
  writeRows(sheet, source, options);
  return finished(sheet, source, options);
}

export interface GrowingTable {
  /** Writes the rows that the source has now. */
  grow(): void;
  finish(): Uint8Array[];
}

/** A table whose rows arrive in batches. It starts at the usual widths, so that big ones are written only once. */
export function growingTable(source: RowSource, options: TableOptions): GrowingTable {
  const sheet = freshSheet(options, USUAL);
  return {
    grow: () => writeRows(sheet, source, options),
    finish: () => finished(sheet, source, options),
  };
}

const FEW_ROWS = 2_000;

/** Where a cell did not fit, or a few rows would look lost in wide columns: once more with the widths that are needed. */
function finished(sheet: Sheet, source: RowSource, options: TableOptions): Uint8Array[] {
  const names = Object.keys(sheet.widths) as (keyof Widths)[];
  const fits = names.every((name) => sheet.wanted[name] <= sheet.widths[name]);
  const snug = names.every((name) => sheet.wanted[name] === sheet.widths[name]);
  if (fits && (snug || sheet.index > FEW_ROWS)) {
    return pagesOf(sheet);
  }
  const again = freshSheet(options, sheet.wanted);
  source.rewind();
  writeRows(again, source, options);
  return pagesOf(again);
}

function pagesOf({ pages, out, at }: Sheet): Uint8Array[] {
  return [...pages, out.subarray(0, at)];
}

/** One flat loop over local variables: closures cost three times as much here. */
function writeRows(sheet: Sheet, source: RowSource, options: TableOptions): void {
  const { owner, detail } = options;
  const { widths, wanted, heads } = sheet;
  const cells = freshCells();
  let { out, at, index } = sheet;
  let known: Uint8Array[] = [];
  let protocol = '';
  for (; source.next(cells); index++) {
    if (at + ROW_ROOM > out.length) {
      sheet.pages.push(out.subarray(0, at));
      out = freshPage(PAGE);
      at = 0;
    }
    if (cells.protocol !== protocol) {
      protocol = cells.protocol;
      known = heads.get(protocol) ?? [];
      heads.set(protocol, known);
    }
    let head = known[cells.state];
    if (head === undefined) {
      head = rowHead(protocol, cells.state, options, widths, wanted);
      known[cells.state] = head;
    }
    let rowStart = at;
    for (let i = 0; i < head.length; i++) {
      out[at + i] = head[i]!;
    }
    at += head.length;

    let end = source.writeLocal(out, at);
    if (end - at > wanted.local) {
      wanted.local = end - at;
    }
    at += widths.local + GAP;
    end = source.writePeer(out, at);
    if (end - at > wanted.peer) {
      wanted.peer = end - at;
    }
    at += widths.peer + GAP;
    end = writeQueues(out, at, cells);
    if (end - at > wanted.queues) {
      wanted.queues = end - at;
    }
    if (owner === null) {
      at = end;
    } else {
      at += widths.queues + GAP;
      const text = owner(cells.inode, index);
      if (at + text.length * 3 + ROW_ROOM > out.length) {
        const rowSoFar = out.subarray(rowStart, at);
        sheet.pages.push(out.subarray(0, rowStart));
        out = freshPage(PAGE + text.length * 3 + ROW_ROOM);
        out.set(rowSoFar);
        at = rowSoFar.length;
        rowStart = 0;
      }
      at = writeText(out, at, text);
    }
    out[at++] = NEWLINE;
    if (detail !== undefined) {
      const text = detail(index);
      if (at + text.length * 3 + ROW_ROOM > out.length) {
        const rowSoFar = out.subarray(rowStart, at);
        sheet.pages.push(out.subarray(0, rowStart));
        out = freshPage(PAGE + text.length * 3 + ROW_ROOM);
        out.set(rowSoFar);
        at = rowSoFar.length;
        rowStart = 0;
      }
      at += encoder.encodeInto(text, out.subarray(at)).written;
    }
  }
  sheet.out = out;
  sheet.at = at;
  sheet.index = index;
}

/** The spaces between columns are there from the start; cells are only written over them. */
function freshPage(size: number): Uint8Array {
  return new Uint8Array(size).fill(SPACE);
}

function writeHeading(out: Uint8Array, widths: Widths, withOwner: boolean): number {
  let at = 0;
  for (const [i, width] of [
    widths.protocol,
    widths.state,
    widths.local,
    widths.peer,
    widths.queues,
  ].entries()) {
    writeAscii(out, at, HEADINGS[i]!);
    at += width + GAP;
  }
  const end = withOwner ? writeAscii(out, at, HEADINGS[5]) : at - GAP - widths.queues + HEADINGS[4].length;
  out[end] = NEWLINE;
  return end + 1;
}

/** Protocol and state, painted and padded: the same few for all rows. */
function rowHead(
  protocol: string,
  state: number,
  options: TableOptions,
  widths: Widths,
  wanted: Widths,
): Uint8Array {
  const word = stateWord(protocol, state);
  wanted.protocol = Math.max(wanted.protocol, protocol.length);
  wanted.state = Math.max(wanted.state, word.length);
  const pad = ' '.repeat(Math.max(0, widths.state - word.length) + GAP);
  return encoder.encode(`${protocol.padEnd(widths.protocol + GAP)}${options.paintState(word)}${pad}`);
}

function writeText(out: Uint8Array, at: number, text: string): number {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 126) {
      return at + encoder.encodeInto(text, out.subarray(at)).written;
    }
    out[at + i] = code;
  }
  return at + text.length;
}

/** `accept 3/128` for a listener; `recv 5 send 0` when something waits; a dash when both queues are empty. */
function writeQueues(out: Uint8Array, from: number, cells: Cells): number {
  if (cells.listening) {
    const at = writeDecimal(out, writeAscii(out, from, 'accept '), cells.receive);
    out[at] = SLASH;
    return writeDecimal(out, at + 1, cells.send);
  }
  if (cells.receive === 0 && cells.send === 0) {
    out[from] = 45;
    return from + 1;
  }
  let at = from;
  if (cells.receive > 0) {
    at = writeDecimal(out, writeAscii(out, at, 'recv '), cells.receive);
  }
  if (cells.send > 0) {
    at = writeDecimal(out, writeAscii(out, at, at > from ? ' send ' : 'send '), cells.send);
  }
  return at;
}
