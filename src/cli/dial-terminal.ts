/**
 * `dial` on a terminal: a line is edited while what comes is written above it. The unfinished last line of the peer (`login: `) is the
 * prompt of the line that is typed.
 */
import { clearScreenDown, createInterface, cursorTo, type Interface, moveCursor } from 'node:readline';
import { Writable } from 'node:stream';
import type { Talk } from '../make/dial/talk.ts';
import type { DialFace } from './dial-face.ts';
import type { DialIo } from './dial-io.ts';

/** Ctrl-], as in every telnet: the way out while Ctrl-C goes to the server. */
const ESCAPE_KEY = 0x1d;
const LF = 10;
const HISTORY = 500;
/** A longer unfinished line of the peer is no prompt any more. */
const MOST_PROMPT = 256;

export interface TerminalOptions {
  /** What is shown for bytes; null: text. */
  readonly shown: ((bytes: Uint8Array) => string) | null;
  /** Telnet is made for terminals: what comes may move the cursor. */
  readonly raw: boolean;
  interrupt(): void;
}

/** Colours stay; whatever else could move the cursor is shown and not done. */
export function harmless(text: string): string {
  return text.replace(/\p{Cc}(?:\[[0-9;]*m)?|[\u2028\u2029]/gu, (one) => {
    if (one === '\n' || one === '\t' || one.startsWith('\x1b[')) {
      return one;
    }
    return `\\x${one.charCodeAt(0).toString(16).padStart(2, '0')}${one.slice(1)}`;
  });
}

export function createTerminalFace({ input, output }: DialIo, options: TerminalOptions): DialFace {
  const { shown, raw, interrupt } = options;
  const decoder = new TextDecoder();
  let talk: Talk | null = null;
  let lines: Interface | null = null;
  let history: string[] = [];
  let prompt = '';
  let character = false;
  let muted = false;
  let ended = false;
  /** CR at the end of a chunk: CR LF may be on its way. */
  let afterReturn = false;
  let waits = false;
  /** While keys go one by one: the cursor is at the beginning of a line. */
  let lineBegins = true;

  const screen = new Writable({
    write(chunk, _encoding, done) {
      if (!muted) {
        output.write(chunk);
      }
      done();
    },
  });
  Object.defineProperty(screen, 'columns', { get: () => output.columns ?? 80 });
  const resized = (): void => {
    screen.emit('resize');
    talk?.resized(output.columns ?? 80, output.rows ?? 24);
  };

  function erase(): void {
    if (lines !== null) {
      moveCursor(output, 0, -lines.getCursorPos().rows);
      cursorTo(output, 0);
      clearScreenDown(output);
    } else if (prompt !== '') {
      cursorTo(output, 0);
    }
  }

  function draw(): void {
    if (lines === null) {
      output.write(prompt);
    } else {
      lines.setPrompt(prompt);
      lines.prompt(true);
      if (muted) {
        output.write(prompt);
      }
    }
  }

  /** `text` goes above the line that is typed; what follows its last line end becomes the prompt. */
  function show(text: string): void {
    erase();
    const whole = prompt + text;
    const end =
      whole.length - whole.lastIndexOf('\n') > MOST_PROMPT ? whole.length : whole.lastIndexOf('\n') + 1;
    output.write(whole.slice(0, end));
    if (end === whole.length && !whole.endsWith('\n') && end > 0) {
      output.write('\n');
    }
    prompt = whole.slice(end);
    draw();
  }

  function textOf(bytes: Uint8Array): string {
    const text = (afterReturn ? '\r' : '') + decoder.decode(bytes, { stream: true });
    afterReturn = text.endsWith('\r');
    const whole = (afterReturn ? text.slice(0, -1) : text).replaceAll('\r\n', '\n');
    return raw ? whole : harmless(whole);
  }

  function keys(bytes: Uint8Array): void {
    if (bytes.includes(ESCAPE_KEY)) {
      interrupt();
    } else if (talk?.input(bytes) === false) {
      input.pause();
    }
  }

  function readLines(): void {
    const made = createInterface({
      input,
      output: screen,
      terminal: true,
      prompt: '',
      history,
      historySize: HISTORY,
    });
    lines = made;
    made.on('line', (line) => {
      prompt = '';
      made.setPrompt('');
      if (muted) {
        // A password is not for the next Arrow-Up either.
        output.write('\n');
        history = history.filter((one) => one !== line);
      }
      if (talk?.input(Buffer.from(`${line}\n`)) === false) {
        made.pause();
      }
    });
    made.on('history', (now) => {
      history = muted ? history : [...now];
    });
    made.on('SIGINT', interrupt);
    made.on('close', () => {
      if (lines === made) {
        lines = null;
        if (prompt !== '') {
          prompt = '';
          output.write('\n');
        }
        talk?.endOfInput();
      }
    });
    draw();
  }

  function stopLines(): void {
    const made = lines;
    lines = null;
    made?.close();
  }

  function readKeys(on: boolean): void {
    if (on) {
      input.setRawMode?.(true);
      input.on('data', keys);
      input.resume();
    } else {
      input.off('data', keys);
      input.setRawMode?.(false);
    }
  }

  return {
    say(text) {
      if (character) {
        output.write(`${lineBegins ? '' : '\r\n'}${text}\n`);
        lineBegins = true;
        return;
      }
      erase();
      output.write(`${prompt === '' || lines !== null ? '' : '\n'}${text}\n`);
      draw();
    },
    arrived(bytes) {
      if (character) {
        lineBegins = bytes.at(-1) === LF;
        output.write(bytes);
      } else if (shown !== null) {
        show(shown(bytes));
      } else {
        show(textOf(bytes));
      }
      if (output.writableNeedDrain && !waits) {
        waits = true;
        output.once('drain', () => {
          waits = false;
          talk?.drained();
        });
      }
      return !waits;
    },
    room() {
      if (lines === null) {
        input.resume();
      } else {
        lines.resume();
      }
    },
    mode(now, echo) {
      if (ended) {
        return;
      }
      muted = !echo && !now;
      if (now === character) {
        return;
      }
      character = now;
      if (now) {
        stopLines();
        lineBegins = prompt === '';
        prompt = '';
        readKeys(true);
      } else {
        readKeys(false);
        readLines();
      }
    },
    begin(begun) {
      talk = begun;
      output.on('resize', resized);
      if (!character) {
        readLines();
      }
    },
    async end() {
      ended = true;
      output.off('resize', resized);
      if (character) {
        readKeys(false);
      }
      erase();
      if (prompt !== '') {
        output.write(`${prompt}\n`);
        prompt = '';
      }
      muted = false;
      stopLines();
      input.pause();
      await new Promise<void>((resolve) => output.write('', () => resolve()));
    },
  };
}
