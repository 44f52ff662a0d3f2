/** For the tests of copies: a watch that remembers, and a tree of files with names that break things. */
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join as joinPath } from 'node:path';
import { type ByteName, bufferOf, join, nameOf, textOf } from './byte-name.ts';
import type { CopyOrder } from './copy.ts';
import type { CopyWatch, CopyWishes } from './copy-order.ts';

export interface Remembered {
  readonly watch: CopyWatch;
  readonly failures: string[];
  readonly notes: string[];
  readonly done: string[];
  moved: number;
  resumed: number;
}

export function remember(onMoved: () => void = () => undefined): Remembered {
  const kept: Remembered = {
    failures: [],
    notes: [],
    done: [],
    moved: 0,
    resumed: 0,
    watch: {
      found() {},
      moved(bytes, resumed) {
        kept[resumed ? 'resumed' : 'moved'] += bytes;
        onMoved();
      },
      done(_what, name) {
        kept.done.push(name);
      },
      failed(name, reason) {
        kept.failures.push(`${name}: ${reason}`);
      },
      note(text) {
        kept.notes.push(text);
      },
    },
  };
  return kept;
}

const NOTHING_WISHED: CopyWishes = {
  recursive: false,
  preserve: false,
  links: false,
  resume: false,
  parallel: 8,
};

export function orderOf(
  direction: CopyOrder['direction'],
  from: string | readonly string[],
  to: string,
  wishes: Partial<CopyWishes> = {},
  protocol: CopyOrder['protocol'] = 'sftp',
): CopyOrder {
  const sources = (typeof from === 'string' ? [from] : from).map(nameOf);
  return { direction, protocol, sources, target: nameOf(to), wishes: { ...NOTHING_WISHED, ...wishes } };
}

/** Everything below a folder, as lines that can be compared: mode, seconds, content. */
export function treeOf(folder: string): string[] {
  const lines: string[] = [];
  const walk = (path: ByteName, shown: string): void => {
    for (const name of readdirSync(bufferOf(path), 'latin1').sort() as ByteName[]) {
      const inside = join(path, name);
      const stats = lstatSync(bufferOf(inside));
      const at = `${shown}/${textOf(name)}`;
      const about = `${at} ${(stats.mode & 0o7777).toString(8)}`;
      if (stats.isDirectory()) {
        lines.push(`${about} ${Math.trunc(stats.mtimeMs / 1000)} folder`);
        walk(inside, at);
      } else if (stats.isSymbolicLink()) {
        lines.push(`${at} -> ${readlinkSync(bufferOf(inside), 'latin1')}`);
      } else {
        const content = readFileSync(bufferOf(inside));
        const what =
          content.length > 60
            ? `${content.length} bytes ${sum(content)}`
            : JSON.stringify(content.toString('latin1'));
        lines.push(`${about} ${Math.trunc(stats.mtimeMs / 1000)} ${what}`);
      }
    }
  };
  walk(nameOf(folder), '');
  return lines;
}

function sum(bytes: Buffer): number {
  let hash = 0x811c9dc5;
  for (const byte of bytes) {
    hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  }
  return hash;
}

/** `hard` names only SFTP can carry: a line feed, and bytes that are not UTF-8. */
export function makeTree(folder: string, hard: boolean): void {
  mkdirSync(joinPath(folder, 'sub folder', 'deeper'), { recursive: true });
  mkdirSync(joinPath(folder, 'empty'));
  const names = [
    'plain.txt',
    ' a b ',
    "it's",
    'q"$HOME`id`\\',
    '-rf',
    '*',
    '[x]',
    'ünï',
    ...(hard ? ['line\nfeed'] : []),
  ];
  for (const name of names) {
    writeFileSync(joinPath(folder, name), `content of ${name}`);
  }
  if (hard) {
    writeFileSync(Buffer.concat([Buffer.from(`${folder}/`), Buffer.from([0x66, 0xff, 0xfe])]), 'not UTF-8');
  }
  writeFileSync(joinPath(folder, 'sub folder', 'big'), Buffer.alloc(700_001, 'sockscope'));
  writeFileSync(joinPath(folder, 'sub folder', 'deeper', 'zero'), '');
  chmodSync(joinPath(folder, 'plain.txt'), 0o640);
  chmodSync(joinPath(folder, "it's"), 0o444);
  utimesSync(joinPath(folder, 'plain.txt'), 1_000_000_000, 1_100_000_000);
  symlinkSync('plain.txt', joinPath(folder, 'to-file'));
  for (const name of ['sub folder/deeper', 'sub folder', 'empty']) {
    utimesSync(joinPath(folder, name), 1_200_000_000, 1_200_000_000);
  }
}
