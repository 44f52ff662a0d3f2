/** System calls as strace(1) writes them. */
import type { Syscall, Value } from '../../session/events.ts';
import type { Glyphs } from './glyphs.ts';
import { clean, type Line, piece } from './text.ts';
import { span } from './times.ts';

/** They return when something has happened; a quick one that did is drawn when it returns. */
const WAITING =
  /^(accept4?|recv(from|msg|mmsg)?|read|poll|ppoll|select|pselect6|epoll_p?wait2?|connect|epollWait|waitpid|wait4)$/;
const RECEIVING = /^(recv(from|msg)?|read)$/;
const SHOWN = 1e6;
const LONGEST_TEXT = 16;
const LONGEST_VALUE = 60;

export function waits(name: string): boolean {
  return WAITING.test(name);
}

export interface CallWords {
  /** `recv(5)` */
  readonly head: Line;
  /** `= 0 (EOF)`, and how long it took where that is worth a word. */
  readonly tail: Line;
  /** The kind of outcome: an errno, the end, or all well. */
  readonly outcome: string;
  readonly name: string;
}

/** What is not known yet has no words. Close-on-exec, which nearly every socket is, would take a line of each lane that is not to be read in it. */
export function callWords(call: Syscall, ascii: boolean, glyphs: Glyphs): CallWords {
  const name = clean(call.name, ascii);
  const { result, errno } = call;
  const args = call.fd !== undefined && call.args[0] !== call.fd ? [call.fd, ...call.args] : call.args;
  const said = args
    .filter((value) => value !== 'SOCK_CLOEXEC' && value !== null)
    .map((value) => clean(valueText(value, glyphs, 0), ascii).replace('|SOCK_CLOEXEC', ''))
    .join(', ');
  const took = call.took !== null && call.took >= SHOWN ? [piece(` ${span(call.took)}`, 'dim')] : [];
  const tail = (text: string, tone: 'plain' | 'red' | 'yellow'): Line => [piece(`= ${text}`, tone), ...took];
  const head: Line = [piece(name), piece(`(${said})`, 'dim')];
  if (errno !== undefined) {
    const word = clean(errno, ascii);
    // Not trouble: the way in which a call that must not wait says "later".
    const soft = /^(EINPROGRESS|EAGAIN|EWOULDBLOCK|EALREADY)$/.test(errno);
    return { head, tail: tail(word, soft ? 'yellow' : 'red'), outcome: word, name };
  }
  const ended = result === 0 && RECEIVING.test(call.name) && !(call.connection ?? '').startsWith('udp');
  return ended
    ? { head, tail: tail('0 (EOF)', 'yellow'), outcome: 'EOF', name }
    : { head, tail: tail(String(result), 'plain'), outcome: Number(result) < 0 ? 'failed' : 'ok', name };
}

function valueText(value: Value, glyphs: Glyphs, depth: number): string {
  if (typeof value === 'string') {
    // What was sent or received stands in quotes already; the rest are addresses and names.
    const said = /^"(.*)"(?:…|\.\.\.)?$/s.exec(value);
    return said === null
      ? short(value, LONGEST_VALUE, glyphs)
      : `"${short(said[1] ?? '', LONGEST_TEXT, glyphs)}"`;
  }
  if (typeof value !== 'object' || value === null) {
    return String(value);
  }
  if (depth > 2) {
    return glyphs.ellipsis;
  }
  const inner = Array.isArray(value)
    ? value.slice(0, 8).map((one: Value) => valueText(one, glyphs, depth + 1))
    : Object.entries(value)
        .slice(0, 8)
        .map(([key, one]) => `${key}: ${valueText(one, glyphs, depth + 1)}`);
  const text = inner.join(', ');
  return Array.isArray(value)
    ? `[${short(text, LONGEST_VALUE, glyphs)}]`
    : `{${short(text, LONGEST_VALUE, glyphs)}}`;
}

function short(text: string, most: number, glyphs: Glyphs): string {
  return text.length <= most ? text : text.slice(0, most) + glyphs.ellipsis;
}
