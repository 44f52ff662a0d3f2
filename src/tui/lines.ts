/** The whole screen as lines: exactly as many as the terminal has rows, none wider than it. */
import { count, duration, several } from '../view/units.ts';
import { countsSpans } from './cells.ts';
import { columnsFor, headLine, rowLine } from './columns.ts';
import { detailLines } from './detail.ts';
import { type KeyWord, keyLine } from './key-line.ts';
import { HELP, SIGNS } from './keys.ts';
import { type Model, socketAt } from './model.ts';
import { intervalOf, isSlowed } from './pace.ts';
import { clip, justify, type Line, pad, type Span, span, wrap } from './spans.ts';
import { typedLines } from './typed-line.ts';

const ROOMY = 9;
/** Of every this many rows of the terminal, one may go to what is not visible. */
const ROWS_PER_NOTE = 8;

function paceSpans({ pace, paused }: Model): Span[] {
  const every = duration(intervalOf(pace) * 1000);
  const took = duration(pace.tookMs * 1000);
  if (paused) {
    return [span('PAUSED', 'changed'), span(`  p goes on`, 'dim')];
  }
  return isSlowed(pace)
    ? [span(`every ${every}`, 'warn'), span(`  slowed down: a reading takes ${took}`, 'dim')]
    : [span(`every ${every}`, 'dim')];
}

function titleLines(model: Model): Line[] {
  const { table, columns } = model;
  const gone = table.changes.gone.length;
  const left = [span('sockscope', 'bold'), span(`  ${several(table.total, 'socket')}`)];
  if (gone > 0) {
    left.push(span(`  ${count(gone)} just gone`, 'bad'));
  }
  return [justify(left, paceSpans(model), columns)];
}

function filterLines({ filter, columns }: Model): Line[] {
  return typedLines(filter, columns, ':8080   node   state listening   dst 10.0.0.0/8');
}

const ALWAYS: readonly KeyWord[] = [
  ['?', 'help'],
  ['q', 'quit'],
];
const ON_ROW: readonly KeyWord[] = [
  ['p', 'pause'],
  ['K', 'end process'],
  ['x', 'destroy'],
];
const TABLE_KEYS: readonly KeyWord[] = [
  ['/', 'filter'],
  ['s', 'sort'],
  ['Enter', 'details'],
  ['r', 'reverse'],
  ...ON_ROW,
];
const DETAIL_KEYS: readonly KeyWord[] = [['Esc', 'back'], ['↑↓', 'scroll'], ...ON_ROW];
const TYPING_KEYS: readonly KeyWord[] = [
  ['Enter', 'keep'],
  ['Esc', 'clear'],
  ['↑↓', 'move'],
];

function keysLine({ detail, filter, columns }: Model): Line {
  const last = filter.typed === null ? ALWAYS : [];
  const words = filter.typed !== null ? TYPING_KEYS : detail !== null ? DETAIL_KEYS : TABLE_KEYS;
  return keyLine(words, last, columns);
}

/** Each note in one line, rather than the first one in full and no other; what has no room at all is counted. */
function noteLines(notes: readonly string[], columns: number, room: number): Line[] {
  const kept = notes.length <= room ? notes : notes.slice(0, Math.max(0, room - 1));
  const more = notes.length - kept.length;
  const lines = kept.map((text): Line => clip([span(text, 'dim')], columns));
  return more === 0 || room === 0
    ? lines
    : [
        ...lines,
        clip(
          [
            span(
              `${several(more, more === notes.length ? 'note' : 'more note')}: \`sockscope ls\` prints them`,
              'dim',
            ),
          ],
          columns,
        ),
      ];
}

function footLines(model: Model): Line[] {
  const { table, columns, rows, ask, message, now } = model;
  if (ask !== null) {
    return [
      ...wrap(ask.question, columns).map((text) => [span(text, 'changed')]),
      ...wrap(ask.consequence, columns).map((text) => [span(text)]),
      clip([span('y', 'bold'), span(' yes   ', 'dim'), span('n', 'bold'), span(' no', 'dim')], columns),
    ];
  }
  const lines: Line[] = [];
  if (rows >= ROOMY && model.detail === null) {
    lines.push(clip(countsSpans(table.counts).slice(1), columns));
    lines.push(...noteLines(table.notes, columns, Math.floor(rows / ROWS_PER_NOTE)));
  }
  if (message !== null && message.until > now) {
    lines.push(...wrap(message.text, columns).map((text) => [span(text, message.bad ? 'bad' : 'good')]));
  }
  lines.push(keysLine(model));
  return lines;
}

function emptyLines({ filter, columns }: Model): Line[] {
  const text =
    filter.text === ''
      ? 'No socket is open here: start a server, or leave this network namespace.'
      : `No socket matches \`${filter.text}\`: Esc shows all of them, / changes the filter.`;
  return [[], ...wrap(text, columns - 2).map((part) => [span('  '), span(part, 'dim')])];
}

function helpLines(): Line[] {
  const keys = HELP.map(([key, meaning]): Line => [span(`  ${pad(key, 20)}`, 'bold'), span(meaning)]);
  return [
    ...keys,
    [],
    ...SIGNS.map(([sign, meaning]): Line => [span(`  ${pad(sign, 20)}`, 'dim'), span(meaning)]),
  ];
}

interface Frame {
  head: Line[];
  foot: Line[];
  /** Rows between them. */
  body: number;
}

function frameOf(model: Model): Frame {
  if (model.help) {
    const foot: Line[] = model.rows > 2 ? [[span('Any key closes this.', 'dim')]] : [];
    return { head: [], foot, body: model.rows - foot.length };
  }
  const head = [...titleLines(model), ...filterLines(model)];
  if (model.detail === null) {
    head.push(headLine(columnsFor(model.columns, model.table.widths), model.sort, model.columns));
  }
  // On a terminal of a few rows the table wins over what surrounds it; a question never gives way.
  const most = Math.max(1, model.rows - 3);
  const spare = model.ask === null ? Math.max(0, most - head.length) : model.rows;
  const all = footLines(model);
  const foot = all.slice(Math.max(0, all.length - spare));
  const kept = head.slice(0, Math.max(0, model.rows - foot.length - 1));
  return { head: kept, foot, body: Math.max(0, model.rows - kept.length - foot.length) };
}

export function bodyHeight(model: Model): number {
  return Math.max(1, frameOf(model).body);
}

function detailBody(model: Model): Line[] {
  return model.detail === null ? [] : detailLines(model.detail, model.now, model.columns);
}

/** How far the open pane, or the help, can be scrolled. */
export function scrollEnd(model: Model): number {
  return Math.max(0, detailBody(model).length - bodyHeight(model));
}

function tableBody(model: Model, height: number): Line[] {
  const { table, window, columns } = model;
  if (table.order.length === 0) {
    return emptyLines(model);
  }
  const layout = columnsFor(columns, table.widths);
  const lines: Line[] = [];
  for (let position = window.top; position < window.top + height; position += 1) {
    const socket = socketAt(table, position);
    if (socket === null) {
      break;
    }
    const mark = table.changes.marks.get(socket.cookie);
    lines.push(rowLine(socket, layout, mark, position === window.cursor, columns));
  }
  return lines;
}

function bodyLines(model: Model, height: number): Line[] {
  if (model.help) {
    return helpLines();
  }
  if (model.detail !== null) {
    return detailBody(model).slice(model.detail.scroll, model.detail.scroll + height);
  }
  return tableBody(model, height);
}

export function screenLines(model: Model): Line[] {
  const { head, foot, body } = frameOf(model);
  const middle = bodyLines(model, body).slice(0, body);
  const blank = Array.from({ length: body - middle.length }, (): Line => []);
  return [...head, ...middle, ...blank, ...foot]
    .slice(0, model.rows)
    .map((line) => clip(line, model.columns));
}
