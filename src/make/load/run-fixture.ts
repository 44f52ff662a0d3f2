/** For tests: the threads of `load`, built as the program has them, and plans that ask for little. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Wishes } from './kind.ts';
import type { LoadPlan } from './plan.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));

export interface Built {
  readonly folder: string;
  readonly worker: string;
  remove(): void;
}

/** Inside the project, so that the bundle finds koffi. */
export async function buildLoad(more: Readonly<Record<string, string>> = {}): Promise<Built> {
  const { rolldown } = await import('rolldown');
  mkdirSync(join(root, 'node_modules/.cache'), { recursive: true });
  const folder = mkdtempSync(join(root, 'node_modules/.cache/load-test-'));
  const bundle = await rolldown({
    cwd: root,
    input: { 'load-worker': 'src/cli/load-worker.ts', ...more },
    platform: 'node',
    external: ['koffi'],
    tsconfig: join(root, 'tsconfig.json'),
  });
  await bundle.write({ dir: folder, format: 'cjs', entryFileNames: '[name].js' });
  await bundle.close();
  writeFileSync(join(folder, 'package.json'), '{ "type": "commonjs" }');
  return {
    folder,
    worker: join(folder, 'load-worker.js'),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

export function planOf(
  kind: string,
  port: number,
  { wishes, ...plan }: Partial<Omit<LoadPlan, 'wishes'>> & { readonly wishes?: Partial<Wishes> },
): LoadPlan {
  return {
    kind,
    target: { kind: kind === 'udp' ? 'udp' : 'tcp', host: '127.0.0.1', port },
    shown: `127.0.0.1:${port}`,
    connections: 4,
    threads: 1,
    durationNs: 0,
    requests: 0,
    rate: 0,
    pipeline: 1,
    timeoutNs: 5e9,
    closeBy: 'client',
    sockopt: {},
    ...plan,
    wishes: {
      keepAlive: true,
      authority: `127.0.0.1:${port}`,
      path: '/',
      method: 'GET',
      headers: [],
      body: new Uint8Array(0),
      command: [],
      size: 64,
      ...wishes,
    },
  };
}
