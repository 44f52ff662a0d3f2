/** What a client sent, as people may read it: no control characters, no newline that would look like a line of ours, not endless. */
const LONGEST = 200;

export function plain(text: string): string {
  let shown = '';
  for (const character of text.slice(0, LONGEST)) {
    const code = character.codePointAt(0)!;
    shown += code < 32 || (code >= 127 && code < 160) ? '?' : character;
  }
  return text.length > LONGEST ? `${shown}…` : shown;
}

/** The words of a command as a shell would see them, or null where it needs a shell to tell (variables, patterns, pipes). */
export function shellWords(command: string): string[] | null {
  const words: string[] = [];
  let word: string | null = null;
  for (let at = 0; at < command.length; at += 1) {
    const character = command[at]!;
    if (character === ' ' || character === '\t' || character === '\n') {
      if (character === '\n') {
        return null;
      }
      if (word !== null) {
        words.push(word);
        word = null;
      }
    } else if (character === "'") {
      const end = command.indexOf("'", at + 1);
      if (end === -1) {
        return null;
      }
      word = (word ?? '') + command.slice(at + 1, end);
      at = end;
    } else if (character === '"') {
      const read = doubleQuoted(command, at + 1);
      if (read === null) {
        return null;
      }
      word = (word ?? '') + read.text;
      at = read.end;
    } else if (character === '\\') {
      const next = command[at + 1];
      if (next === undefined || next === '\n') {
        return null;
      }
      word = (word ?? '') + next;
      at += 1;
    } else if ('$`;|&<>()*?[]{}!#'.includes(character) || (character === '~' && word === null)) {
      return null;
    } else {
      word = (word ?? '') + character;
    }
  }
  return word === null ? words : [...words, word];
}

function doubleQuoted(command: string, from: number): { text: string; end: number } | null {
  let text = '';
  for (let at = from; at < command.length; at += 1) {
    const character = command[at]!;
    if (character === '"') {
      return { text, end: at };
    }
    if (character === '$' || character === '`') {
      return null;
    }
    if (character === '\\' && '$`"\\'.includes(command[at + 1] ?? ' ')) {
      text += command[at + 1];
      at += 1;
    } else {
      text += character;
    }
  }
  return null;
}
