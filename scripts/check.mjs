/** `npm run check`: types, lint and format, import arrows, registries. One line each when fine. */
import { readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { bin, capture, ensureInstalled, filesBelow, isProgram, note, requireNode, root } from './lib.mjs';

const longestFile = 450;

const checks = [
  ['types', () => program('tsc', ['-p', '.'])],
  ['lint and format', () => program('biome', ['check', '--colors=off', '.'])],
  [
    'import arrows',
    async () => {
      const { checkImports } = await import('./check-imports.mjs');
      return told(checkImports(root).problems);
    },
  ],
  [
    'registries',
    async () => {
      const { checkLists } = await import('./check-lists.mjs');
      return told(checkLists(root).problems);
    },
  ],
];

/** Runs them all, prints as they end, and counts. */
export async function check() {
  const counts = { passed: 0, failed: 0 };
  for (const [name, run] of checks) {
    const complaint = await run();
    if (complaint === null) {
      counts.passed += 1;
      console.log(`ok      ${name}`);
    } else {
      counts.failed += 1;
      console.log(`FAILED  ${name}\n${complaint.trimEnd()}\n`);
    }
  }
  for (const warning of longFiles()) {
    console.log(`note    ${warning}`);
  }
  return counts;
}

async function program(name, args) {
  const { status, output } = await capture(bin(name), args);
  return status === 0 ? null : output;
}

function told(problems) {
  return problems.length === 0 ? null : problems.join('\n');
}

function longFiles() {
  return ['src', 'test', 'bench', 'scripts'].flatMap((folder) =>
    filesBelow(join(root, folder))
      .filter((file) => /\.(tsx?|mjs)$/.test(file))
      .map((file) => ({ file, lines: readFileSync(file, 'utf8').split('\n').length - 1 }))
      .filter(({ lines }) => lines > longestFile)
      .map(
        ({ file, lines }) =>
          `${relative(root, file)} has ${lines} lines; past ${longestFile} a file is two files.`,
      ),
  );
}

if (isProgram(import.meta.url)) {
  requireNode();
  ensureInstalled();
  const { failed } = await check();
  if (failed > 0) {
    note(`${failed} of ${checks.length} checks failed.`);
    process.exitCode = 1;
  }
}
