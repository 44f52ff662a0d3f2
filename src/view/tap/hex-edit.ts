/** Bytes as lines of hex that can be edited; the text beside them is only for the eyes. */
import type { Unreadable } from './escaped.ts';

const PER_LINE = 16;

export function hexEditLines(bytes: Uint8Array): string[] {
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += PER_LINE) {
    let hex = '';
    let text = '';
    for (const byte of bytes.subarray(at, at + PER_LINE)) {
      hex += `${byte.toString(16).padStart(2, '0')} `;
      text += byte >= 32 && byte < 127 ? String.fromCharCode(byte) : '.';
    }
    lines.push(`${hex.padEnd(3 * PER_LINE)} |${text}|`);
  }
  return lines;
}

/** The bytes as characters. */
export function readHexEdit(lines: readonly string[]): string | Unreadable {
  let text = '';
  for (const [index, line] of lines.entries()) {
    const digits = line.replace(/\|.*$/, '').replace(/\s+/g, '');
    const odd = /[^0-9a-fA-F]/.exec(digits);
    if (odd !== null) {
      return { why: `line ${index + 1}: ${odd[0]} is no hex digit` };
    }
    if (digits.length % 2 === 1) {
      return { why: `line ${index + 1}: a hex digit is missing, there are ${digits.length}` };
    }
    text += Buffer.from(digits, 'hex').toString('latin1');
  }
  return text;
}
