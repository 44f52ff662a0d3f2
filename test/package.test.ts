/** What people install: exactly the built files, and a project that imports them finds code and types. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

let project = '';
let packed: string[] = [];

function run(command: string, args: string[], cwd = '.'): string {
  return execFileSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

beforeAll(() => {
  project = mkdtempSync(join(tmpdir(), 'sockscope-package-'));
  run(process.execPath, [
    '--input-type=module',
    '-e',
    "await (await import('./scripts/lib.mjs')).builtOrExit()",
  ]);
  const listed: { filename: string; files: { path: string }[] }[] = JSON.parse(
    run('npm', ['pack', '--json', '--pack-destination', project]),
  );
  packed = listed[0]!.files.map((file) => file.path);
  const home = join(project, 'node_modules');
  mkdirSync(join(home, 'sockscope'), { recursive: true });
  mkdirSync(join(home, '@types'));
  run('tar', [
    '-xzf',
    join(project, listed[0]!.filename),
    '--strip-components=1',
    '-C',
    join(home, 'sockscope'),
  ]);
  symlinkSync(resolve('node_modules/koffi'), join(home, 'koffi'));
  symlinkSync(resolve('node_modules/@types/node'), join(home, '@types/node'));
  writeFileSync(join(project, 'package.json'), JSON.stringify({ type: 'module' }));
});
afterAll(() => rmSync(project, { recursive: true, force: true }));

describe('the package', () => {
  it('holds what is needed and nothing else', () => {
    const top = packed.filter((path) => !path.startsWith('dist/'));
    expect(top.filter((path) => path !== 'CHANGELOG.md').sort()).toEqual([
      'LICENSE',
      'README.md',
      'package.json',
    ]);
    expect(packed).toEqual(
      expect.arrayContaining([
        'dist/cli.js',
        'dist/index.mjs',
        'dist/types/index.d.ts',
        'dist/lab.mjs',
        'dist/types/lab/index.d.ts',
        'dist/THIRD-PARTY.txt',
      ]),
    );
    const allowed =
      /^dist\/([\w.-]+\.(js|mjs)|node-hook\.cjs|chunks\/[\w.-]+\.mjs|types\/[\w./-]+\.d\.ts|(types\/)?package\.json|THIRD-PARTY\.txt)$/;
    expect(packed.filter((path) => path.startsWith('dist/') && !allowed.test(path))).toEqual([]);
    expect(packed.filter((path) => path.includes('.test.'))).toEqual([]);
  });

  it('gives a program its code by name', () => {
    writeFileSync(
      join(project, 'use.js'),
      "import * as all from 'sockscope'; console.log(Object.keys(all).join());",
    );
    const names = run(process.execPath, ['use.js'], project).trim().split(',');
    expect(names).toEqual(expect.arrayContaining(['SockscopeError', 'kill', 'limits', 'sockets']));
    writeFileSync(
      join(project, 'use-lab.js'),
      "import * as all from 'sockscope/lab'; console.log(Object.keys(all).join());",
    );
    const ofLab = run(process.execPath, ['use-lab.js'], project).trim().split(',');
    expect(ofLab.sort()).toEqual(['SockscopeError', 'stage']);
  });

  it('gives a strict TypeScript program its types, with no other package installed', () => {
    writeFileSync(
      join(project, 'use.ts'),
      [
        "import { type Socket, SockscopeError, sockets } from 'sockscope';",
        'export const look: typeof sockets = sockets;',
        'export const port = (row: Socket): number => row.local.port;',
        "export const code: string = new SockscopeError('X', 'x', 'y', 2).code;",
        '// @ts-expect-error a port is a number: were the types missing, everything would be any, and this would pass',
        'export const wrong = (row: Socket): string => row.local.port;',
        "import { type Call, type Host, type RemoteStage, type StageWish, stage } from 'sockscope/lab';",
        'export const wish: StageWish = { hosts: { a: { more: 2 } }, wire: { delayMs: 5 }, sysctl: { tcp_retries2: 5 } };',
        'export const build: Promise<RemoteStage> = stage(wish);',
        'export const asks = async (host: Host): Promise<Call> => host.recv(await host.connected("server:80"));',
        'export const says = (lab: RemoteStage): string[] => lab.seen.calls({ host: "a" }).map((call) => call.name);',
        '// @ts-expect-error there is no such word in a wish',
        'export const unknown: StageWish = { host: {} };',
        '// @ts-expect-error an errno is a name or null, not a number',
        'export const errno = (call: Call): number => call.errno;',
      ].join('\n'),
    );
    const options = [
      '--noEmit',
      '--strict',
      '--skipLibCheck',
      'false',
      '--module',
      'nodenext',
      '--target',
      'es2023',
    ];
    const tsc = resolve('node_modules/.bin/tsc');
    expect(run(tsc, [...options, '--types', 'node', 'use.ts'], project)).toBe('');
  });

  it('runs as a program from where it was unpacked, and names the licences it carries', () => {
    const home = join(project, 'node_modules/sockscope');
    expect(run(join(home, 'dist/cli.js'), ['--help'])).toContain('sockscope');
    expect(run('cat', [join(home, 'dist/THIRD-PARTY.txt')])).toMatch(/^commander \d/m);
  });
});
