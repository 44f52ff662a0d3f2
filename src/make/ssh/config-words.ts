/** A line of ssh_config(5) as words. */

export interface ConfigLine {
  readonly keyword: string;
  readonly args: readonly string[];
}

const BLANK = /^[ \t\f\r\v]+|[ \t\f\r\v]+$/g;

/** null: nothing is said in it. A string: what is wrong with it. */
export function configLine(line: string): ConfigLine | string | null {
  const text = line.replace(BLANK, '');
  if (text === '' || text.startsWith('#')) {
    return null;
  }
  // `Key value`, `Key=value` and `Key = value` are one; the keyword may be quoted, which nobody does.
  const [, keyword = '', rest = ''] = /^"?([^\s="]+)"?[ \t]*=?[ \t]*(.*)$/s.exec(text) ?? [];
  if (keyword === '') {
    return 'there is no keyword';
  }
  const args = words(rest);
  return args === null ? 'a quote is not closed' : { keyword: keyword.toLowerCase(), args };
}

/** Both quotes, a backslash before a quote, a backslash or (outside quotes) a space; `#` begins a comment where a word could begin. */
function words(text: string): string[] | null {
  const found: string[] = [];
  let at = 0;
  while (at < text.length) {
    if (text[at] === ' ' || text[at] === '\t') {
      at++;
      continue;
    }
    if (text[at] === '#') {
      break;
    }
    let word = '';
    let quote = '';
    for (; at < text.length; at++) {
      const char = text[at]!;
      const next = text[at + 1];
      if (char === '\\' && next !== undefined && (`'"\\`.includes(next) || (quote === '' && next === ' '))) {
        word += next;
        at++;
      } else if (quote === '' && (char === ' ' || char === '\t')) {
        break;
      } else if (quote === '' && (char === '"' || char === "'")) {
        quote = char;
      } else if (quote !== '' && char === quote) {
        quote = '';
      } else {
        word += char;
      }
    }
    if (quote !== '') {
      return null;
    }
    found.push(word);
  }
  return found;
}
