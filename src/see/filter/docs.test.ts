import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { filterError } from './fault.ts';
import { parseFilter } from './parse.ts';

const page = readFileSync(new URL('../../../docs/filters.md', import.meta.url), 'utf8');
const options = { services: () => 22, deviceIndex: () => 1 };

/** The words as a shell would hand them on. */
function words(line: string): string[] {
  const script = `set -- ${line.replace(/^sockscope ls /, '')}; printf '%s\\0' "$@"`;
  return execFileSync('sh', ['-fc', script], { encoding: 'utf8' }).split('\0').slice(0, -1);
}

describe('docs/filters.md', () => {
  const examples = [...page.matchAll(/^sockscope ls .*$/gm)].map(([line]) => line);

  it('has examples', () => expect(examples.length).toBeGreaterThan(15));

  it.each(examples)('%s is understood', (line) => {
    const result = parseFilter(words(line), options);
    expect(result.ok ? null : filterError(result).message).toBeNull();
  });

  it('each short word of the table is understood', () => {
    const rows = [...page.matchAll(/^\| (`.*?) \|/gm)].flatMap(([, cell]) => [
      ...cell!.matchAll(/`([^`]+)`/g),
    ]);
    expect(rows.length).toBeGreaterThan(20);
    for (const [, word] of rows) {
      expect(parseFilter(word!, options), word).toMatchObject({ ok: true });
    }
  });

  it('the error it shows is the error that comes', () => {
    const refusal = parseFilter('state lisen');
    const { message, hint } = refusal.ok ? { message: '', hint: '' } : filterError(refusal);
    expect(page).toContain(message);
    expect(page).toContain(hint.split(', ').slice(0, 3).join(', '));
  });
});
