/** Key presses as words, and the list that the help shows. */
import type { Key } from 'ink';
import type { Move } from './window.ts';

const NAMED: readonly (readonly [keyof Key, string])[] = [
  ['upArrow', 'up'],
  ['downArrow', 'down'],
  ['leftArrow', 'left'],
  ['rightArrow', 'right'],
  ['pageUp', 'page-up'],
  ['pageDown', 'page-down'],
  ['home', 'home'],
  ['end', 'end'],
  ['return', 'enter'],
  ['escape', 'escape'],
  ['tab', 'tab'],
  ['backspace', 'backspace'],
  // Terminals send DEL for the backspace key; Ink calls it delete.
  ['delete', 'backspace'],
];

const CONTROL: Record<string, string> = {
  '\r': 'enter',
  '\n': 'enter',
  '\t': 'tab',
  '\x7f': 'backspace',
  '\b': 'backspace',
  '\x1b': 'escape',
};

function charName(char: string): string {
  const known = CONTROL[char];
  if (known !== undefined) {
    return known;
  }
  const code = char.charCodeAt(0);
  return code < 32 ? `ctrl-${String.fromCharCode(code + 96)}` : char;
}

/** What is left of an escape sequence that nobody knows, such as a focus report: not something a person typed. */
const SEQUENCE = /^\[[\d;?<]*[A-Za-z~]$/;

/** Keys typed faster than they are read, or pasted, arrive as one piece: each is its own key. */
export function keyNames(input: string, key: Key): string[] {
  const named = NAMED.find(([flag]) => key[flag] === true);
  if (named !== undefined) {
    return [named[1]];
  }
  if (key.ctrl && input.length === 1) {
    return [`ctrl-${input}`];
  }
  if (SEQUENCE.test(input)) {
    return [];
  }
  // Alt is not used here, so Escape and a letter in one piece are two keys pressed quickly.
  return [...(key.meta ? ['escape'] : []), ...[...input].map(charName)];
}

export const MOVES: Record<string, Move | undefined> = {
  up: 'up',
  k: 'up',
  down: 'down',
  j: 'down',
  'page-up': 'page-up',
  'ctrl-b': 'page-up',
  'page-down': 'page-down',
  'ctrl-f': 'page-down',
  ' ': 'page-down',
  home: 'home',
  g: 'home',
  end: 'end',
  G: 'end',
};

export const HELP: readonly (readonly [keys: string, meaning: string])[] = [
  ['↑ ↓  k j', 'one row up, down'],
  ['PgUp PgDn  Space', 'one page'],
  ['Home End  g G', 'first row, last row'],
  ['Enter  →', 'everything about this socket'],
  ['Esc  ←', 'back; in the table: no filter'],
  ['/', 'filter as you type, for example :8080 or state listening'],
  ['s  S', 'sort by the next, the previous column'],
  ['1 … 7', 'sort by PROTO STATE LOCAL PEER QUEUES PROGRAM PID'],
  ['r', 'the other direction'],
  ['K', 'end the process of this listener (asks first)'],
  ['x', 'destroy this connection (asks first)'],
  ['p', 'pause, go on'],
  ['?', 'this help'],
  ['q  Ctrl-C', 'quit'],
];

export const SIGNS: readonly (readonly [sign: string, meaning: string])[] = [
  ['+  ~  -', 'this row is new; its state or queues changed; it is gone'],
  ['accept 3/128', 'connections waiting for accept(), and how many may'],
  ['recv 5 B  send 5 B', 'received and not yet read, sent and not yet acknowledged'],
  ['5 B / 7 B', 'both of them: recv / send'],
];
