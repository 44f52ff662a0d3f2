/** `sockscope abilities`: what this process may do here, and why not. */
import type { Command } from 'commander';
import { type Ability, abilities } from '../see/abilities.ts';
import { paint, print, width } from './output.ts';

export function define(command: Command): Command {
  return command
    .option('--json', 'one line of JSON per ability')
    .addHelpText(
      'after',
      `
Every line was tried, not guessed: a socket opened, a process looked into, a namespace made, and all closed again.
The exit code is always 0.

Examples:
  sockscope abilities
  sudo sockscope abilities          what root would have
  sockscope abilities --json | jq -r 'select(.available|not) | .why'
`,
    )
    .action((options: { json?: boolean }) => {
      const found = abilities();
      print(
        options.json === true
          ? found.map((ability) => `${JSON.stringify({ v: 1, ...ability })}\n`).join('')
          : abilityTable(found, width()),
      );
    });
}

export function abilityTable(found: readonly Ability[], columns: number): string {
  const widest = Math.max(...found.map(({ what }) => what.length));
  return found
    .map((ability) => {
      const mark = ability.available ? paint.green('✓ yes') : paint.red('✗ no ');
      const line = `${mark}  ${ability.what.padEnd(widest)}  ${paint.dim(`for ${ability.usedFor}`)}`;
      const remark = ability.why ?? ability.note;
      return remark === undefined ? `${line}\n` : `${line}\n${indented(remark, columns)}`;
    })
    .join('');
}

const INDENT = ' '.repeat(7);

function indented(text: string, columns: number): string {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length + INDENT.length <= columns) {
      lines[lines.length - 1] = `${last} ${word}`;
    } else {
      lines.push(word);
    }
  }
  return lines.map((line) => `${INDENT}${line}\n`).join('');
}
