/** The patterns of ssh_config(5) and known_hosts: `*`, `?`, and `!` before a whole one. */

/** Takes as many steps as the lengths multiplied, whatever the pattern. */
export function matchesPattern(text: string, pattern: string): boolean {
  let at = 0;
  let step = 0;
  let star = -1;
  let resume = 0;
  while (at < text.length) {
    const want = pattern[step];
    if (want === '*') {
      star = step++;
      resume = at;
    } else if (want === '?' || (want !== undefined && want === text[at])) {
      step++;
      at++;
    } else if (star !== -1) {
      step = star + 1;
      at = ++resume;
    } else {
      return false;
    }
  }
  while (pattern[step] === '*') {
    step++;
  }
  return step === pattern.length;
}

/** One that is negated and fits outweighs all others; without any other a list of negated ones fits nothing. */
export function matchesList(text: string, patterns: readonly string[]): boolean {
  let found = false;
  for (const pattern of patterns) {
    if (pattern.startsWith('!')) {
      if (matchesPattern(text, pattern.slice(1))) {
        return false;
      }
    } else if (matchesPattern(text, pattern)) {
      found = true;
    }
  }
  return found;
}
