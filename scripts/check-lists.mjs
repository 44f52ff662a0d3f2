/** Registries are literal lists: a file that is a member and is not named in its list is a feature nobody can reach. */
import { existsSync, readFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { parseAst } from 'rolldown/parseAst';
import { filesBelow, runAsCheck } from './lib.mjs';

/**
 * `folder`: where members live. `exports`: what makes a file a member. `list`: the file that must name it, as a relative import, or
 * several of which one must.
 */
export const registries = [
  {
    list: ['src/cli/commands.ts', 'src/cli/dial.ts', 'src/cli/ssh.ts'],
    folder: 'src/cli',
    exports: 'define',
  },
  { list: 'src/make/serve/kinds.ts', folder: 'src/make/serve', exports: 'kind' },
  { list: 'src/make/dial/kinds.ts', folder: 'src/make/dial', exports: 'kind' },
  { list: 'src/make/load/kinds.ts', folder: 'src/make/load', exports: 'kind' },
  { list: 'src/lab/experiments.ts', folder: 'src/lab/experiments', exports: 'experiment' },
  { list: 'src/lab/jobs.ts', folder: 'src/lab/jobs', exports: 'job' },
  { list: 'src/wire/app/decoders.ts', folder: 'src/wire/app', exports: 'decoder' },
];

export function checkLists(root, table = registries) {
  const problems = [];
  let members = 0;
  for (const { list, folder, exports } of table) {
    const lists = [list].flat();
    const named = lists.map((each) => namesIn(join(root, each))).join('\n');
    for (const file of filesBelow(join(root, folder))) {
      if (!/\.tsx?$/.test(file) || /\.test\.tsx?$/.test(file) || !exported(file).has(exports)) {
        continue;
      }
      members += 1;
      const specifier = `./${relative(dirname(join(root, lists[0])), file)}`;
      if (!named.includes(`'${specifier}'`)) {
        const here = relative(root, file);
        problems.push(
          `${here}: exports \`${exports}\` but ${lists.join(' or ')} does not name it; add a line with import('${specifier}') (or an import of it) to ${lists.map((each) => basename(each)).join(' or ')}.`,
        );
      }
    }
  }
  return { problems, members };
}

function namesIn(list) {
  return existsSync(list) ? readFileSync(list, 'utf8').replaceAll('"', "'") : '';
}

function exported(file) {
  const names = new Set();
  const program = parseAst(readFileSync(file, 'utf8'), { lang: file.endsWith('x') ? 'tsx' : 'ts' }, file);
  for (const node of program.body) {
    if (node.type !== 'ExportNamedDeclaration') {
      continue;
    }
    if (node.declaration?.id) {
      names.add(node.declaration.id.name);
    }
    for (const declarator of node.declaration?.declarations ?? []) {
      names.add(declarator.id.name);
    }
    for (const one of node.specifiers) {
      names.add(one.exported.name);
    }
  }
  return names;
}

runAsCheck(import.meta.url, checkLists);
