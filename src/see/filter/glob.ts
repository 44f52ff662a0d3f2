/** fnmatch(3) with FNM_CASEFOLD, as ss matches UNIX names: `*` `?` `[a-z]` `[!x]`, and a star crosses slashes. Never more than pattern × text steps. */

type Piece = 'star' | ((c: string) => boolean);

export function glob(pattern: string): (text: string) => boolean {
  const pieces = pieced([...pattern.toLowerCase()]);
  return (text) => fits(pieces, [...text.toLowerCase()]);
}

function pieced(pattern: readonly string[]): Piece[] {
  const pieces: Piece[] = [];
  for (let i = 0; i < pattern.length; i++) {
    const c = pattern[i]!;
    if (c === '*') {
      if (pieces.at(-1) !== 'star') {
        pieces.push('star');
      }
    } else if (c === '?') {
      pieces.push(() => true);
    } else if (c === '[' && pattern.indexOf(']', i + 2 + (/[!^]/.test(pattern[i + 1] ?? '') ? 1 : 0)) > 0) {
      const inverted = /[!^]/.test(pattern[i + 1]!);
      const first = i + (inverted ? 2 : 1);
      const close = pattern.indexOf(']', first + 1);
      pieces.push(oneOf(pattern.slice(first, close), inverted));
      i = close;
    } else {
      const literal = c === '\\' && i + 1 < pattern.length ? pattern[++i]! : c;
      pieces.push((other) => other === literal);
    }
  }
  return pieces;
}

function oneOf(members: readonly string[], inverted: boolean): (c: string) => boolean {
  const ranges: [string, string][] = [];
  for (let i = 0; i < members.length; i++) {
    const isRange = members[i + 1] === '-' && i + 2 < members.length;
    ranges.push([members[i]!, members[isRange ? i + 2 : i]!]);
    i += isRange ? 2 : 0;
  }
  return (c) => ranges.some(([from, to]) => from <= c && c <= to) !== inverted;
}

function fits(pieces: readonly Piece[], text: readonly string[]): boolean {
  let at = 0;
  let piece = 0;
  let star = -1;
  let resume = 0;
  while (at < text.length) {
    const want = pieces[piece];
    if (want === 'star') {
      star = piece++;
      resume = at;
    } else if (want?.(text[at]!)) {
      piece++;
      at++;
    } else if (star >= 0) {
      piece = star + 1;
      at = ++resume;
    } else {
      return false;
    }
  }
  return pieces.slice(piece).every((rest) => rest === 'star');
}
