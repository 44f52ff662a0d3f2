/**
 * Some replies stop in the middle until the client has gone on. They are one message when they are over, so the gate would wait
 * for what comes only when it has passed on what it has.
 */

/** `said`: what the server has said of the message under way, from its beginning. */
export function asksBack(decoder: string, said: Uint8Array): boolean {
  switch (decoder) {
    case 'postgres':
      return postgres(said);
    case 'mysql':
      return mysql(said);
    default:
      return false;
  }
}

/** CopyInResponse and CopyBothResponse (PostgreSQL, 55.7 Message Formats): the last of the messages. */
function postgres(said: Uint8Array): boolean {
  let type = 0;
  let at = 0;
  while (at + 5 <= said.length) {
    type = said[at]!;
    const length = (said[at + 1]! << 24) | (said[at + 2]! << 16) | (said[at + 3]! << 8) | said[at + 4]!;
    if (length < 4) {
      return false;
    }
    at += 1 + length;
  }
  return at === said.length && (type === 71 || type === 87);
}

/** LOCAL INFILE Request: a packet that begins with 0xfb. */
function mysql(said: Uint8Array): boolean {
  const length = said.length < 5 ? 0 : said[0]! | (said[1]! << 8) | (said[2]! << 16);
  return length > 0 && said.length === 4 + length && said[4] === 0xfb;
}
