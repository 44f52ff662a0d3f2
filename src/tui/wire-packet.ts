/** One packet, taken apart: its layers with their fields, and its bytes with those of the field at hand marked. */

import { bytes } from '../view/units.ts';
import type { MessageRow, PacketRow } from '../view/wire/screen-rows.ts';
import { layers } from '../wire/layers.ts';
import { blotted } from '../wire/secrets.ts';
import { clip, exactly, type Line, lineWidth, pad, printable, type Span, span, textWidth } from './spans.ts';
import { fieldLines } from './wire-message.ts';
import { headersOf } from './wire-subject.ts';

export interface Node {
  /** Of the layer; a folded one shows its title only. */
  layer: string;
  title: boolean;
  label: string;
  text: string;
  /** The bytes it was read from; equal for what was concluded. */
  from: number;
  to: number;
}

const NAME_MOST = 18;
const MESSAGE_WIDTH = 400;

/** What is said in it has no bytes of its own to point at: a message may have begun packets ago. */
export function nodesOf(
  row: PacketRow,
  completed: readonly MessageRow[],
  folded: ReadonlySet<string>,
): Node[] {
  const headers = headersOf(row);
  const nodes: Node[] = [];
  const add = (
    layer: string,
    title: string,
    from: number,
    to: number,
    fields: readonly Omit<Node, 'layer' | 'title'>[],
  ): void => {
    nodes.push({ layer, title: true, label: title, text: '', from, to });
    if (!folded.has(layer)) {
      nodes.push(...fields.map((field) => ({ ...field, layer, title: false })));
    }
  };
  for (const [index, layer] of layers(headers).entries()) {
    const fields = layer.fields.map((field) => ({
      label: field.name.startsWith(`${layer.name}.`) ? field.name.slice(layer.name.length + 1) : field.name,
      text: field.text,
      from: field.from,
      to: field.to,
    }));
    add(`${index} ${layer.name}`, layer.title, layer.from, layer.to, fields);
  }
  const from = headers.payloadAt;
  const to = Math.min(headers.payloadEnd, row.frame.length);
  if (row.payload > 0 && from >= 0 && to > from) {
    const cut = to - from < row.payload ? `, the first ${bytes(to - from)} kept` : '';
    add('payload', `Payload, ${bytes(row.payload)}${cut}`, from, to, []);
  }
  for (const [index, { heard, protocol, text }] of completed.entries()) {
    const lines = heard === null ? [] : fieldLines(heard.fields, MESSAGE_WIDTH);
    const fields = lines.map(([name, value]) => ({
      label: name?.text.trim() ?? '',
      text: value?.text ?? '',
      from,
      to,
    }));
    add(`said ${index}`, `${protocol}: ${text}`, Math.max(from, 0), Math.max(to, 0), fields);
  }
  return nodes;
}

export function nodeLine(node: Node, selected: boolean, folded: boolean, width: number): Line {
  const cursor = selected ? '› ' : '  ';
  const line: Span[] = node.title
    ? [span(`${cursor}${folded ? '▸' : '▾'} `), span(printable(node.label), 'bold')]
    : [span(`${cursor}    `), span(pad(node.label, NAME_MOST), 'dim'), span(` ${printable(node.text)}`)];
  if (!selected) {
    return clip(line, width);
  }
  line.push(span(' '.repeat(Math.max(0, width - lineWidth(line)))));
  return clip(line, width).map(({ text }) => span(text, 'cursor'));
}

const WIDE = 16;
const NARROW = 8;

export function perLine(width: number): number {
  return width >= hexWidth(WIDE) ? WIDE : NARROW;
}

export function hexWidth(across: number): number {
  return 6 + across * 3 + (across > 8 ? 1 : 0) + 1 + across;
}

function visible(byte: number): string {
  return byte >= 32 && byte < 127 ? String.fromCharCode(byte) : '.';
}

/** One line of the dump; bytes in [from, to) are marked in both halves. */
export function hexLine(frame: Uint8Array, start: number, across: number, from: number, to: number): Line {
  const hex: Span[] = [];
  const text: Span[] = [];
  for (let at = start; at < start + across; at++) {
    const gap = at > start && (at - start) % 8 === 0 ? ' ' : '';
    const byte = frame[at];
    const marked = byte !== undefined && at >= from && at < to;
    // The mark runs on between two marked bytes, and ends with the last one.
    const joined = marked && at > start && at > from;
    hex.push(span(gap, joined ? 'cursor' : 'plain'));
    if (at > start) {
      hex.push(span(' ', joined ? 'cursor' : 'plain'));
    }
    hex.push(
      span(byte === undefined ? '  ' : byte.toString(16).padStart(2, '0'), marked ? 'cursor' : 'plain'),
    );
    text.push(span(byte === undefined ? ' ' : visible(byte), marked ? 'cursor' : 'plain'));
  }
  return merged([span(`${start.toString(16).padStart(4, '0')}  `, 'dim'), ...hex, span('  '), ...text]);
}

/** Neighbours of one tone are one piece: each piece costs Ink something. */
function merged(line: readonly Span[]): Line {
  const out: Span[] = [];
  for (const piece of line) {
    const last = out.at(-1);
    if (last !== undefined && last.tone === piece.tone) {
      last.text += piece.text;
    } else if (piece.text !== '') {
      out.push({ ...piece });
    }
  }
  return out;
}

/** `height` lines of the frame, so that the marked bytes are among them. */
export function hexLines(
  row: PacketRow,
  secrets: readonly Uint8Array[],
  mark: Node | undefined,
  width: number,
  height: number,
): Line[] {
  const across = perLine(width);
  const frame = blotted(row.frame, 0, row.frame.length, secrets);
  const total = Math.ceil(frame.length / across);
  const from = mark?.from ?? 0;
  const to = mark?.to ?? 0;
  const first = Math.floor(from / across);
  const last = Math.floor(Math.max(from, to - 1) / across);
  let top = last < height ? 0 : Math.min(first, Math.max(0, last - height + 1));
  if (last - first >= height) {
    top = first;
  }
  top = Math.max(0, Math.min(top, total - height));
  const lines: Line[] = [];
  for (let index = top; index < Math.min(total, top + height); index++) {
    lines.push(clip(hexLine(frame, index * across, across, from, to), width));
  }
  if (lines.length < height && row.frame.length < row.wireLength) {
    lines.push([span(`      ${bytes(row.wireLength - row.frame.length)} more were not kept`, 'dim')]);
  }
  return lines;
}

export function hexHeight(row: PacketRow, width: number): number {
  return Math.ceil(row.frame.length / perLine(width)) + (row.frame.length < row.wireLength ? 1 : 0);
}

export function column(line: Line, width: number): Line {
  const cut = clip(line, width);
  return [
    ...cut,
    span(exactly('', Math.max(0, width - cut.reduce((sum, { text }) => sum + textWidth(text), 0)))),
  ];
}
