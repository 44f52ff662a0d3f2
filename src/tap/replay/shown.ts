/** Bytes that nobody understands, for people. */
import { printable } from '../../wire/printable.ts';

const SHOWN = 60;

export function shownBytes(bytes: Uint8Array): string {
  const text = printable(Buffer.from(bytes.subarray(0, SHOWN)).toString('latin1'));
  return `${bytes.length} B  ${text.replaceAll('\ufffd', '.')}${bytes.length > SHOWN ? '…' : ''}`;
}
