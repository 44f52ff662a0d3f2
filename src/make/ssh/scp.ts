/**
 * The scp protocol, as the program `scp` speaks it over a command (`scp -t` takes, `scp -f` gives); no RFC describes it. Pure: bytes in, events out.
 * The source sends a line for each thing, waits for a zero byte, sends the bytes of a file, a zero byte, and waits again:
 *
 *   T1700000000 0 1700000000 0   times of what comes next: modified and read, seconds and microseconds
 *   C0644 11 hello.txt           a file: mode, size, name
 *   D0755 0 folder               a folder: everything up to its E is in it
 *   E                            end of the folder
 *
 * Instead of the zero byte either side may send 1 and a line (a complaint: go on with the next) or 2 and a line (the end).
 */
import { type ByteName, nameFault, textOf } from './byte-name.ts';

export interface ScpTimes {
  /** Whole seconds. */
  readonly modified: number;
  readonly read: number;
}

export interface ScpThing {
  readonly name: ByteName;
  /** The lower twelve bits. */
  readonly mode: number;
  readonly times: ScpTimes | null;
}

export type ScpEvent =
  | { readonly kind: 'times' }
  | ({ readonly kind: 'file'; readonly size: number } & ScpThing)
  | ({ readonly kind: 'folder' } & ScpThing)
  | { readonly kind: 'leave' }
  | { readonly kind: 'data'; readonly bytes: Uint8Array }
  /** After the last byte: null, or why the source could not read it all. */
  | { readonly kind: 'end'; readonly complaint: string | null }
  | { readonly kind: 'complaint'; readonly text: string; readonly fatal: boolean }
  /** Not the protocol, or a name that nobody should send. Nothing comes after it. */
  | { readonly kind: 'broken'; readonly text: string };

export type ScpReply =
  | { readonly kind: 'ok' }
  | { readonly kind: 'complaint'; readonly text: string; readonly fatal: boolean }
  | { readonly kind: 'broken'; readonly text: string };

export const SCP_OK: Uint8Array = Uint8Array.of(0);
const COMPLAINT = 1;
const FATAL = 2;
const LINE_END = 10;
/** Far longer than the longest name (255 bytes): who sends more has something else in mind. */
const LONGEST_LINE = 8192;

export function scpComplaint(text: string, fatal = false): Buffer {
  const line = `scp: ${text.replaceAll('\n', ' ')}\n`;
  return Buffer.concat([Buffer.of(fatal ? FATAL : COMPLAINT), Buffer.from(line)]);
}

export function scpFileLine(mode: number, size: number, name: ByteName): Buffer {
  return thingLine('C', mode, size, name);
}

export function scpFolderLine(mode: number, name: ByteName): Buffer {
  return thingLine('D', mode, 0, name);
}

function thingLine(letter: string, mode: number, size: number, name: ByteName): Buffer {
  return Buffer.from(`${letter}${(mode & 0o7777).toString(8).padStart(4, '0')} ${size} ${name}\n`, 'latin1');
}

export const SCP_LEAVE: Uint8Array = Buffer.from('E\n');

export function scpTimesLine({ modified, read }: ScpTimes): Buffer {
  return Buffer.from(`T${Math.trunc(modified)} 0 ${Math.trunc(read)} 0\n`);
}

/** Lines cannot hold a line feed: OpenSSH's source sends `\^J` for it, and its sink does not turn that back. */
export function scpNameOnLine(name: ByteName): ByteName {
  return name.replaceAll('\n', '\\^J');
}

/** Bytes that came and were not used yet. */
class Waiting {
  #pieces: Uint8Array[] = [];
  #at = 0;

  push(bytes: Uint8Array): void {
    if (bytes.length > 0) {
      this.#pieces.push(bytes);
    }
  }

  /** The first byte; it stays. */
  peek(): number | null {
    return this.#pieces[0]?.[this.#at] ?? null;
  }

  /** At most `limit` bytes, without copying them. */
  take(limit: number): Uint8Array | null {
    const first = this.#pieces[0];
    if (first === undefined) {
      return null;
    }
    const end = Math.min(first.length, this.#at + limit);
    const taken = first.subarray(this.#at, end);
    this.#at = end;
    if (end === first.length) {
      this.#pieces.shift();
      this.#at = 0;
    }
    return taken;
  }

  /** A line without its end; null while it is not complete; `too long` when nobody means that. */
  line(): string | null | 'too long' {
    let length = -this.#at;
    for (const [index, piece] of this.#pieces.entries()) {
      const end = piece.indexOf(LINE_END, index === 0 ? this.#at : 0);
      length += end === -1 ? piece.length : end;
      if (length > LONGEST_LINE) {
        return 'too long';
      }
      if (end !== -1) {
        return this.#cut(length);
      }
    }
    return null;
  }

  #cut(length: number): string {
    let text = '';
    while (text.length < length) {
      text += latin1(this.take(length - text.length)!);
    }
    this.take(1);
    return text;
  }
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
}

/** What a source sends, read by a sink. */
export class ScpSinkReader {
  readonly #waiting = new Waiting();
  #times: ScpTimes | null = null;
  #depth = 0;
  #left = 0;
  #state: 'line' | 'asked' | 'data' | 'status' | 'broken' = 'line';
  #asked: 'file' | 'folder' = 'file';

  /** How many folders deep the next thing is. */
  get depth(): number {
    return this.#depth;
  }

  /** Between two things: the source may end here. */
  get idle(): boolean {
    return this.#state === 'line' && this.#waiting.peek() === null && this.#depth === 0;
  }

  push(bytes: Uint8Array): void {
    this.#waiting.push(bytes);
  }

  /** The next event, or null until more bytes came. After `file` and `folder` nothing comes before `answer`. */
  next(): ScpEvent | null {
    switch (this.#state) {
      case 'line':
        return this.#line();
      case 'data':
        return this.#data();
      case 'status':
        return this.#status();
      default:
        return null;
    }
  }

  /** A refused file sends no bytes; of a refused folder neither its content nor its end comes. */
  answer(accepted: boolean): void {
    if (this.#state !== 'asked') {
      return;
    }
    if (!accepted || this.#asked === 'folder') {
      this.#state = 'line';
      this.#depth += accepted ? 1 : 0;
    } else {
      this.#state = this.#left === 0 ? 'status' : 'data';
    }
  }

  #data(): ScpEvent | null {
    const bytes = this.#waiting.take(this.#left);
    if (bytes === null) {
      return null;
    }
    this.#left -= bytes.length;
    if (this.#left === 0) {
      this.#state = 'status';
    }
    return { kind: 'data', bytes };
  }

  #status(): ScpEvent | null {
    const reply = readReply(this.#waiting);
    if (reply === null) {
      return null;
    }
    if (reply.kind === 'broken') {
      return this.#broken(reply.text);
    }
    this.#state = 'line';
    return { kind: 'end', complaint: reply.kind === 'ok' ? null : reply.text };
  }

  #line(): ScpEvent | null {
    const first = this.#waiting.peek();
    if (first === COMPLAINT || first === FATAL) {
      const reply = readReply(this.#waiting);
      if (reply === null || reply.kind === 'complaint') {
        return reply;
      }
      return this.#broken(reply.kind === 'broken' ? reply.text : '');
    }
    const line = this.#waiting.line();
    if (line === null) {
      return null;
    }
    if (line === 'too long') {
      return this.#broken('a line without an end');
    }
    return this.#read(line);
  }

  #read(line: string): ScpEvent {
    if (line === 'E') {
      if (this.#depth === 0) {
        return this.#broken('the end of a folder that was never begun');
      }
      this.#depth -= 1;
      this.#times = null;
      return { kind: 'leave' };
    }
    const times = /^T(\d{1,12}) \d{1,6} (\d{1,12}) \d{1,6}$/.exec(line);
    if (times !== null) {
      this.#times = { modified: Number(times[1]), read: Number(times[2]) };
      return { kind: 'times' };
    }
    const thing = /^([CD])([0-7]{4}) (\d{1,15}) ([\s\S]*)$/.exec(line);
    if (thing === null) {
      return this.#broken(`"${textOf(line.slice(0, 80))}", which is not a line of the scp protocol`);
    }
    const name = thing[4]!;
    const fault = nameFault(name);
    // `scp -rf .` names the folder it was asked for so; the sink does not use the name of what it asked for.
    if (fault !== null && !(this.#depth === 0 && thing[1] === 'D' && (name === '.' || name === '..'))) {
      return this.#broken(fault);
    }
    const about = { name, mode: Number.parseInt(thing[2]!, 8), times: this.#times };
    this.#times = null;
    this.#state = 'asked';
    if (thing[1] === 'D') {
      this.#asked = 'folder';
      return { kind: 'folder', ...about };
    }
    this.#asked = 'file';
    this.#left = Number(thing[3]);
    return { kind: 'file', size: this.#left, ...about };
  }

  #broken(text: string): ScpEvent {
    this.#state = 'broken';
    return { kind: 'broken', text };
  }
}

/** What a sink answers, read by a source. */
export class ScpSourceReader {
  readonly #waiting = new Waiting();
  #broken = false;

  push(bytes: Uint8Array): void {
    this.#waiting.push(bytes);
  }

  next(): ScpReply | null {
    const reply = this.#broken ? null : readReply(this.#waiting);
    this.#broken ||= reply?.kind === 'broken';
    return reply;
  }
}

function readReply(waiting: Waiting): ScpReply | null {
  const first = waiting.peek();
  if (first === null) {
    return null;
  }
  if (first === 0) {
    waiting.take(1);
    return { kind: 'ok' };
  }
  const line = waiting.line();
  if (line === null) {
    return null;
  }
  if (line === 'too long') {
    return { kind: 'broken', text: 'a line without an end' };
  }
  if (first === COMPLAINT || first === FATAL) {
    return { kind: 'complaint', text: complaintText(line.slice(1)), fatal: first === FATAL };
  }
  // A shell that greets also those who only want a command.
  return {
    kind: 'broken',
    text: `"${textOf(line.slice(0, 80))}", which is not an answer of the scp protocol`,
  };
}

function complaintText(line: string): string {
  return textOf(line.replace(/^scp: /, '').trim());
}
