/** The whole screen of packets as lines: exactly as many as the terminal has rows, none wider than it. */
import { sparkline } from '../view/sparkline.ts';
import { bytes, count, several } from '../view/units.ts';
import { noteNames } from '../wire/notes.ts';
import { keyLine } from './key-line.ts';
import { clip, justify, type Line, lineWidth, pad, printable, type Span, span, wrap } from './spans.ts';
import { typedLines } from './typed-line.ts';
import {
  connectionColumns,
  connectionHead,
  connectionLine,
  messageHead,
  messageLine,
  packetHead,
  packetLine,
  selectable,
  spokenText,
  stateSpan,
  trafficColumns,
  troubleSpans,
} from './wire-columns.ts';
import { followLines } from './wire-follow.ts';
import { ALWAYS, HELP, keyWords } from './wire-keys.ts';
import { endsLine, messageLines } from './wire-message.ts';
import {
  type OpenFollow,
  type OpenMessage,
  type OpenPacket,
  placeOf,
  trafficOf,
  type WireModel,
} from './wire-model.ts';
import { column, hexHeight, hexLines, hexWidth, nodeLine, nodesOf } from './wire-packet.ts';

export const LEAST_COLUMNS = 40;
export const LEAST_ROWS = 10;
const EXAMPLES = 'port 5432   http.status >= 500   latency > 20ms   note:retransmission';
const SPARK = 12;
const SPARK_WIDE = 30;
const WIDE = 110;
/** Beside the tree there must be room for a whole line of the dump, and for a field. */
const BESIDE = hexWidth(16) + 46;

export function tooSmall({ columns, rows }: WireModel): boolean {
  return columns < LEAST_COLUMNS || rows < LEAST_ROWS;
}

function titleLine(model: WireModel): Line {
  const { totals, interfaces, columns, paused, recording } = model;
  const left: Span[] = [
    span('sockscope', 'bold'),
    span(`  ${interfaces.join(' ')}`, 'accent'),
    span(`  ${several(totals.packets, 'packet')}  `),
    span(sparkline(totals.history, columns >= WIDE ? SPARK_WIDE : SPARK), 'accent'),
    span(` ${count(totals.perSecond)}/s`),
    span(`  ${count(totals.lost)} lost`, totals.lost > 0 ? 'bad' : 'dim'),
  ];
  if (columns >= WIDE) {
    left.splice(3, 0, span(`${bytes(totals.bytes)}  `, 'dim'));
  }
  const written = recording === '' ? [] : [span(`● ${recording}`, 'bad')];
  const right =
    paused === null
      ? written
      : [span('PAUSED', 'changed'), span(`  +${count(totals.packets - paused.packets)} new`, 'warn')];
  const gap = columns - lineWidth(left) - lineWidth(right);
  // Being paused must be seen even where there is no room for all of the rest.
  return gap >= 2 || right.length === 0 || paused === null
    ? justify(left, right, columns)
    : clip([...right, span('  '), ...left.slice(2)], columns);
}

function rule(title: Line, right: string, active: boolean, columns: number): Line {
  const left = [span(active ? '━━ ' : '── ', active ? 'accent' : 'dim'), ...title, span(' ')];
  const end = right === '' ? [] : [span(` ${right} `, 'dim')];
  const rest = columns - lineWidth(left) - lineWidth(end);
  if (rest < 3) {
    return clip(
      [
        ...left,
        span((active ? '━' : '─').repeat(Math.max(0, columns - lineWidth(left))), active ? 'accent' : 'dim'),
      ],
      columns,
    );
  }
  return [...left, span((active ? '━' : '─').repeat(rest), active ? 'accent' : 'dim'), ...end];
}

interface Frame {
  head: Line[];
  foot: Line[];
  body: number;
  /** Rows of each list. */
  connections: number;
  traffic: number;
}

export function frameOf(model: WireModel): Frame {
  const { columns, rows, message, now } = model;
  const head = [titleLine(model), ...(model.help ? [] : typedLines(model.filter, columns, EXAMPLES))];
  const foot: Line[] = [];
  if (message !== null && message.until > now) {
    foot.push(...wrap(message.text, columns).map((text) => [span(text, message.bad ? 'bad' : 'good')]));
  }
  foot.push(
    model.help
      ? [span('Any other key closes this.', 'dim')]
      : keyLine(keyWords(model), model.filter.typed === null ? ALWAYS : [], columns),
  );
  const body = Math.max(0, rows - head.length - foot.length);
  const lists = Math.max(2, body - 4);
  const connections = Math.max(1, Math.floor(lists / 3));
  return { head, foot, body, connections, traffic: Math.max(1, lists - connections) };
}

function connectionsPane(model: WireModel, height: number): Line[] {
  const { list, columns, pane, connections, only, rates, source, totals, order } = model;
  const active = pane === 'connections';
  const rows = list.slice(connections.top, connections.top + height);
  const layout = connectionColumns(rows, columns);
  const title = [
    span('Connections', active ? 'bold' : 'dim'),
    span(` ${count(list.length)}`),
    span(`  ${order === 'newest' ? 'newest first' : `${order} first`}`, 'dim'),
  ];
  const gone = totals.forgottenConnections + totals.missedConnections;
  const more = gone === 0 ? '' : `${count(gone)} no longer kept`;
  const newest = source.packets.at(source.packets.end - 1)?.at ?? 0;
  const lines: Line[] = rows.map((row, index) => {
    const line = connectionLine(row, layout, rates.get(row.id) ?? 0, newest);
    const marked =
      row.id === only ? line.map((piece, at) => (at === 0 ? span(piece.text, 'sorted') : piece)) : line;
    return selectable(marked, connections.top + index === connections.cursor, active, columns);
  });
  if (rows.length === 0) {
    lines.push(
      clip(
        [span('  '), span(model.filter.parsed === null ? 'none yet' : 'none matches the filter', 'dim')],
        columns,
      ),
    );
  }
  return [rule(title, more, active, columns), connectionHead(layout, columns), ...filled(lines, height)];
}

function emptyText({ interfaces, captureWords, filter, view, only, source, totals }: WireModel): string {
  if (filter.parsed !== null && source[view].length > 0) {
    return `No ${view} match \`${filter.text}\`: Esc shows all of them, / changes the filter.`;
  }
  if (only !== null && source[view].length > 0) {
    return `No ${view} of this connection are kept: a shows those of all.`;
  }
  if (view === 'messages' && totals.packets > 0) {
    return 'No messages yet: nothing was said in a protocol we read. p shows the packets.';
  }
  const words = captureWords === '' ? '' : `; filter ${captureWords}`;
  return `No ${view} yet on ${interfaces.join(', ')}${words}.`;
}

function trafficPane(model: WireModel, height: number): Line[] {
  const { columns, pane, view, only, source, totals } = model;
  const active = pane === 'traffic';
  const place = placeOf(model);
  const rows = trafficOf(model);
  const devices = view === 'packets' && model.interfaces.length > 1;
  const layout = trafficColumns(source.connections.values(), only !== null, devices, columns);
  const head = view === 'packets' ? packetHead(layout, columns) : messageHead(layout, columns);
  const lines: Line[] = [];
  const end = Math.min(rows.end, place.top + height);
  for (let position = Math.max(rows.first, place.top); position < end; position++) {
    const line = trafficLine(model, position, layout);
    lines.push(selectable(line, position === place.cursor, active, columns));
  }
  if (lines.length === 0) {
    lines.push(
      [],
      ...wrap(emptyText(model), columns - 4).map((text): Line => [span('  '), span(text, 'dim')]),
    );
  }
  return [
    rule(trafficTitle(model), trafficCounts(model, end, totals), active, columns),
    head,
    ...filled(lines, height),
  ];
}

function trafficTitle(model: WireModel): Line {
  const { view, only, source, pane } = model;
  const name = view === 'packets' ? 'Packets' : 'Messages';
  const connection = only === null ? undefined : source.connections.get(only);
  return [
    span(name, pane === 'traffic' ? 'bold' : 'dim'),
    span(` ${count(trafficOf(model).length)}`),
    ...(only === null
      ? []
      : [
          span('  of ', 'dim'),
          ...(connection === undefined ? [span(`#${only}`)] : endsLine(connection, null)),
        ]),
  ];
}

function trafficCounts(model: WireModel, end: number, totals: WireModel['totals']): string {
  const rows = trafficOf(model);
  const below = rows.end - end;
  const missed = model.view === 'packets' ? totals.missedRows : totals.missedMessages;
  const fallen = model.source[model.view].first;
  return [
    below > 0 ? `↓ ${count(below)} more` : '',
    missed > 0 ? `${count(missed)} too fast to show` : '',
    fallen > 0 ? `${count(fallen)} no longer kept` : '',
  ]
    .filter((text) => text !== '')
    .join(' · ');
}

function trafficLine(model: WireModel, position: number, layout: ReturnType<typeof trafficColumns>): Line {
  const { shown, source, view } = model;
  if (view === 'packets') {
    const row = shown.packets.at(position)!;
    return packetLine(
      row,
      source.connections.get(row.connection),
      source.completed.get(row.number) ?? [],
      layout,
    );
  }
  const row = shown.messages.at(position)!;
  return messageLine(row, source.connections.get(row.connection), layout);
}

function filled(lines: Line[], height: number): Line[] {
  const cut = lines.slice(0, height);
  return [...cut, ...Array.from({ length: Math.max(0, height - cut.length) }, (): Line => [])];
}

export function secretsFor({ source }: WireModel, connection: number): readonly Uint8Array[] {
  return [...(source.secrets.get(connection)?.values() ?? [])];
}

/** Rows of the tree of an open packet, and of its dump where that stands below. */
export function packetLayout(
  model: WireModel,
  open: OpenPacket,
): { beside: boolean; tree: number; dump: number } {
  const height = frameOf(model).body - 2;
  if (model.columns >= BESIDE) {
    return { beside: true, tree: height, dump: height };
  }
  const dump = Math.min(hexHeight(open.row, model.columns), Math.max(3, Math.floor(height * 0.4)));
  return { beside: false, tree: Math.max(1, height - dump - 1), dump };
}

function packetTitle(model: WireModel, { row }: OpenPacket): Line[] {
  const connection = model.source.connections.get(row.connection);
  const fromClient = connection !== undefined && row.sender === connection.clientEnd;
  const cut = row.frame.length < row.wireLength ? `, ${count(row.frame.length)} kept` : '';
  const title = [
    span(`Packet ${count(row.number)}`, 'bold'),
    span(`  ${row.time}  ${bytes(row.wireLength)}${cut}${row.device === '' ? '' : `  ${row.device}`}`, 'dim'),
    ...noteNames(row.notes).map((name) => span(`  ${name}`, 'warn')),
  ];
  const ends =
    connection === undefined
      ? [span(printable(row.info))]
      : [...endsLine(connection, fromClient), span(`  ${row.info}`, 'dim')];
  return [clip(title, model.columns), clip(ends, model.columns)];
}

function packetBody(model: WireModel, open: OpenPacket): Line[] {
  const { columns, source } = model;
  const { row, window, folded } = open;
  const nodes = nodesOf(row, source.completed.get(row.number) ?? [], folded);
  const { beside, tree, dump } = packetLayout(model, open);
  const across = beside ? columns - hexWidth(16) - 3 : columns;
  const left = nodes
    .slice(window.top, window.top + tree)
    .map((node, index) =>
      nodeLine(node, window.top + index === window.cursor, folded.has(node.layer), across),
    );
  const right = hexLines(
    row,
    secretsFor(model, row.connection),
    nodes[window.cursor],
    beside ? hexWidth(16) : columns,
    dump,
  );
  const title = packetTitle(model, open);
  if (!beside) {
    return [
      ...title,
      ...filled(left, tree),
      rule([span('Bytes', 'dim')], '', false, columns),
      ...filled(right, dump),
    ];
  }
  const lines = filled(left, tree).map(
    (line, index): Line => [...column(line, across), span(' │ ', 'dim'), ...(right[index] ?? [])],
  );
  return [...title, ...lines];
}

function followTitle(model: WireModel, open: OpenFollow): Line[] {
  const row = model.source.connections.get(open.connection.id) ?? open.connection;
  const state = [span(spokenText(row), 'odd'), span('  '), stateSpan(row), ...troubleSpans(row)];
  const ends = [...endsLine(row, null), span('  '), ...state];
  return [
    clip(ends, model.columns),
    rule(
      [span('Conversation', 'bold'), span(open.hex ? ' in hex' : '', 'dim')],
      open.stick ? '' : 'End follows',
      true,
      model.columns,
    ),
  ];
}

/** All lines of what is open, apart from its title. */
export function scrolledLines(model: WireModel, open: OpenFollow | OpenMessage): Line[] {
  const { source, columns } = model;
  if (open.kind === 'message') {
    return messageLines(open.row, source.connections.get(open.row.connection), columns);
  }
  const { id } = open.connection;
  return followLines(
    source.connections.get(id) ?? open.connection,
    source.said.get(id),
    secretsFor(model, id),
    open.hex,
    columns,
  );
}

export function scrollHeight(model: WireModel, open: OpenFollow | OpenMessage): number {
  return Math.max(1, frameOf(model).body - (open.kind === 'follow' ? 2 : 0));
}

function openBody(model: WireModel): Line[] {
  const { open } = model;
  if (open?.kind === 'packet') {
    return packetBody(model, open);
  }
  const scrolled = open as OpenFollow | OpenMessage;
  const height = scrollHeight(model, scrolled);
  const all = scrolledLines(model, scrolled);
  const end = Math.max(0, all.length - height);
  const top = scrolled.kind === 'follow' && scrolled.stick ? end : Math.min(scrolled.scroll, end);
  const title = scrolled.kind === 'follow' ? followTitle(model, scrolled) : [];
  return [...title, ...all.slice(top, top + height)];
}

export function helpLines(columns: number): Line[] {
  const indent = 18;
  return HELP.flatMap(([keys, meaning]) =>
    wrap(meaning, columns - indent - 2).map(
      (text, index): Line => [span(`  ${pad(index === 0 ? keys : '', indent)}`, 'bold'), span(text)],
    ),
  );
}

function bodyLines(model: WireModel, { body, connections, traffic }: Frame): Line[] {
  if (model.help) {
    return helpLines(model.columns).slice(model.helpScroll, model.helpScroll + body);
  }
  return model.open !== null
    ? openBody(model)
    : [...connectionsPane(model, connections), ...trafficPane(model, traffic)];
}

export function wireLines(model: WireModel): Line[] {
  const { columns, rows } = model;
  if (tooSmall(model)) {
    const text = `Too small: ${LEAST_COLUMNS} columns and ${LEAST_ROWS} rows are needed, here are ${columns} and ${rows}.`;
    return filled(
      wrap(text, columns).map((part): Line => [span(part, 'warn')]),
      rows,
    );
  }
  const frame = frameOf(model);
  return [...frame.head, ...filled(bodyLines(model, frame), frame.body), ...frame.foot]
    .slice(0, rows)
    .map((line) => clip(line, columns));
}
