/** `npm test [-- filters]`: installs, builds what is stale, checks, runs the tests, and closes with one plain line of counts. `--long` adds the long ones. */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bin, ensureBuilt, ensureInstalled, note, requireNode, root } from './lib.mjs';

requireNode();
ensureInstalled();

const given = process.argv.slice(2);
const long = given.includes('--long');
const filters = given.filter((argument) => argument !== '--long');

const totals = { passed: 0, failed: 0, skipped: 0 };
await buildAsATest();
const { check } = await import('./check.mjs');
add(await check());
add(await runVitest());
console.log(`\n${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped`);
process.exitCode = totals.failed > 0 ? 1 : 0;

/** A build that fails is a failed test, and the others still say what they know. */
async function buildAsATest() {
  try {
    await ensureBuilt();
    console.log('ok      build');
    add({ passed: 1 });
  } catch (error) {
    console.log(`FAILED  build\n${error instanceof Error ? error.message : error}\n`);
    add({ failed: 1 });
  }
}

function add({ passed = 0, failed = 0, skipped = 0 }) {
  totals.passed += passed;
  totals.failed += failed;
  totals.skipped += skipped;
}

async function runVitest() {
  const folder = mkdtempSync(join(tmpdir(), 'sockscope-test-'));
  const report = join(folder, 'report.json');
  try {
    const status = await run(bin('vitest'), [
      'run',
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${report}`,
      ...filters,
    ]);
    return count(report, status);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Ctrl-C reaches vitest too (same terminal), which then stops and writes what it has; we wait for that. */
function run(command, args) {
  return new Promise((resolve) => {
    const environment = { ...process.env, ...(long ? { SOCKSCOPE_LONG: '1' } : {}) };
    const child = spawn(command, args, { cwd: root, stdio: 'inherit', env: environment });
    const wait = () => note('stopping …');
    process.on('SIGINT', wait);
    child.on('error', (error) => {
      note(`${command}: ${error.message}`);
      resolve(127);
    });
    child.on('exit', (status) => {
      process.off('SIGINT', wait);
      resolve(status ?? 128);
    });
  });
}

/** A file that could not even be loaded has no tests to count, and an error outside any test belongs to none: each is a failure all the same. */
function count(report, status) {
  if (!existsSync(report)) {
    return { failed: 1 };
  }
  const result = JSON.parse(readFileSync(report, 'utf8'));
  const unloaded = result.testResults.filter(
    (file) => file.status === 'failed' && !file.assertionResults.some((one) => one.status === 'failed'),
  );
  const failed = result.numFailedTests + unloaded.length;
  return {
    passed: result.numPassedTests,
    failed: failed === 0 && status !== 0 ? 1 : failed,
    skipped: result.numPendingTests + result.numTodoTests,
  };
}
