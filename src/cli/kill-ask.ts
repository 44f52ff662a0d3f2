/** The question before a kill: one, all, or each. */
import { createInterface } from 'node:readline/promises';
import { SockscopeError } from '../errors.ts';

/** Which of them: all with --yes, else as answered; without a terminal nobody can be asked. */
export async function choose<T>(
  all: readonly T[],
  flags: { yes?: boolean },
  verb: string,
  name: (one: T) => string,
): Promise<readonly T[]> {
  if (flags.yes) {
    return all;
  }
  if (process.stdin.isTTY !== true) {
    throw new SockscopeError(
      'NOT_A_TERMINAL',
      'Nothing was done: there is no terminal to ask on.',
      'Add --yes to go ahead, or --dry-run to look only.',
      2,
    );
  }
  const [first] = all;
  if (first !== undefined && all.length === 1) {
    return /^y(es)?$/i.test(await ask(`${verb} ${name(first)}? [y/N] `)) ? all : [];
  }
  const answer = await ask(`${verb} all ${all.length}? [y/N, e for each] `);
  if (!/^e(ach)?$/i.test(answer)) {
    return /^y(es)?$/i.test(answer) ? all : [];
  }
  const chosen: T[] = [];
  for (const one of all) {
    if (/^y(es)?$/i.test(await ask(`${verb} ${name(one)}? [y/N] `))) {
      chosen.push(one);
    }
  }
  return chosen;
}

/** The answer; nothing at all when the input ends or Ctrl-C is pressed. */
async function ask(question: string): Promise<string> {
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  const closed = new Promise<string>((resolve) => {
    lines.once('SIGINT', () => resolve(''));
    lines.once('close', () => resolve(''));
  });
  const answer = await Promise.race([lines.question(question), closed]);
  lines.close();
  return answer.trim();
}
