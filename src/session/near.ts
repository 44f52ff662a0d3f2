/** Words that somebody may have meant. */

/** The nearest first; none when nothing is near. */
export function nearMisses(typed: string, words: readonly string[]): string[] {
  const low = typed.toLowerCase();
  return words
    .map((word) => ({ word, steps: word.startsWith(low) && low.length > 1 ? 0 : steps(low, word) }))
    .filter(({ word, steps }) => steps <= Math.max(1, Math.floor(word.length / 3)))
    .sort((a, b) => a.steps - b.steps)
    .map(({ word }) => word);
}

/** Letters to add, take away, change or swap with their neighbour. */
function steps(a: string, b: string): number {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let best = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + same);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        best = Math.min(best, before[j - 2]! + 1);
      }
      row.push(best);
    }
    before = last;
    last = row;
  }
  return last[b.length]!;
}
