/** The rows of the three lists: columns that stand under their headings at every width. */

import { bytes, count, duration, rate, THIN } from '../view/units.ts';
import { GRAVE } from '../view/wire/packet-line.ts';
import type { ConnectionRow, EndRow, MessageRow, PacketRow } from '../view/wire/screen-rows.ts';
import { noteNames } from '../wire/notes.ts';
import {
  clip,
  exactly,
  exactlyEnd,
  type Line,
  lineWidth,
  pad,
  printable,
  type Span,
  span,
  type Tone,
  textWidth,
} from './spans.ts';

const GUTTER = 2;
const GAP = 2;
/** `127.0.0.1:65535` and the like stay whole; a long IPv6 address keeps its end. */
const END_LEAST = 15;
const SERVER_LEAST = 6;
const OWNER_LEAST = 8;
const OWNER_MOST = 30;
/** `client closed` */
const STATE_LEAST = 13;

export function selectable(line: Line, selected: boolean, active: boolean, width: number): Line {
  const whole = [span(selected ? '› ' : '  ', selected ? 'bold' : 'plain'), ...line];
  if (!selected || !active) {
    return clip(whole, width);
  }
  whole.push(span(' '.repeat(Math.max(0, width - lineWidth(whole)))));
  return clip(whole, width).map(({ text }) => span(text, 'cursor'));
}

function heading(line: Line, width: number): Line {
  const whole = [span(' '.repeat(GUTTER), 'head'), ...line];
  whole.push(span(' '.repeat(Math.max(0, width - lineWidth(whole))), 'head'));
  return clip(whole, width);
}

function right(text: string, width: number): string {
  return ' '.repeat(Math.max(0, width - textWidth(text))) + text;
}

export function ownerText({ owner }: EndRow): string {
  return owner === null ? '' : printable(`${owner.program}[${owner.pid}]`);
}

export function clientOf(row: ConnectionRow): EndRow {
  return row.ends[row.clientEnd];
}

export function serverOf(row: ConnectionRow): EndRow {
  return row.ends[row.clientEnd === 0 ? 1 : 0];
}

/** On a machine that talks to itself, the second address says nothing new. */
function serverText(row: ConnectionRow): string {
  const server = serverOf(row);
  return server.address === clientOf(row).address ? `:${server.port}` : server.text;
}

/** Two columns of ends: each as wide as its texts want, and what is missing is taken from both. */
interface EndColumn {
  width: number;
  /** How many of them come before the owner. */
  address: number;
}

export interface ConnectionColumns {
  client: EndColumn;
  server: EndColumn;
  rate: boolean;
  last: boolean;
}

const PROTO = 6;
const PACKETS = 6;
const SIZE = 7;
const RATE = 11;
const LAST = 7;

export function connectionColumns(rows: readonly ConnectionRow[], width: number): ConnectionColumns {
  const fixed = GUTTER + PROTO + GAP + 3 + GAP + PACKETS + GAP + 2 * (SIZE + GAP) + STATE_LEAST;
  let clientText = SERVER_LEAST;
  let serverWide = SERVER_LEAST;
  let owner = 0;
  for (const row of rows) {
    clientText = Math.max(clientText, clientOf(row).text.length);
    serverWide = Math.max(serverWide, serverText(row).length);
    owner = Math.max(owner, textWidth(ownerText(row.ends[0])), textWidth(ownerText(row.ends[1])));
  }
  let spare = width - fixed;
  const client = Math.min(clientText, Math.max(END_LEAST, spare - Math.min(serverWide, END_LEAST)));
  spare -= client;
  const server = Math.min(serverWide, Math.max(SERVER_LEAST, spare));
  spare -= server;
  // Who it is tells more than how much it is.
  const room = owner === 0 ? 0 : Math.min(owner + 1, OWNER_MOST, Math.floor(spare / 2));
  const named = room >= OWNER_LEAST ? room : 0;
  spare -= 2 * named;
  const withRate = spare >= RATE + GAP;
  spare -= withRate ? RATE + GAP : 0;
  return {
    client: { width: client + named, address: client },
    server: { width: server + named, address: server },
    rate: withRate,
    last: spare >= LAST + GAP,
  };
}

export function connectionHead(columns: ConnectionColumns, width: number): Line {
  const texts = [
    pad('PROTO', PROTO + GAP),
    pad('CLIENT', columns.client.width + 3),
    pad('SERVER', columns.server.width + GAP),
    right('PKTS', PACKETS) + ' '.repeat(GAP),
    `${right('SENT', SIZE)}${' '.repeat(GAP)}${right('RECVD', SIZE)}${' '.repeat(GAP)}`,
    columns.rate ? right('RATE', RATE) + ' '.repeat(GAP) : '',
    columns.last ? right('HEARD', LAST) + ' '.repeat(GAP) : '',
    'STATE',
  ];
  return heading([span(texts.join(''), 'head')], width);
}

function endSpans(text: string, end: EndRow, tone: Tone, { width, address }: EndColumn): Span[] {
  const room = width - address - 1;
  return [
    span(exactlyEnd(text, address), tone),
    span(room <= 0 ? '' : ` ${exactly(ownerText(end), room)}`, 'dim'),
  ];
}

/** Notes that every connection has, or that its state says already. */
const USUAL = /^(window-update|reset|keep-alive|keep-alive-ack|mid-stream)\b/;

export function stateSpan(row: ConnectionRow): Span {
  const side = (end: number): string => (end === row.clientEnd ? 'client' : 'server');
  if (row.resetBy >= 0) {
    return span(`${side(row.resetBy)} reset`, 'bad');
  }
  if (row.finBy >= 0) {
    return row.state === 'closed'
      ? span(`${side(row.finBy)} closed`, 'dim')
      : span(`${side(row.finBy)} half-closed`, 'warn');
  }
  switch (row.how) {
    case 'idle':
      return span('silent', 'dim');
    case 'evicted':
      return span('forgotten', 'dim');
    case 'reused':
      return span('ports reused', 'dim');
    default:
      return span('open', 'good');
  }
}

export function troubleSpans(row: ConnectionRow): Span[] {
  const grave = noteNames(row.notes).some((name) => GRAVE.includes(name) && name !== 'reset');
  const notes = row.noteTexts.filter((text) => !USUAL.test(text));
  const spans: Span[] = [];
  if (row.failed > 0) {
    spans.push(span(`  ${count(row.failed)} failed`, 'bad'));
  }
  if (notes.length > 0) {
    spans.push(span(`  ${notes.join(' ')}`, grave ? 'bad' : 'warn'));
  }
  if (row.trouble !== '') {
    spans.push(span(`  ${row.trouble}`, 'warn'));
  }
  return spans;
}

export function spokenText({ speaks, protocol }: ConnectionRow): string {
  return speaks === '' ? (protocol === 6 ? 'tcp' : 'udp') : speaks;
}

/** `newestAt`: of the last packet, on the packets' own clock. */
export function connectionLine(
  row: ConnectionRow,
  columns: ConnectionColumns,
  bytesPerSecond: number,
  newestAt: number,
): Line {
  const client = clientOf(row);
  const server = serverOf(row);
  const gap = ' '.repeat(GAP);
  const heard = Math.max(0, newestAt - row.last) / 1000;
  return [
    span(exactly(spokenText(row), PROTO) + gap, row.speaks === '' ? 'dim' : 'odd'),
    ...endSpans(client.text, client, 'accent', columns.client),
    span(' → ', 'dim'),
    ...endSpans(serverText(row), server, 'good', columns.server),
    span(gap + right(count(client.packets + server.packets), PACKETS) + gap),
    span(right(bytes(client.payload), SIZE) + gap),
    span(right(bytes(server.payload), SIZE) + gap),
    span(
      columns.rate ? right(bytesPerSecond === 0 ? '-' : rate(bytesPerSecond), RATE) + gap : '',
      bytesPerSecond === 0 ? 'dim' : 'plain',
    ),
    span(columns.last ? right(heard < 1e6 ? 'now' : duration(heard), LAST) + gap : '', 'dim'),
    stateSpan(row),
    ...troubleSpans(row),
  ];
}

export interface TrafficColumns {
  time: number;
  /** Of the ends; 0 where only one connection is shown, and an arrow says it all. */
  client: number;
  server: number;
  device: number;
}

const TIME_SHORT = 12;
const TIME_LONG = 15;
const ROOMY = 110;
const END_MOST = 26;
const DEVICE = 8;
const TOOK = 9;
const PAYLOAD = 7;

export function trafficColumns(
  rows: Iterable<ConnectionRow>,
  only: boolean,
  devices: boolean,
  width: number,
): TrafficColumns {
  let client = END_LEAST;
  let server = SERVER_LEAST;
  for (const row of rows) {
    client = Math.max(client, clientOf(row).text.length);
    server = Math.max(server, serverText(row).length);
  }
  const most = width >= ROOMY ? END_MOST : END_LEAST + 1;
  return {
    time: width >= ROOMY ? TIME_LONG : TIME_SHORT,
    client: only ? 0 : Math.min(client, most),
    server: only ? 0 : Math.min(server, most),
    device: devices ? DEVICE : 0,
  };
}

function trafficStart(columns: TrafficColumns): string {
  const gap = ' '.repeat(GAP);
  const ends =
    columns.client === 0 ? '   ' : pad('CLIENT', columns.client + 3) + pad('SERVER', columns.server + GAP);
  return (
    pad('TIME', columns.time) + gap + (columns.device > 0 ? pad('IFACE', columns.device) + gap : '') + ends
  );
}

export function packetHead(columns: TrafficColumns, width: number): Line {
  return heading([span(`${trafficStart(columns)}${right('BYTES', PAYLOAD)}  WHAT`, 'head')], width);
}

export function messageHead(columns: TrafficColumns, width: number): Line {
  return heading(
    [
      span(
        `${trafficStart({ ...columns, device: 0 })}${pad('PROTO', PROTO + GAP)}${right('TOOK', TOOK)}  WHAT`,
        'head',
      ),
    ],
    width,
  );
}

/** The client stands left, always; the arrow says who speaks. */
function endsSpans(
  row: ConnectionRow | undefined,
  fromClient: boolean,
  { client, server }: TrafficColumns,
): Span[] {
  const arrow = fromClient ? '→' : '←';
  if (client === 0) {
    return [span(`${arrow}  `, fromClient ? 'accent' : 'good')];
  }
  if (row === undefined) {
    return [span(' '.repeat(client + server + 3 + GAP))];
  }
  return [
    span(exactlyEnd(clientOf(row).text, client), 'accent'),
    span(` ${arrow} `, fromClient ? 'accent' : 'good'),
    span(exactlyEnd(serverText(row), server) + ' '.repeat(GAP), 'good'),
  ];
}

function noteSpans(notes: number): Span[] {
  return noteNames(notes).map((name) => span(`  ${name}`, GRAVE.includes(name) ? 'bad' : 'warn'));
}

export function packetLine(
  row: PacketRow,
  connection: ConnectionRow | undefined,
  completed: readonly MessageRow[],
  columns: TrafficColumns,
): Line {
  const gap = ' '.repeat(GAP);
  const start = [
    span(row.time.slice(0, columns.time) + gap, 'dim'),
    ...(columns.device > 0 ? [span(exactly(row.device, columns.device) + gap, 'dim')] : []),
  ];
  if (row.connection < 0) {
    // What is no conversation says itself who speaks to whom.
    const room = columns.client === 0 ? 3 : columns.client + columns.server + 3 + GAP;
    return [
      ...start,
      span(
        exactly(printable(row.info), room - (columns.client === 0 ? 0 : GAP)) +
          (columns.client === 0 ? '' : gap),
      ),
      span(`${right(`${row.wireLength}${THIN}B`, PAYLOAD)}${gap}`, 'dim'),
      ...(textWidth(row.info) > room - GAP ? [span(printable(row.info), 'dim')] : []),
      ...noteSpans(row.notes),
    ];
  }
  const [first, ...more] = completed;
  const what: Span[] =
    first === undefined
      ? [span(row.protocol === 'TCP' ? row.info : 'UDP', /SYN|FIN|RST/.test(row.info) ? 'bold' : 'plain')]
      : [...messageSpans(first), ...(more.length > 0 ? [span(`  and ${more.length} more`, 'dim')] : [])];
  return [
    ...start,
    ...endsSpans(connection, connection !== undefined && row.sender === connection.clientEnd, columns),
    span(
      right(row.payload === 0 ? '-' : `${count(row.payload)}`, PAYLOAD) + gap,
      row.payload === 0 ? 'dim' : 'plain',
    ),
    ...(noteSpans(row.notes).length === 0
      ? what
      : [...noteSpans(row.notes).map(({ text, tone }) => span(`${text.trim()}  `, tone)), ...what]),
  ];
}

function messageSpans(row: MessageRow): Span[] {
  const tone = row.heard === null ? 'warn' : row.heard.failed ? 'bad' : 'plain';
  return [span(`${row.protocol}  `, 'odd'), span(printable(row.text), tone)];
}

export function tookText({ heard }: MessageRow): string {
  return heard === null || heard.latency < 0 ? '' : duration(heard.latency / 1000);
}

export function messageLine(
  row: MessageRow,
  connection: ConnectionRow | undefined,
  columns: TrafficColumns,
): Line {
  const gap = ' '.repeat(GAP);
  const tone = row.heard === null ? 'warn' : row.heard.failed ? 'bad' : 'plain';
  return [
    span(row.time.slice(0, columns.time) + gap, 'dim'),
    ...endsSpans(connection, row.side === 'client', columns),
    span(exactly(row.protocol, PROTO) + gap, 'odd'),
    span(right(tookText(row), TOOK) + gap, 'dim'),
    span(printable(row.text), tone),
  ];
}
