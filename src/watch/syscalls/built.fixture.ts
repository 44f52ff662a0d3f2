/** For tests: a worker thread needs a file of JavaScript, so the tracer and `run` are bundled into a folder of their own. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const root = join(dirname(fileURLToPath(import.meta.url)), '../../..');

/** As cli/main.ts starts it and reports what went wrong. */
const RUN = `
const { runProgram } = require('./run-run.js');
const words = process.argv.slice(2);
const flags = {};
for (; words[0] === '--json' || words[0] === '-w'; words.shift()) {
  if (words[0] === '-w') {
    words.shift();
    flags.write = words[0];
  } else {
    flags.json = true;
  }
}
runProgram(words, flags).catch((error) => {
  process.stderr.write('sockscope: ' + error.message + '\\n' + error.hint + '\\n');
  process.exitCode = error.exit ?? 70;
}).then(() => process.exit());
`;

export interface Built {
  readonly folder: string;
  remove(): void;
}

export async function buildTracer(): Promise<Built> {
  // Below node_modules, so that koffi is found.
  mkdirSync(join(root, 'node_modules/.cache'), { recursive: true });
  const folder = mkdtempSync(join(root, 'node_modules/.cache/trace-test-'));
  writeFileSync(join(folder, 'package.json'), '{"type":"commonjs"}');
  writeFileSync(join(folder, 'run.js'), RUN);
  const bundler = await rolldown({
    cwd: root,
    input: { 'trace-worker': 'src/cli/trace-worker.ts', 'run-run': 'src/cli/run-run.ts' },
    platform: 'node',
    external: ['koffi'],
    tsconfig: join(root, 'tsconfig.json'),
    transform: { target: 'node20.19' },
  });
  await bundler.write({ dir: folder, format: 'cjs', entryFileNames: '[name].js' });
  await bundler.close();
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}
