/** Builds dist/: the program and the library, bundled; type declarations; the licences of what was bundled. */
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import {
  bin,
  builtOrExit,
  capture,
  ensureInstalled,
  filesBelow,
  isProgram,
  note,
  requireNode,
  root,
} from './lib.mjs';

/**
 * The program is CommonJS: Node opens ES modules one by one and asynchronously, which costs a start 20 ms
 * (docs/decisions/0006). The library is ESM, and so is the live screen, because ink waits at the top level of a module.
 */
const program = {
  cli: 'src/cli/main.ts',
  'watch-worker': 'src/cli/watch-worker.ts',
  'tap-worker': 'src/cli/tap-worker.ts',
  'tap-stage': 'src/cli/tap-stage.ts',
  'lab-stage': 'src/cli/lab-stage.ts',
  'lab-actor': 'src/cli/lab-actor.ts',
  'lab-wire': 'src/cli/lab-wire.ts',
  'trace-worker': 'src/cli/trace-worker.ts',
  'make-worker': 'src/cli/make-worker.ts',
  'load-worker': 'src/cli/load-worker.ts',
};
const modules = {
  index: 'src/index.ts',
  lab: 'src/lab/index.ts',
  tui: 'src/tui/sockets.tsx',
  'tui-wire': 'src/tui/wire.tsx',
};

const ENTRIES = [
  'cli.js',
  'watch-worker.js',
  'tap-worker.js',
  'tap-stage.js',
  'lab-stage.js',
  'lab-actor.js',
  'lab-wire.js',
  'trace-worker.js',
  'make-worker.js',
  'load-worker.js',
  'node-hook.cjs',
  'index.mjs',
  'lab.mjs',
  'tui.mjs',
  'tui-wire.mjs',
];

/** koffi finds its binaries beside itself, so it stays a dependency. */
const external = ['koffi'];

/** ink loads React's developer tools (and a WebSocket client for them) when DEV=true is set; a shipped program must not react to that word. */
const inkWithoutDevtools = {
  name: 'ink-without-devtools',
  load: {
    filter: { id: /\/ink\/build\/(utils|devtools)\.js$/ },
    handler: (id) => (id.endsWith('utils.js') ? 'export const isDev = () => false;' : 'export {};'),
  },
};

/** The program reaches the live screens through the files that the other bundle makes of them. */
const liveScreensApart = {
  name: 'live-screens-apart',
  resolveId: {
    filter: { id: /\/tui\/(sockets|wire)\.tsx$/ },
    handler: (id) => ({ id: id.endsWith('/wire.tsx') ? './tui-wire.mjs' : './tui.mjs', external: true }),
  },
};

/** commander loads node:child_process (2 ms) for subcommands that are programs of their own; ours are not. */
const commanderAlone = {
  name: 'commander-alone',
  resolveId: {
    filter: { id: /^(node:)?child_process$/ },
    handler: (_id, importer) =>
      importer?.includes('/node_modules/commander/') ? '\0no-child-process' : null,
  },
  load: {
    filter: { id: /no-child-process$/ },
    handler: () => 'module.exports = {};',
  },
};

/** ssh2 and ws try compiled helpers of their own first and do without when there are none: packages here run no install script, so there are none. */
const withoutNative = {
  name: 'without-native',
  resolveId: {
    filter: { id: /^(cpu-features|bufferutil|utf-8-validate)$|\/sshcrypto\.node$/ },
    handler: () => '\0absent',
  },
  load: {
    filter: { id: /^\0absent$/ },
    handler: () => "throw new Error('there is no compiled helper');",
  },
};

/** What every start needs is one file, what `ls` needs one more. The rest stays apart until its command is typed. */
const chunkGroups = [
  {
    name: 'start',
    test: /node_modules\/commander\/|src\/(errors|cli\/(output|version|ls-words)|view\/colour)\.ts$/,
    priority: 2,
  },
  {
    name: 'table',
    test: /src\/(cli\/ls(-run|-wish)?\.ts|wire\/(net\/(address|text)|printable)\.ts|(kernel|see|session|view)\/(?!.*(wire|ring|socket-lookup|tap|epoll|stream-sockets|net-streams|net-listen|net-datagrams|http-server|tls|rtnetlink|packet-port|fd-passing|transparent|outside|program-owner|spawn-program|listeners|fifo|calls|cables|spawn-lab|frame-|ppoll|open-proc|traced|identified|process-cost|take-descriptor|spawn-on|packet-ring|random|state-trace|perf-|ptrace|syscall-|timeline|tcp-states|causes|begun|lanes|lab|kill|limit|netns|namespaces|addr|resolver|from-the-row|proc-parse|proc\.ts|container|signals|destroy|sysctls|counters|sparkline|changes|make\/|dial|load-|web-|net-connect|spawn-shell|http-exchange|retire|net-accept|pty|quantities|near|clock-from|abilities\.ts|abilities\/(?!ability))))/,
    priority: 1,
  },
];

export async function build() {
  const started = new Date();
  // Below node_modules, where neither git nor the linters look, and on the same file system as dist.
  const staging = join(root, `node_modules/.cache/build-${process.pid}`);
  rmSync(staging, { recursive: true, force: true });
  try {
    mkdirSync(staging, { recursive: true });
    const declaring = declare(join(staging, 'types'));
    const bundled = await Promise.allSettled([bundle(staging), declaring]);
    if (bundled[0].status === 'rejected') {
      throw bundled[0].reason;
    }
    const moduleIds = bundled[0].value;
    const types = await declaring;
    if (types.status !== 0) {
      note(
        `types: ${types.output.trim().split('\n').length} lines of complaints; \`npm run check\` shows them.`,
      );
    }
    writeFileSync(join(staging, 'THIRD-PARTY.txt'), licences(moduleIds));
    chmodSync(join(staging, 'cli.js'), 0o755);
    // It runs inside other people's programs, so it stays the one small file that it is.
    copyFileSync(join(root, 'src/tap/program/node-hook.cjs'), join(staging, 'node-hook.cjs'));
    // Staleness compares with the moment the sources were read, not the moment we finished writing.
    utimesSync(join(staging, 'cli.js'), started, started);
    install(staging, join(root, 'dist'));
  } finally {
    rmSync(staging, { recursive: true, force: true });
  }
}

async function bundle(folder) {
  writeFileSync(join(folder, 'package.json'), '{ "type": "commonjs" }\n');
  mkdirSync(join(folder, 'types'), { recursive: true });
  writeFileSync(join(folder, 'types/package.json'), '{ "type": "module" }\n');
  const made = await Promise.all([
    bundleAs(program, [liveScreensApart, commanderAlone, withoutNative], {
      dir: folder,
      format: 'cjs',
      entryFileNames: '[name].js',
      // Beside the entry, so that './tui.mjs' means the same file in all of them.
      chunkFileNames: 'cli-[name]-[hash].js',
      codeSplitting: { groups: chunkGroups },
      banner: (chunk) => (chunk.name === 'cli' ? '#!/usr/bin/env node' : ''),
    }),
    bundleAs(modules, [withoutNative], {
      dir: folder,
      format: 'esm',
      entryFileNames: '[name].mjs',
      chunkFileNames: 'chunks/[name]-[hash].mjs',
    }),
  ]);
  return made.flat();
}

/** The ids of the modules that went in. */
async function bundleAs(input, plugins, output) {
  const { rolldown } = await import('rolldown');
  const bundler = await rolldown({
    cwd: root,
    input,
    platform: 'node',
    external,
    plugins: [inkWithoutDevtools, ...plugins],
    tsconfig: join(root, 'tsconfig.json'),
    transform: {
      target: 'node20.19',
      define: { 'process.env.NODE_ENV': '"production"' },
    },
    onLog(level, log, handler) {
      // A worker entry shared with a lazy chunk, or a package's own eval: the package's business, and nothing we can change.
      if (level !== 'warn' || !log.id?.includes('node_modules')) {
        handler(level, log);
      }
    },
  });
  try {
    // Names stay, so a stack in a bug report can be read.
    const minify = { compress: true, mangle: false, codegen: { removeWhitespace: true } };
    const written = await bundler.write({ ...output, minify });
    return written.output.flatMap((chunk) => (chunk.type === 'chunk' ? chunk.moduleIds : []));
  } catch (error) {
    // rolldown's message says it all, in colour; its stack is rolldown's own.
    throw new Error(stripVTControlCharacters(error instanceof Error ? error.message : String(error)), {
      cause: error,
    });
  } finally {
    await bundler.close();
  }
}

function declare(folder) {
  return capture(bin('tsc'), ['-p', 'tsconfig.build.json', '--outDir', folder]);
}

/** The licence of every package that has code in the bundle, read from where the code came from. */
function licences(moduleIds) {
  const folders = new Set();
  for (const id of moduleIds) {
    const found = /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/.exec(id.replace(/^\0/, ''));
    if (found !== null) {
      folders.add(found[0]);
    }
  }
  const sections = [...folders].sort().map((folder) => {
    const about = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    const texts = readdirSync(folder)
      .filter((name) => /^(licen[cs]e|copying|notice)/i.test(name) && statSync(join(folder, name)).isFile())
      .map((name) => readFileSync(join(folder, name), 'utf8').trim());
    if (texts.length === 0) {
      texts.push(`Licence: ${about.license ?? 'not stated'} (the package carries no licence file)`);
    }
    return `${about.name} ${about.version} (${about.license ?? 'licence not stated'})\n\n${texts.join('\n\n')}\n`;
  });
  return `sockscope's built files contain code of these packages.\n\n${sections.join(`\n${'-'.repeat(80)}\n\n`)}`;
}

/**
 * Puts the new files in place one by one: what they refer to first, entries last, and only then what nobody refers to any more goes.
 * A program started meanwhile always finds an entry and the chunks that entry names (chunks carry their content's hash).
 */
function install(from, to) {
  const wanted = filesBelow(from).map((path) => relative(from, path));
  const isEntry = (path) => ENTRIES.includes(path);
  const ordered = [...wanted.filter((path) => !isEntry(path)), ...wanted.filter(isEntry)];
  for (const path of ordered) {
    mkdirSync(dirname(join(to, path)), { recursive: true });
    renameSync(join(from, path), join(to, path));
  }
  const kept = new Set(wanted);
  for (const path of filesBelow(to).map((found) => relative(to, found))) {
    if (!kept.has(path)) {
      rmSync(join(to, path), { force: true });
    }
  }
}

if (isProgram(import.meta.url)) {
  requireNode();
  ensureInstalled();
  await builtOrExit(build);
}
