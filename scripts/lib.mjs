/** What the scripts share. Plain JavaScript on Node alone: this runs before anything is installed. */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, statSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));

/** Engines in package.json says the same; npm only warns about it, and the failure that follows explains nothing. */
export function requireNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 19)) {
    note(`sockscope needs Node 20.19 or newer; this is Node ${process.versions.node}.`);
    process.exit(3);
  }
}

export function note(text) {
  process.stderr.write(`${text}\n`);
}

/**
 * True when something had to be installed. npm writes node_modules/.package-lock.json at the end of every install.
 * `npm install --no-save` rather than `npm ci`: both take the lock file's versions and leave it alone, but `npm ci` refuses a lock
 * that lacks other platforms' optional binaries (npm leaves those out when the registry it was made with does not carry them).
 */
export function ensureInstalled() {
  const receipt = join(root, 'node_modules/.package-lock.json');
  const installed = modified(receipt);
  if (installed !== 0 && installed >= modified(join(root, 'package-lock.json'))) {
    return false;
  }
  note('installing the dependencies …');
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  // npm's own output goes to stderr: stdout belongs to the program that `npm start` runs.
  const result = spawnSync(npm, ['install', '--no-save', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
    stdio: ['ignore', 2, 2],
    shell: process.platform === 'win32',
  });
  if (result.status !== 0) {
    note(`npm install failed${result.error ? `: ${result.error.message}` : '; its output above says why'}.`);
    process.exit(1);
  }
  // npm leaves the receipt alone when there was nothing to do, and we would ask again at every start.
  const now = new Date();
  utimesSync(receipt, now, now);
  return true;
}

const inputs = [
  'src',
  'package.json',
  'package-lock.json',
  'tsconfig.json',
  'tsconfig.build.json',
  'scripts/build.mjs',
];

export async function ensureBuilt() {
  const built = modified(join(root, 'dist/cli.js'));
  if (built !== 0 && built >= newest(...inputs.map((input) => join(root, input)))) {
    return false;
  }
  note('building …');
  const { build } = await import('./build.mjs');
  await build();
  return true;
}

/** For scripts that are of no use without a build. */
export async function builtOrExit(make = ensureBuilt) {
  try {
    await make();
  } catch (error) {
    note(error instanceof Error ? error.message : String(error));
    process.exit(1);
  }
}

/** The newest change in files and folders. A folder's own time counts too: it is what moves when a file is deleted. Tests are not part of a build. */
export function newest(...paths) {
  let latest = 0;
  for (const path of paths) {
    latest = Math.max(latest, modified(path));
    if (existsSync(path) && statSync(path).isDirectory()) {
      const names = readdirSync(path).filter((name) => !/\.test\.tsx?$/.test(name));
      latest = Math.max(latest, newest(...names.map((name) => join(path, name))));
    }
  }
  return latest;
}

function modified(path) {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

/** Every file below a folder, as paths; an absent folder holds none. */
export function filesBelow(folder) {
  if (!existsSync(folder)) {
    return [];
  }
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

/**
 * Runs a program on our terminal and ends as it ended: same status, same signal.
 * Ctrl-C reaches the whole foreground group, so on a terminal SIGINT is not passed on: the child would count it twice.
 */
export function become(command, args, options = {}) {
  const child = spawn(command, args, { stdio: 'inherit', ...options });
  const onTerminal = process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY;
  const onInterrupt = () => {
    if (!onTerminal) {
      child.kill('SIGINT');
    }
  };
  const onTerminate = () => child.kill('SIGTERM');
  process.on('SIGINT', onInterrupt);
  process.on('SIGTERM', onTerminate);
  child.on('error', (error) => {
    note(`${command}: ${error.message}`);
    process.exit(1);
  });
  child.on('exit', (status, signal) => {
    process.off('SIGINT', onInterrupt);
    process.off('SIGTERM', onTerminate);
    if (signal === null) {
      process.exit(status);
    }
    process.kill(process.pid, signal);
  });
}

/** Runs a program to its end and gives what it printed, both streams in order of arrival. */
export function capture(command, args, options = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'], ...options });
    let output = '';
    const collect = (chunk) => {
      output += chunk;
    };
    child.stdout.setEncoding('utf8').on('data', collect);
    child.stderr.setEncoding('utf8').on('data', collect);
    child.on('error', (error) => resolve({ status: 127, output: `${command}: ${error.message}\n` }));
    child.on('close', (status) => resolve({ status: status ?? 128, output }));
  });
}

/** A program that a dependency brings; called directly, because npx costs half a second and has its own opinions to print. */
export function bin(name) {
  return join(root, 'node_modules/.bin', process.platform === 'win32' ? `${name}.cmd` : name);
}

/** True in the file that `node` was asked to run. */
export function isProgram(url) {
  return process.argv[1] !== undefined && url === pathToFileURL(process.argv[1]).href;
}

/** `node scripts/check-X.mjs [FOLDER]`: the check of a project folder, ours when none is named, as a program. */
export function runAsCheck(url, look) {
  if (isProgram(url)) {
    const { problems } = look(process.argv[2] ?? root);
    console.log(problems.length === 0 ? 'ok' : problems.join('\n'));
    process.exitCode = problems.length === 0 ? 0 : 1;
  }
}
