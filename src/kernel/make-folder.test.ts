import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { needs } from '../../test/needs.ts';
import { makeFolder } from './make-folder.ts';

const root = mkdtempSync(join(tmpdir(), 'sockscope-folder-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

describe('a folder', () => {
  test('is made with all above it, closed to others; a second time there is nothing to do', () => {
    const path = join(root, 'a', 'b', 'c');
    expect(makeFolder(path)).toBe(true);
    for (const one of [path, join(root, 'a', 'b'), join(root, 'a')]) {
      expect(statSync(one).mode & 0o777).toBe(0o700);
    }
    expect(makeFolder(path)).toBe(false);
  });

  test('that was there keeps its mode', () => {
    const path = join(root, 'open');
    mkdirSync(path, { mode: 0o755 });
    expect(makeFolder(path)).toBe(false);
    expect(makeFolder(join(path, 'inner'))).toBe(true);
    expect(statSync(path).mode & 0o777).toBe(0o755);
  });

  test('below a file is an error', () => {
    writeFileSync(join(root, 'file'), '');
    expect(() => makeFolder(join(root, 'file', 'a', 'b'))).toThrow(/ENOTDIR/);
  });
});

const { missing } = needs('linux');

describe.skipIf(missing)('below /proc', () => {
  test.each(['/proc/nowhere', '/proc/nowhere/at/all', '/proc/self/nowhere'])(
    '%s is an error, and not an endless loop',
    (path) => {
      expect(() => makeFolder(path)).toThrow(/ENOENT/);
    },
  );
});
