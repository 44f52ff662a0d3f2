/** Bytes as people read them: sixteen a line, offset, hex, text. */

const PER_LINE = 16;

export interface Mark {
  readonly from: number;
  readonly to: number;
}

/** `00000010  47 45 54 20 2f …  |GET /…|`, each line with `indent` before it. Offsets count from `from`, where they begin with `first`. */
export function hexLines(bytes: Uint8Array, from: number, to: number, indent = '', first = 0): string[] {
  const lines: string[] = [];
  for (let at = from; at < to; at += PER_LINE) {
    const end = Math.min(at + PER_LINE, to);
    let hex = '';
    let text = '';
    for (let i = at; i < end; i++) {
      hex += `${i - at === 8 ? ' ' : ''}${bytes[i]!.toString(16).padStart(2, '0')} `;
      text += visible(bytes[i]!);
    }
    lines.push(
      `${indent}${(first + at - from).toString(16).padStart(8, '0')}  ${hex.padEnd(3 * PER_LINE + 1)} |${text}|`,
    );
  }
  return lines;
}

/** Text as it is, line ends kept, everything else a dot. */
export function asciiLines(bytes: Uint8Array, from: number, to: number, indent = ''): string[] {
  let text = '';
  for (let i = from; i < to; i++) {
    const byte = bytes[i]!;
    if (byte === 10) {
      text += '\n';
    } else if (byte !== 13) {
      text += byte === 9 ? '  ' : visible(byte);
    }
  }
  const lines = text.split('\n');
  if (lines.at(-1) === '') {
    lines.pop();
  }
  return lines.map((line) => (indent + line).trimEnd());
}

function visible(byte: number): string {
  return byte >= 32 && byte < 127 ? String.fromCharCode(byte) : '.';
}
