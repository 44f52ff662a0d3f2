/** Whether a message answers a question: id and question are all there is to tell a forged one by (RFC 5452 section 9.1). */
import { keyOf, type Name, readName } from '../../serve/dns/name.ts';

const HEAD = 12;

export interface Asked {
  readonly id: number;
  readonly name: Name;
  readonly type: number;
  readonly class: number;
}

/** '' when it does; otherwise what is wrong with it. */
export function mismatch(bytes: Uint8Array, length: number, asked: Asked): string {
  if (length < HEAD) {
    return `${length} bytes, too few for an answer`;
  }
  if (((bytes[0]! << 8) | bytes[1]!) !== asked.id) {
    return 'another id';
  }
  if ((bytes[2]! & 0x80) === 0) {
    return 'no answer but a question';
  }
  const questions = (bytes[4]! << 8) | bytes[5]!;
  // Of a query that it could not read a server repeats nothing.
  if (questions === 0 && (bytes[3]! & 15) !== 0) {
    return '';
  }
  const read = readName(bytes, 0, length, HEAD);
  if (questions !== 1 || read === null || read.next + 4 > length) {
    return 'another question';
  }
  const at = read.next;
  const type = (bytes[at]! << 8) | bytes[at + 1]!;
  const klass = (bytes[at + 2]! << 8) | bytes[at + 3]!;
  const same = keyOf(read.name) === keyOf(asked.name) && type === asked.type && klass === asked.class;
  return same ? '' : 'another question';
}
