/** The lines before the packets (RFC 4253, section 4.2): what a server has to say first, then who each side is. */
import type { Values } from '../value.ts';
import type { Message, Step } from './decoder.ts';
import { malformed, ok } from './decoder.ts';
import { type Lane, type State, say } from './ssh-state.ts';
import { lineEnd, startsWith, text } from './text.ts';

/** As many and as long as OpenSSH's client reads (ssh.h). */
const MAX_LINES = 1024;
const MAX_LINE = 8192;

const NO_MESSAGES: readonly Message[] = [];

export function line(lane: Lane, bytes: Uint8Array, from: number, to: number, state: State): Step {
  if (lane.side === 'client' && !maybeIdentification(bytes, from, to)) {
    return malformed(0, 'no identification of SSH');
  }
  const end = lineEnd(bytes, from + lane.scanned, to);
  if ((end < 0 ? to : end) - from > MAX_LINE) {
    return malformed(0, `a line of more than ${MAX_LINE} bytes before the packets`);
  }
  if (end < 0) {
    lane.scanned = to - from;
    return ok(NO_MESSAGES, 0);
  }
  lane.scanned = 0;
  const size = end + 1 - from;
  const stop = end > from && bytes[end - 1] === 13 ? end - 1 : end;
  if (startsWith(bytes, from, to, 'SSH-')) {
    return identification(lane, text(bytes, from, stop), size, state);
  }
  if (++lane.lines > MAX_LINES) {
    return malformed(0, `more than ${MAX_LINES} lines before the identification`);
  }
  return ok([say('notice', 'Line', size, () => ({ text: text(bytes, from, stop) }))], size);
}

/** False once a byte of `SSH-` is another. */
function maybeIdentification(bytes: Uint8Array, from: number, to: number): boolean {
  const length = Math.min(4, to - from);
  return startsWith(bytes, from, to, 'SSH-'.slice(0, length));
}

function identification(lane: Lane, said: string, size: number, state: State): Step {
  const parts = /^SSH-([^-\s]+)-([^ ]*)(?: (.*))?$/s.exec(said);
  if (parts === null) {
    return malformed(0, 'an identification of SSH without a version');
  }
  const [, protocol = '', software = '', comments = ''] = parts;
  lane.phase = protocol === '2.0' || protocol === '1.99' ? 'packets' : 'unread';
  lane.identified = true;
  const fields = (): Values => ({ protocol, software, ...(comments !== '' ? { comments } : {}) });
  // Neither side waits for the other. A server that was quicker answered nothing.
  const asks = lane.side === 'client';
  const paired = asks ? !state.server.identified : state.client.identified;
  return ok(
    [say(asks ? 'request' : 'reply', 'Version', size, fields, paired ? { pair: 'version' } : {})],
    size,
  );
}
