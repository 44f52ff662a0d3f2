/** Every experiment and its twin, many times in a row, on a machine that is busy with something else: none may depend on luck. */
import { type ChildProcess, spawn } from 'node:child_process';
import { resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { experiments } from '../../src/lab/experiments.ts';
import { needs } from '../needs.ts';

const { missing } = needs('namespace');
const TIMES = Number(process.env.SOCKSCOPE_TIMES ?? 20);
const ONLY = new RegExp(process.env.SOCKSCOPE_ONLY ?? '');
const AT_ONCE = 4;
const BUSY = 2;
const LONGEST_MS = 120_000;
const HOUR = 3_600_000;
/** Ends with its standard input, and so with us, by whatever hand. */
const BUSILY = `
  process.stdin.on('end', () => process.exit()).resume();
  (function spin() { for (const end = Date.now() + 50; Date.now() < end; ); setImmediate(spin); })();
`;

const asRoot = process.getuid?.() === 0;
const NOBODY = ['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups', '--'];
const users = [
  { user: asRoot ? 'root' : 'this user', before: [] },
  ...(asRoot ? [{ user: 'unprivileged', before: NOBODY }] : []),
];

const names = (await Promise.all(experiments.map(async (load) => (await load()).experiment.name))).filter(
  (name) => ONLY.test(name),
);
const runs = Array.from({ length: TIMES }, (_, time) => time + 1).flatMap((time) =>
  names.flatMap((name) => [false, true].map((twin) => ({ name, twin, time }))),
);

interface Failure {
  readonly name: string;
  readonly time: number;
  readonly why: string;
}

type Run = (typeof runs)[number];

/** `port-bomb` and `port-bomb-pooled` use the same few ports. */
const familyOf = (name: string): string => name.split('-')[0]!;

/** Root's trace is the whole machine's: two stages at once with the very same ends would see each other's changes of state. */
function next(queue: Run[], running: ReadonlySet<string>): Run | undefined {
  const free = queue.findIndex(({ name }) => !running.has(familyOf(name)));
  return free === -1 ? queue.shift() : queue.splice(free, 1)[0];
}

/** Null: it passed. Skipped is not passed, except for a lack that is the user's own. */
async function told(before: readonly string[], name: string, twin: boolean): Promise<string | null> {
  const words = [resolve('dist/cli.js'), 'lab', name, '--no-ask', '--json', ...(twin ? ['--twin'] : [])];
  const [command, ...args] = [...before, process.execPath, ...words] as [string, ...string[]];
  const child = spawn(command, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: LONGEST_MS,
    killSignal: 'SIGKILL',
  });
  let last = '';
  let complaint = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const lines = (last + text).split('\n');
    last = lines.at(-1) === '' ? `${lines.at(-2)}\n` : lines.at(-1)!;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint = (complaint + text).slice(-500);
  });
  const code = await new Promise<number | null>((done) => child.once('close', done));
  if (code === 0) {
    return null;
  }
  try {
    const { how, why, checks } = JSON.parse(last) as {
      how: string;
      why?: string;
      checks: { ok: boolean; claim: string; seen: string }[];
    };
    const failed = checks.filter(({ ok }) => !ok).map(({ claim, seen }) => `${claim}: ${seen}`);
    return how === 'skipped' ? null : [how, why, ...failed].filter((part) => part !== undefined).join('; ');
  } catch {
    return `exit ${code}: ${complaint.trim()}`;
  }
}

describe.skipIf(missing !== null)(`${TIMES} times ${names.length} experiments and their twins`, () => {
  const busy: ChildProcess[] = [];
  beforeAll(() => {
    for (let index = 0; index < BUSY; index++) {
      busy.push(spawn(process.execPath, ['-e', BUSILY], { stdio: ['pipe', 'ignore', 'ignore'] }));
    }
  });
  afterAll(() => {
    for (const child of busy) {
      child.kill('SIGKILL');
    }
  });

  it.each(users)(
    '$user: each passes every time',
    async ({ before }) => {
      const failures: Failure[] = [];
      const queue = [...runs];
      const running = new Set<string>();
      async function work(): Promise<void> {
        for (let run = next(queue, running); run !== undefined; run = next(queue, running)) {
          const family = familyOf(run.name);
          running.add(family);
          const why = await told(before, run.name, run.twin);
          running.delete(family);
          if (why !== null) {
            failures.push({ name: `${run.name}${run.twin ? ' (twin)' : ''}`, time: run.time, why });
            console.log(`${failures.at(-1)!.name}, time ${run.time}: ${why}`);
          }
        }
      }
      await Promise.all(Array.from({ length: AT_ONCE }, work));
      if (failures.length > 0) {
        console.table(failures);
      }
      expect(failures).toEqual([]);
    },
    4 * HOUR,
  );
});
