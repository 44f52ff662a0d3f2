/** The house rules hold: what the check scripts forbid, they find. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { report } from '../bench/table.ts';
import { findProgram, needs } from './needs.ts';

let tree = '';
beforeEach(() => {
  tree = mkdtempSync(join(tmpdir(), 'sockscope-house-'));
});
afterEach(() => rmSync(tree, { recursive: true, force: true }));

function plant(files: Record<string, string>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(tree, path)), { recursive: true });
    writeFileSync(join(tree, path), text);
  }
}

function check(script: string): { status: number | null; said: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join('scripts', script), tree], {
    encoding: 'utf8',
  });
  expect(stderr).toBe('');
  return { status, said: stdout.trim() };
}

describe('import arrows', () => {
  it('lets the arrows of the design pass, and an empty tree', () => {
    expect(check('check-imports.mjs')).toEqual({ status: 0, said: 'ok' });
    plant({
      'src/errors.ts': 'export class E {}',
      'src/wire/a.ts': 'export const a = 1;',
      'src/kernel/b.ts':
        "import { a } from '../wire/a.ts'; import { E } from '../errors.ts'; import 'node:net'; export { a, E };",
      'src/see/c.ts': "export * from '../kernel/b.ts'; import { isIP } from 'node:net'; export { isIP };",
      'src/cli/d.ts':
        "export const d = () => import('../see/c.ts'); export const hint = 'write to /proc/sys/x instead';",
    });
    expect(check('check-imports.mjs')).toEqual({ status: 0, said: 'ok' });
  });

  it.each([
    ['an import', "import { k } from '../kernel/k.ts'; export { k };"],
    ['a re-export', "export * from '../kernel/k.ts';"],
    ['a dynamic import', "export const k = () => import('../kernel/k.ts');"],
    ['a type', "import type { k } from '../kernel/k.ts'; export type K = typeof k;"],
    ['a type in place', "export type K = import('../kernel/k.ts').K;"],
  ])('names the file, the arrow and the table entry when a face reaches into kernel by %s', (_, text) => {
    plant({ 'src/kernel/k.ts': 'export const k = 1; export type K = 1;', 'src/cli/bad.ts': text });
    const { status, said } = check('check-imports.mjs');
    expect(status).toBe(1);
    expect(said).toContain('src/cli/bad.ts');
    expect(said).toContain('cli → kernel');
    expect(said).toContain("'cli' in `arrows`");
  });

  it('lets a rule name the types of see but not run its code', () => {
    plant({
      'src/see/s.ts': 'export const s = 1; export type S = number;',
      'src/explain/types.ts': "import type { S } from '../see/s.ts'; export type T = S;",
    });
    expect(check('check-imports.mjs').status).toBe(0);
    plant({ 'src/explain/code.ts': "import { s } from '../see/s.ts'; export { s };" });
    expect(check('check-imports.mjs').said).toContain('explain → see');
  });

  it.each([
    "import koffi from 'koffi'; export { koffi };",
    "import { spawn } from 'node:child_process'; export { spawn };",
    "import { isIP, connect } from 'node:net'; export { isIP, connect };",
    "import { createSocket } from 'dgram'; export { createSocket };",
    "export const path = '/proc/net/tcp';",
    'export const path = (pid: number) => `/proc/$' + '{pid}/fd`;',
  ])('keeps the doors to the system in kernel: %s', (text) => {
    plant({ 'src/kernel/mine.ts': text });
    expect(check('check-imports.mjs').status).toBe(0);
    plant({ 'src/see/bad.ts': text });
    const { status, said } = check('check-imports.mjs');
    expect(status).toBe(1);
    expect(said).toContain('src/see/bad.ts');
  });

  it('exempts tests', () => {
    plant({
      'src/see/x.test.ts': "import { spawn } from 'node:child_process'; import '../cli/y.ts'; spawn('x');",
    });
    expect(check('check-imports.mjs').status).toBe(0);
  });

  it('draws a cycle between files of one folder', () => {
    plant({
      'src/see/a.ts': "import './b.ts'; export const a = 1;",
      'src/see/b.ts': "import './c.ts'; export const b = 1;",
      'src/see/c.ts': "import './a.ts'; export const c = 1;",
    });
    expect(check('check-imports.mjs').said).toContain(
      'cycle: src/see/a.ts → src/see/b.ts → src/see/c.ts → src/see/a.ts',
    );
  });

  it('asks for an entry when a folder is new', () => {
    plant({ 'src/magic/a.ts': 'export const a = 1;' });
    expect(check('check-imports.mjs').said).toContain('the folder magic has no entry');
  });
});

describe('registries', () => {
  const list = "export const commands = [{ name: 'ls', load: () => import('./ls.ts') }];";
  const command = 'export function define() {}';

  it('passes when every command is named, and helpers beside them need not be', () => {
    plant({
      'src/cli/commands.ts': list,
      'src/cli/ls.ts': command,
      'src/cli/output.ts': 'export const print = 1;',
    });
    expect(check('check-lists.mjs')).toEqual({ status: 0, said: 'ok' });
  });

  it('names the command that nobody can reach and the line to add', () => {
    plant({ 'src/cli/commands.ts': list, 'src/cli/ls.ts': command, 'src/cli/kill.ts': command });
    const { status, said } = check('check-lists.mjs');
    expect(status).toBe(1);
    expect(said).toContain('src/cli/kill.ts');
    expect(said).toContain("import('./kill.ts')");
    expect(said).not.toContain('src/cli/ls.ts');
  });

  it('fails every member when the list itself is gone', () => {
    plant({ 'src/cli/ls.ts': command });
    expect(check('check-lists.mjs').status).toBe(1);
  });
});

describe('what a test needs', () => {
  beforeEach(() => {
    vi.spyOn(console, 'log').mockImplementation(() => undefined);
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    vi.restoreAllMocks();
  });

  it('is nothing when everything is there, in CI too', () => {
    vi.stubEnv('CI', 'true');
    expect(needs('sh', 'ls')).toEqual({ missing: null });
    expect(findProgram('sh')).toMatch(/^\/.*\/sh$/);
  });

  it('is named and printed when it is absent', () => {
    vi.stubEnv('CI', '');
    const { missing } = needs('sh', 'no-such-program', 'nor-this');
    expect(missing).toContain('no-such-program');
    expect(missing).toContain('nor-this');
    expect(console.log).toHaveBeenCalledWith(`skipped: ${missing}`);
  });

  it('is an error in CI when it is absent', () => {
    vi.stubEnv('CI', 'true');
    expect(() => needs('no-such-program')).toThrow(/no-such-program/);
  });

  it('finds programs of the system folders that a plain PATH leaves out, and no folders', () => {
    vi.stubEnv('PATH', '/usr');
    expect(findProgram('bin')).toBeNull();
    expect(findProgram('ldconfig')).toBe('/usr/sbin/ldconfig');
  });
});

describe('a bench table', () => {
  const measured = (name: string, role: 'ours' | 'peer', figures: number[]) => ({
    name,
    role,
    samples: figures.map((figure) => ({ figure, cpuMs: 1, lines: 3 })),
    peakKib: 2048,
  });
  const found = {
    question: 'Which is faster?',
    unit: 'ms',
    results: [measured('mine', 'ours', [10, 20, 90]), measured('theirs', 'peer', [20, 10, 100])],
    missing: ['other (no other here)'],
    memoryKnown: true,
  };

  it('takes the median of the ratios within each round, not the ratio of the medians', () => {
    const { text, met } = report({ ...found, budgets: [{ ours: 'mine', against: 'theirs', atMost: 0.95 }] });
    expect(text).toMatch(/mine ÷ theirs +0\.50 +0\.90 +2\.00/);
    expect(text).toContain('met (0.90)');
    expect(text).toContain('missing: other (no other here)');
    expect(met).toBe(true);
  });

  it('says when a budget is missed, in either direction, and when it could not be measured', () => {
    const missed = [
      { ours: 'mine', against: 'theirs', atMost: 0.8 },
      { ours: 'mine', against: 'theirs', atLeast: 2 },
      { ours: 'mine', against: 'theirs', plus: -11 },
    ];
    for (const budget of missed) {
      expect(report({ ...found, budgets: [budget] })).toMatchObject({
        met: false,
        text: expect.stringContaining('MISSED'),
      });
    }
    const { text, met } = report({ ...found, budgets: [{ ours: 'mine', against: 'other', atMost: 1 }] });
    expect(text).toContain('not measured');
    expect(met).toBe(true);
  });
});
