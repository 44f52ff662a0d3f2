/** Carries out `ls`: the fast road from kernel bytes to text when nothing needs rows, the full one otherwise. */
import { SockscopeError } from '../errors.ts';
import { type Chunk, prepare, readDumps, readDumpsAside } from '../see/dumps.ts';
import { evaluate, needsOwners } from '../see/filter/index.ts';
import { type ProtocolChunk, rawRows } from '../see/raw-rows.ts';
import { ownerLookup, type Reading, readSockets } from '../see/sockets.ts';
import { joinPairs } from '../session/connection.ts';
import type { Protocol, Socket } from '../session/socket.ts';
import { detailLines } from '../view/details.ts';
import { COUNT_KEYS, countBy, DETAIL_KEYS, OWNER_KEYS, sortSockets } from '../view/groups.ts';
import { pairsTable } from '../view/pairs-table.ts';
import { growingTable, plainTable } from '../view/plain-table.ts';
import { csvHeading, csvLine, jsonLine } from '../view/records.ts';
import { ownersText, socketRows } from '../view/socket-rows.ts';
import { stateColour } from '../view/state-colour.ts';
import { summaryText } from '../view/summary.ts';
import { asked, type Wish } from './ls-wish.ts';
import { isTerminal, paint, print, printBytes, warn } from './output.ts';

export async function runLs(wish: Wish): Promise<void> {
  if (wish.watchSeconds !== null) {
    const { watchLs } = await import('./ls-watch.ts');
    return watchLs(wish);
  }
  if (wish.events) {
    const { printFreed } = await import('./ls-events.ts');
    return printFreed(wish);
  }
  if (wish.pairs) {
    return runPairs(wish);
  }
  if (canStayRaw(wish)) {
    return printRaw(wish);
  }
  const reading = await read(wish);
  let sockets: readonly Socket[] = reading.sockets;
  if (wish.sort.length > 0) {
    sockets = sortSockets(sockets, wish.sort);
  }
  if (wish.top !== null && wish.countBy === null) {
    sockets = sockets.slice(0, wish.top);
  }
  await output(wish, sockets);
  notes(wish, reading.notes, reading.sockets.length);
}

/** A filter may name one end only, so all rows are joined first and the pairs are picked afterwards. */
async function runPairs(wish: Wish): Promise<void> {
  const reading = await read({ ...wish, filter: null, states: undefined });
  const matches = wish.filter === null ? () => true : evaluate(wish.filter);
  const all = joinPairs(reading.sockets).pairs.filter(
    ({ client, server }) => matches(client) || matches(server),
  );
  const pairs = all.slice(0, wish.top ?? undefined);
  if (wish.output !== 'table' && wish.output !== 'json') {
    throw new SockscopeError(
      'PAIRS_OUTPUT',
      '--pairs is written as a table or as --json.',
      'Leave the other output away.',
      2,
    );
  }
  print(wish.output === 'json' ? pairs.map(jsonLine).join('') : pairsTable(pairs, wish.header, paint));
  notes(wish, reading.notes, pairs.length);
}

function canStayRaw(wish: Wish): boolean {
  const table = wish.output === 'table' && !wish.summary && !wish.pairs && wish.countBy === null;
  const details = wish.info || wish.memory || wish.extended || wish.timers;
  const rowwise = wish.sort.length > 0 || wish.top !== null || wish.netns !== null;
  return table && !details && !rowwise && (wish.filter === null || !needsOwners(wish.filter));
}

async function printRaw(wish: Wish): Promise<void> {
  const question = asked(wish);
  const inquiry = prepare(question);
  if (!inquiry.exact) {
    const reading = readSockets(question);
    printPages(table(wish, reading.sockets));
    return notes(wish, reading.notes, reading.sockets.length);
  }
  const lookup = ownerLookup(wish.owners);
  const chunks: ProtocolChunk[] = [];
  const growing = growingTable(rawRows(chunks), {
    header: wish.header,
    owner:
      lookup === null
        ? null
        : (inode) => {
            const owners = lookup.of(inode);
            return ownersText(owners, owners.length === 0 ? lookup.gap(inode) : 'none');
          },
    paintState: (state) => stateColour(paint, state),
  });
  const grow = (protocol: Protocol, chunk: Chunk): void => {
    if (chunk.rows > 0) {
      chunks.push({ protocol, chunk });
      growing.grow();
    }
  };
  // A filtered list is short: threads would cost more than they save.
  const dumps =
    wish.filter === null ? await readDumpsAside(question, inquiry, grow) : readDumps(question, inquiry);
  if (wish.filter !== null) {
    for (const { protocol, dump } of dumps.parts) {
      for (const chunk of dump.chunks) {
        grow(protocol, chunk);
      }
    }
  }
  printPages(growing.finish());
  notes(wish, [...dumps.notes, ...(lookup?.notes() ?? [])], dumps.rows);
}

async function read(wish: Wish): Promise<Reading> {
  const keys = wish.sort.map((key) => key.name);
  const owners =
    keys.some((key) => OWNER_KEYS.includes(key)) || wish.countBy === 'program' ? 'always' : wish.owners;
  const details =
    wish.info || wish.memory || wish.output !== 'table' || keys.some((key) => DETAIL_KEYS.includes(key));
  const options = { ...asked(wish), owners, details };
  if (wish.netns === null) {
    return readSockets(options);
  }
  const { readNetns } = await import('../see/netns.ts');
  return readNetns(wish.netns, options);
}

async function output(wish: Wish, sockets: readonly Socket[]): Promise<void> {
  if (wish.summary) {
    return print(
      wish.output === 'json'
        ? jsonLine(Object.fromEntries(countBy(sockets, COUNT_KEYS.state!)))
        : summaryText(sockets, paint),
    );
  }
  if (wish.countBy !== null) {
    const counts = countBy(sockets, COUNT_KEYS[wish.countBy]!).slice(0, wish.top ?? undefined);
    const lines =
      wish.output === 'json'
        ? counts.map(([name, count]) => jsonLine({ [wish.countBy!]: name, count }))
        : counts.map(([name, count]) => `${String(count).padStart(7)}  ${name}\n`);
    return print(lines.join(''));
  }
  if (wish.output === 'json') {
    return printInPieces(sockets, jsonLine);
  }
  if (wish.output === 'csv') {
    print(wish.header ? csvHeading() : '');
    return printInPieces(sockets, csvLine);
  }
  if (typeof wish.output === 'object') {
    const { renderRows, renderAll } = await import('./template.ts');
    return 'format' in wish.output
      ? renderRows(wish.output.format, sockets)
      : renderAll(wish.output.template, sockets);
  }
  printPages(table(wish, sockets));
}

function table(wish: Wish, sockets: readonly Socket[]): Uint8Array[] {
  return plainTable(socketRows(sockets), {
    header: wish.header,
    owner:
      wish.owners === 'never'
        ? null
        : (_inode, index) => ownersText(sockets[index]!.owners, sockets[index]!.ownerGap ?? 'none'),
    paintState: (state) => stateColour(paint, state),
    detail: (index) => detailLines(sockets[index]!, wish),
  });
}

function printPages(pages: readonly Uint8Array[]): void {
  for (const page of pages) {
    printBytes(page);
  }
}

const PIECE = 2_000;

function printInPieces(sockets: readonly Socket[], line: (socket: Socket) => string): void {
  for (let at = 0; at < sockets.length; at += PIECE) {
    print(
      sockets
        .slice(at, at + PIECE)
        .map(line)
        .join(''),
    );
  }
}

/** What was not seen is said on stderr, where it disturbs no pipe; an empty list says so in words. */
function notes(wish: Wish, texts: readonly string[], rows: number): void {
  if (rows === 0 && wish.output === 'table' && isTerminal()) {
    warn(wish.filter === null ? 'No sockets.' : `No socket matches ${wish.filterText || 'that'}.`);
  }
  for (const text of new Set(texts)) {
    warn(paint.dim(text));
  }
}
