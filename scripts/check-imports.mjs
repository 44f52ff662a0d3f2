/** Who may import whom: the arrows of the design, the doors to the operating system, and no cycles. Tests are exempt. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { parseAst } from 'rolldown/parseAst';
import { filesBelow, runAsCheck } from './lib.mjs';

/** folder → the folders it may import. `types` may be imported for their types only. Everybody may import src/errors.ts. */
export const arrows = {
  errors: { code: [] },
  wire: { code: [] },
  kernel: { code: ['wire'] },
  session: { code: ['wire'] },
  reactor: { code: ['kernel'] },
  see: { code: ['kernel', 'reactor', 'session', 'wire'] },
  watch: { code: ['kernel', 'reactor', 'session', 'wire'] },
  tap: { code: ['kernel', 'reactor', 'session', 'wire'] },
  make: { code: ['kernel', 'reactor', 'session', 'wire'] },
  // The lab looks with the eyes that the other commands have (docs/decisions/0018).
  lab: { code: ['kernel', 'reactor', 'see', 'session', 'watch', 'wire'] },
  explain: { code: ['session'], types: ['see'] },
  view: { code: ['session', 'wire'], types: ['explain'] },
  tui: { code: ['wire', 'session', 'reactor', 'see', 'watch', 'tap', 'make', 'lab', 'explain', 'view'] },
  web: { code: ['wire', 'session', 'reactor', 'see', 'watch', 'tap', 'make', 'lab', 'explain', 'view'] },
  // The command line is what opens the other two faces; nobody else imports a face.
  cli: {
    code: [
      'wire',
      'session',
      'reactor',
      'see',
      'watch',
      'tap',
      'make',
      'lab',
      'explain',
      'view',
      'tui',
      'web',
    ],
  },
  index: { code: ['wire', 'session', 'reactor', 'see', 'watch', 'tap', 'make', 'lab', 'explain', 'view'] },
};

/** module → the folders that may import it, and the names anybody may take from it because they ask the system nothing. */
export const doors = {
  koffi: { folders: ['kernel'], free: [] },
  'node:child_process': { folders: ['kernel'], free: [] },
  'node:net': { folders: ['kernel'], free: ['isIP', 'isIPv4', 'isIPv6', 'BlockList', 'SocketAddress'] },
  'node:dgram': { folders: ['kernel'], free: [] },
  'node:http': { folders: ['kernel'], free: [] },
  'node:tls': { folders: ['kernel'], free: [] },
};

const isSource = (path) => /\.tsx?$/.test(path) && !/\.test\.tsx?$/.test(path);

/** One sentence per fault; none when all is well. */
export function checkImports(root) {
  const source = join(root, 'src');
  const files = filesBelow(source).filter(isSource);
  const problems = [];
  const graph = new Map();
  for (const file of files) {
    const here = relative(root, file);
    const folder = folderOf(source, file);
    const { imports, strings } = read(file);
    const targets = [];
    if (arrows[folder] === undefined) {
      problems.push(
        `${here}: the folder ${folder} has no entry in \`arrows\` (scripts/check-imports.mjs); say what it may import.`,
      );
      continue;
    }
    for (const one of imports) {
      if (one.from.startsWith('.')) {
        const target = resolve(dirname(file), one.from);
        if (existsSync(target)) {
          targets.push(target);
        }
        if (target !== join(root, 'package.json')) {
          problems.push(...judgeArrow(here, folder, folderOf(source, target), one));
        }
      } else {
        problems.push(...judgeDoor(here, folder, one));
      }
    }
    if (folder !== 'kernel') {
      for (const text of strings.filter((value) => /^\/proc(\/|$)/.test(value) && !/\s/.test(value))) {
        problems.push(
          `${here}: names the path ${text}; only src/kernel reads /proc. Ask kernel for it (a sentence that mentions the path is fine).`,
        );
      }
    }
    graph.set(file, targets);
  }
  for (const cycle of cycles(graph)) {
    problems.push(
      `cycle: ${cycle.map((file) => relative(root, file)).join(' → ')}; move what they share into a file of its own.`,
    );
  }
  return { problems, files: files.length };
}

function judgeArrow(here, from, to, { from: specifier, typeOnly }) {
  const { code, types = [] } = arrows[from];
  if (to === from || to === 'errors' || code.includes(to) || (typeOnly && types.includes(to))) {
    return [];
  }
  const list = typeOnly ? 'code` or `types' : 'code';
  return [
    `${here}: imports ${specifier}, and ${from} → ${to} is not an arrow of the design. If it should be one, add '${to}' to \`${list}\` of '${from}' in \`arrows\` (scripts/check-imports.mjs).`,
  ];
}

function judgeDoor(here, folder, { from: specifier, typeOnly, names }) {
  const door = doors[specifier] ?? doors[`node:${specifier}`];
  if (door === undefined || typeOnly || door.folders.includes(folder)) {
    return [];
  }
  if (names.length > 0 && names.every((name) => door.free.includes(name))) {
    return [];
  }
  return [
    `${here}: imports ${specifier}; only ${door.folders.map((name) => `src/${name}`).join(', ')} may. Ask kernel for it, or change '${specifier}' in \`doors\` (scripts/check-imports.mjs).`,
  ];
}

/** `see` for src/see/filter/parse.ts; `errors` for src/errors.ts; `..` outside src. */
function folderOf(source, file) {
  const [first = ''] = relative(source, file).split('/');
  return first.replace(/\.tsx?$/, '');
}

function read(file) {
  const text = readFileSync(file, 'utf8');
  const imports = [];
  const strings = [];
  visit(parseAst(text, { lang: file.endsWith('x') ? 'tsx' : 'ts' }, file), (node) => {
    switch (node.type) {
      case 'ImportDeclaration':
      case 'ExportNamedDeclaration':
      case 'ExportAllDeclaration':
        if (node.source) {
          imports.push(describe(node));
        }
        break;
      case 'ImportExpression':
        if (node.source.type === 'Literal') {
          imports.push({ from: String(node.source.value), typeOnly: false, names: [] });
        }
        break;
      case 'TSImportType':
        imports.push({
          from: String(node.source?.value ?? node.argument?.literal?.value ?? ''),
          typeOnly: true,
          names: [],
        });
        break;
      case 'Literal':
        if (typeof node.value === 'string') {
          strings.push(node.value);
        }
        break;
      case 'TemplateLiteral':
        strings.push(node.quasis.map((part) => part.value.cooked ?? '').join('…'));
        break;
    }
  });
  return { imports, strings };
}

function describe(node) {
  const specifiers = node.specifiers ?? [];
  const typeOnly =
    (node.importKind ?? node.exportKind) === 'type' ||
    (specifiers.length > 0 && specifiers.every((one) => (one.importKind ?? one.exportKind) === 'type'));
  const names = specifiers.map((one) => (one.imported ?? one.local)?.name ?? '*');
  return { from: String(node.source.value), typeOnly, names };
}

function visit(node, look) {
  if (Array.isArray(node)) {
    for (const one of node) {
      visit(one, look);
    }
  } else if (node !== null && typeof node === 'object') {
    if (typeof node.type === 'string') {
      look(node);
    }
    for (const value of Object.values(node)) {
      visit(value, look);
    }
  }
}

/** One ring for every file that is reached again while its own imports are being followed. */
function cycles(graph) {
  const found = [];
  const done = new Set();
  const path = [];
  const follow = (file) => {
    const at = path.indexOf(file);
    if (at !== -1) {
      found.push([...path.slice(at), file]);
      return;
    }
    if (done.has(file)) {
      return;
    }
    path.push(file);
    for (const next of graph.get(file) ?? []) {
      follow(next);
    }
    path.pop();
    done.add(file);
  };
  for (const file of graph.keys()) {
    follow(file);
  }
  return found;
}

runAsCheck(import.meta.url, checkImports);
