/** Nearly everything is; and this test is ten times as fast as looking for Unicode's properties. */
const PLAIN = /^[\x20-\x7e]*$/;

/** Names and paths are any bytes: what could move a terminal's cursor is shown as a mark. */
export function printable(text: string): string {
  return PLAIN.test(text) ? text : text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, '\ufffd');
}
