import { readFileSync, writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { ARROWS } from './tcp-states.ts';
import { stateDiagram } from './tcp-states-diagram.ts';

const PAGE = new URL('../../docs/tcp-states.md', import.meta.url);

it('is the page in docs; SOCKSCOPE_WRITE_DOCS=1 writes it anew', () => {
  if (process.env.SOCKSCOPE_WRITE_DOCS === '1') {
    writeFileSync(PAGE, stateDiagram());
  }
  expect(readFileSync(PAGE, 'utf8')).toBe(stateDiagram());
});

it('tells every arrow of the table', () => {
  const page = stateDiagram();
  const rows = page.split('\n');
  for (const { from, on, to, by } of ARROWS) {
    const found =
      by === 'figure'
        ? page.includes(`${from.replaceAll('-', '_')} --> ${to.replaceAll('-', '_')}: ${on}\n`)
        : rows.some((row) => row.startsWith(`| ${from} | ${on} | ${to} |`));
    expect([from, on, to, found]).toEqual([from, on, to, true]);
  }
});
