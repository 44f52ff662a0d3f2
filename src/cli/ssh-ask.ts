/** Questions of SSH on the controlling terminal, whatever standard input is. One at a time, though many hosts may ask. */
import { closeSync, openSync } from 'node:fs';
import { StringDecoder } from 'node:string_decoder';
import { ReadStream } from 'node:tty';
import type { Ask } from '../make/ssh/connection.ts';

const TERMINAL = '/dev/tty';
const ENTER = /[\r\n]/;
const BACKSPACE = ['\x7f', '\b'];
const INTERRUPT = '\x03';
const END = '\x04';
const CLEAR_LINE = '\x15';
const INTERRUPTED = 130;

export function createAsk(say: (text: string) => void): Ask {
  const possible = hasTerminal();
  let last: Promise<unknown> = Promise.resolve();
  const inTurn = (prompt: string, echo: boolean): Promise<string | null> => {
    const mine = last.then(() => (possible ? answer(prompt, echo, say) : null));
    last = mine.catch(() => {});
    return mine;
  };
  return {
    possible,
    say,
    password: (prompt) => inTurn(prompt, false),
    line: (prompt) => inTurn(prompt, true),
  };
}

function hasTerminal(): boolean {
  try {
    closeSync(openSync(TERMINAL, 'r+'));
    return true;
  } catch {
    return false;
  }
}

/** null: Ctrl-D on an empty line. Ctrl-C leaves the program, as it would anywhere else. */
function answer(prompt: string, echo: boolean, say: (text: string) => void): Promise<string | null> {
  const terminal = new ReadStream(openSync(TERMINAL, 'r+'));
  const show = (text: string): void => {
    process.stderr.write(text);
  };
  const decoder = new StringDecoder('utf8');
  let line: string[] = [];
  terminal.setRawMode(true);
  show(prompt);
  return new Promise((resolve) => {
    const done = (text: string | null): void => {
      terminal.setRawMode(false);
      terminal.destroy();
      show('\n');
      resolve(text);
    };
    terminal.on('error', () => {
      say('The terminal went away.');
      resolve(null);
    });
    terminal.on('data', (bytes: Buffer) => {
      for (const char of decoder.write(bytes)) {
        if (ENTER.test(char)) {
          done(line.join(''));
          return;
        }
        if (char === INTERRUPT) {
          done(null);
          process.exit(INTERRUPTED);
        }
        if (char === END && line.length === 0) {
          done(null);
          return;
        }
        if (BACKSPACE.includes(char)) {
          if (line.pop() !== undefined && echo) {
            show('\b \b');
          }
        } else if (char === CLEAR_LINE) {
          show(echo ? '\b \b'.repeat(line.length) : '');
          line = [];
        } else if (char >= ' ') {
          line.push(char);
          show(echo ? char : '');
        }
      }
    });
  });
}
