/** A conversation in turns: the client's words and the server's, coloured by side, secrets blotted out. */

import { bytes } from '../view/units.ts';
import { hexLines } from '../view/wire/hexdump.ts';
import type { ConnectionRow, Talk } from '../view/wire/screen-rows.ts';
import { blotted } from '../wire/secrets.ts';
import { clip, type Line, span } from './spans.ts';
import { clientOf, serverOf } from './wire-columns.ts';
import { pieces } from './wire-message.ts';
import type { Said } from './wire-store.ts';

interface Turn {
  side: Talk['side'];
  time: string;
  bytes: Uint8Array;
}

/** What one side says until the other answers is one turn; a secret cut by a segment's end is whole again in it. */
export function turnsOf({ pieces: all }: Said): Turn[] {
  const turns: Turn[] = [];
  for (let from = 0; from < all.length; ) {
    let to = from + 1;
    while (to < all.length && all[to]!.side === all[from]!.side) {
      to++;
    }
    turns.push({ side: all[from]!.side, time: all[from]!.time, bytes: joined(all.slice(from, to)) });
    from = to;
  }
  return turns;
}

function joined(parts: readonly Talk[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.bytes.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part.bytes, at);
    at += part.bytes.length;
  }
  return whole;
}

/** Line ends stay; whatever else could move a cursor becomes a mark. */
function shown(text: string): string {
  return text
    .replace(/\r\n/g, '\n')
    .replaceAll('\t', '  ')
    .replace(/[^\P{Cc}\n]|[\p{Cf}\u2028\u2029]/gu, '\ufffd');
}

export function followLines(
  row: ConnectionRow,
  said: Said | undefined,
  secrets: readonly Uint8Array[],
  hex: boolean,
  width: number,
): Line[] {
  if (said === undefined) {
    return [[span('Nothing was said on this connection since we look at it.', 'dim')]];
  }
  const lines: Line[] = [];
  if (said.earlier > 0) {
    lines.push([span(`… ${bytes(said.earlier)} before this are no longer kept`, 'warn')]);
  }
  if (said.unheard > 0) {
    lines.push([span(`… ${bytes(said.unheard)} passed by too fast and are missing`, 'warn')]);
  }
  const decoder = new TextDecoder();
  for (const turn of turnsOf(said)) {
    const tone = turn.side === 'client' ? 'accent' : 'good';
    const [from, to] =
      turn.side === 'client' ? [clientOf(row), serverOf(row)] : [serverOf(row), clientOf(row)];
    const bare = blotted(turn.bytes, 0, turn.bytes.length, secrets);
    if (lines.length > 0) {
      lines.push([]);
    }
    lines.push(
      clip([span(`── ${turn.time}  ${from.text} → ${to.text}  ${bytes(bare.length)}`, 'bold')], width),
    );
    const texts = hex
      ? hexLines(bare, 0, bare.length)
      : shown(decoder.decode(bare))
          .replace(/\n$/, '')
          .split('\n')
          .flatMap((text) => pieces(text, width));
    lines.push(...texts.map((text): Line => (text === '' ? [] : clip([span(text, tone)], width))));
  }
  return lines;
}
