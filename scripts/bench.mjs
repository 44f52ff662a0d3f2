/** `npm run bench [name …]`: builds what is stale, then runs bench/*.bench.ts (or those named), one after the other. */
import { spawnSync } from 'node:child_process';
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { builtOrExit, ensureInstalled, note, requireNode, root } from './lib.mjs';

requireNode();
ensureInstalled();
await builtOrExit();
const { rolldown } = await import('rolldown');

const asked = process.argv.slice(2);
const known = readdirSync(join(root, 'bench'))
  .filter((file) => file.endsWith('.bench.ts'))
  .map((file) => file.slice(0, -'.bench.ts'.length));
const unknown = asked.filter((name) => !known.includes(name));
if (unknown.length > 0) {
  note(`no bench named ${unknown.join(', ')}; there are ${known.join(', ')}.`);
  process.exit(2);
}

// Node 20 does not run TypeScript, and a bundle beside node_modules finds koffi.
const folder = join(root, `node_modules/.cache/bench-${process.pid}`);
process.on('SIGINT', () => note('stopping …'));
try {
  for (const name of asked.length > 0 ? asked : known) {
    const file = join(folder, `${name}.mjs`);
    const bundler = await rolldown({
      cwd: root,
      input: `bench/${name}.bench.ts`,
      platform: 'node',
      external: ['koffi'],
    });
    await bundler.write({ file, format: 'esm', codeSplitting: false });
    await bundler.close();
    const { status, signal } = spawnSync(process.execPath, [file], {
      cwd: root,
      stdio: 'inherit',
      env: { ...process.env, SOCKSCOPE_BENCH: name },
    });
    if (status !== 0) {
      process.exitCode = 1;
    }
    if (signal !== null) {
      break;
    }
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
