/** Bytes that nobody understands, for people. */
import { printable } from '../../wire/printable.ts';

const SHOWN = 60;

export function shownBytes(bytes: Uint8Array): string {
  return `${bytes.length} B  ${shownText(bytes)}`;
}

export function shownText(bytes: Uint8Array): string {
  const text = printable(Buffer.from(bytes.subarray(0, SHOWN)).toString('latin1'));
  return `${text.replaceAll('\ufffd', '.')}${bytes.length > SHOWN ? '…' : ''}`;
}
