/** One line of text with a cursor in it, and the keys every shell user's fingers know. */

export interface Typed {
  text: string;
  /** In characters, 0 to the length. */
  at: number;
}

function splice({ text, at }: Typed, from: number, to: number, insert = ''): Typed {
  return { text: text.slice(0, from) + insert + text.slice(to), at: at <= from ? at : from + insert.length };
}

function wordStart({ text, at }: Typed): number {
  const before = text.slice(0, at).trimEnd();
  return before.lastIndexOf(' ') + 1;
}

/** Null: the key means nothing in a line of text. */
export function edit(line: Typed, key: string): Typed | null {
  const { text, at } = line;
  switch (key) {
    case 'left':
    case 'ctrl-b':
      return { text, at: Math.max(0, at - 1) };
    case 'right':
    case 'ctrl-f':
      return { text, at: Math.min(text.length, at + 1) };
    case 'home':
    case 'ctrl-a':
      return { text, at: 0 };
    case 'end':
    case 'ctrl-e':
      return { text, at: text.length };
    case 'backspace':
      return at === 0 ? line : splice(line, at - 1, at);
    case 'ctrl-w':
      return splice(line, wordStart(line), at);
    case 'ctrl-u':
      return splice(line, 0, at);
    case 'ctrl-k':
      return { text: text.slice(0, at), at };
    default:
      return [...key].length === 1
        ? { text: text.slice(0, at) + key + text.slice(at), at: at + key.length }
        : null;
  }
}
