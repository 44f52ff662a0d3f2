/**
 * lsof writes its specs glued to a flag: `-i4TCP@host:80`, `-iTCP`, `-sTCP:LISTEN`. A flag parser would take them apart,
 * so they are led through one hidden option first. `-it` stays what it is to ss: -i and -t.
 */
const LSOF = /^-i(?:[46]?(?:tcp|udp)(?:[@:].*)?|[46]?[@:].+)$/i;
const LSOF_STATE = /^-s(?:tcp|udp):.+$/i;

export function lsWords(argv: readonly string[]): string[] {
  return argv.flatMap((word) =>
    LSOF.test(word) || LSOF_STATE.test(word) ? ['--lsof', word.slice(1)] : [word],
  );
}
