/** For tests: a worker thread needs a file of JavaScript, so the tracer and `run` are bundled into a folder of their own. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const root = join(dirname(fileURLToPath(import.meta.url)), '../../..');

/** As cli/main.ts starts a command and reports what went wrong. */
const START = `
function start(command) {
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
  command(words, flags).catch((error) => {
    process.stderr.write('sockscope: ' + error.message + '\\n' + error.hint + '\\n');
    process.exitCode = error.exit ?? 70;
  }).then(() => process.exit());
}
`;

const RUN = `
const { runProgram } = require('./run-run.js');
${START}
start(runProgram);
`;

const WATCH = `
const { runWatchLanes } = require('./watch-lanes.js');
${START}
start(runWatchLanes);
`;

export interface Built {
  readonly folder: string;
  remove(): void;
}

export async function buildTracer(): Promise<Built> {
  // Below node_modules, so that koffi is found.
  mkdirSync(join(root, 'node_modules/.cache'), { recursive: true });
  const folder = mkdtempSync(join(root, 'node_modules/.cache/trace-test-'));
  // Other users start it as well.
  chmodSync(folder, 0o755);
  writeFileSync(join(folder, 'package.json'), '{"type":"commonjs"}');
  writeFileSync(join(folder, 'run.js'), RUN);
  writeFileSync(join(folder, 'watch.js'), WATCH);
  const bundler = await rolldown({
    cwd: root,
    input: {
      'trace-worker': 'src/cli/trace-worker.ts',
      'run-run': 'src/cli/run-run.ts',
      'watch-lanes': 'src/cli/watch-lanes.ts',
    },
    platform: 'node',
    external: ['koffi'],
    tsconfig: join(root, 'tsconfig.json'),
    transform: { target: 'node20.19' },
  });
  await bundler.write({ dir: folder, format: 'cjs', entryFileNames: '[name].js' });
  await bundler.close();
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}
