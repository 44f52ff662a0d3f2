/** Whoever is killed while an experiment runs, in whatever way and whenever: nothing is left. */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { createRandom } from '../../src/session/random.ts';
import { needs } from '../needs.ts';
import { alive, eventually, MARK, type Marked, machine, marked } from './host.ts';

const { missing } = needs('namespace', 'ip');
const terminal = needs('namespace', 'script');

const SEED = Number(process.env.SOCKSCOPE_SEED ?? Date.now() % 2 ** 31);
const random = createRandom(SEED, 'killed');
const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!;

const CLI = resolve('dist/cli.js');
/** They wait for seconds: in calls, on timers, with a host switched off, with frames under way. */
const TOLD = ['close-wait', 'keepalive', 'puzzler-1', 'zero-window', 'udp-loss', 'user-timeout'];
/** The whole life: starting Node, namespaces, hosts and programs, the story. */
const LIFE_MS = 2500;

type Victim = 'program' | 'unshare' | 'stage' | 'actor';

interface Murder {
  readonly victim: Victim;
  /** `pipe`: nobody reads its standard output any more. */
  readonly how: NodeJS.Signals | 'pipe';
  readonly experiment: string;
  readonly afterMs: number;
}

const IS: Readonly<Record<Victim, (command: string) => boolean>> = {
  program: (command) => command.includes(' lab '),
  unshare: (command) => command.startsWith('unshare'),
  stage: (command) => !command.startsWith('unshare') && command.includes('lab-stage.js'),
  actor: (command) => command.includes('lab-actor.js'),
};

const WAYS: readonly (readonly [Victim, Murder['how'], times: number])[] = [
  ['program', 'SIGKILL', 7],
  ['program', 'SIGTERM', 5],
  ['program', 'SIGINT', 5],
  ['program', 'pipe', 4],
  ['unshare', 'SIGKILL', 2],
  ['unshare', 'SIGTERM', 1],
  ['stage', 'SIGKILL', 3],
  ['stage', 'SIGTERM', 1],
  ['actor', 'SIGKILL', 2],
];
/** All thirty with `npm run test:long`. */
const LONG = process.env.SOCKSCOPE_LONG === '1';
const murders: readonly Murder[] = WAYS.flatMap(([victim, how, times]) =>
  Array.from({ length: LONG ? times : Math.ceil(times / 3) }, () => ({
    victim,
    how,
    experiment: pick(TOLD),
    // The others are there only after a while, and then it is counted from there.
    afterMs: Math.round(random() * (victim === 'program' ? LIFE_MS : LIFE_MS / 4)),
  })),
);

interface Running {
  readonly mark: string;
  readonly folder: string;
  readonly child: ChildProcess;
  readonly ended: Promise<unknown>;
}

function start(experiment: string): Running {
  const mark = randomUUID();
  const folder = mkdtempSync(join(tmpdir(), 'sockscope-killed-'));
  const child = spawn(process.execPath, [CLI, 'lab', experiment, '--no-ask', '--json'], {
    cwd: folder,
    env: { ...process.env, TMPDIR: folder, [MARK]: mark },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  child.stderr!.resume();
  return { mark, folder, child, ended: new Promise((done) => child.once('exit', done)) };
}

async function commit({ victim, how, afterMs }: Murder, { child, mark }: Running): Promise<Marked[]> {
  if (victim === 'program') {
    child.stdout!.once('data', () => {});
    await sleep(afterMs);
    const seen = marked(mark);
    if (how === 'pipe') {
      child.stdout!.destroy();
    } else {
      child.kill(how);
    }
    return seen;
  }
  child.stdout!.resume();
  const victims = (): Marked[] => marked(mark).filter(({ command }) => IS[victim](command));
  await eventually(victims, (found) => found.length > 0 || child.exitCode !== null);
  await sleep(afterMs);
  const seen = marked(mark);
  const one = seen.find(({ command }) => IS[victim](command));
  // Only what carries our mark is ever killed.
  if (one !== undefined && alive(one)) {
    process.kill(one.pid, how as NodeJS.Signals);
  }
  return seen;
}

describe.skipIf(missing !== null)(`killed at any moment (SOCKSCOPE_SEED=${SEED})`, () => {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8');
  const was = machine();

  for (const [index, murder] of murders.entries()) {
    const { victim, how, experiment, afterMs } = murder;
    it.concurrent(`${index + 1}: ${how} for the ${victim} of ${experiment} after ${afterMs} ms leaves nothing`, async ({
      expect,
    }) => {
      const running = start(experiment);
      try {
        const seen = await commit(murder, running);
        await running.ended;
        const left = await eventually(
          () => [...marked(running.mark), ...seen.filter(alive)],
          (found) => found.length === 0,
        );
        expect(left).toEqual([]);
        expect(readdirSync(running.folder)).toEqual([]);
      } finally {
        running.child.kill('SIGKILL');
        rmSync(running.folder, { recursive: true, force: true });
      }
    }, 60_000);
  }

  it('and the machine is as it was', () => {
    expect(murders.length).toBeGreaterThanOrEqual(LONG ? 25 : 9);
    expect(readFileSync('/proc/self/mountinfo', 'utf8')).toBe(mounts);
    expect(machine()).toEqual(was);
  });
});

describe.skipIf(terminal.missing !== null)('the terminal', () => {
  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('is as it was after %s at a question', async (signal) => {
    const mark = randomUUID();
    const words = `stty -g; ${process.execPath} ${CLI} lab close-wait; stty -g`;
    const shell = spawn('script', ['-qec', words, '/dev/null'], {
      env: { ...process.env, [MARK]: mark, TERM: 'xterm' },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    let output = '';
    shell.stdout.setEncoding('utf8').on('data', (text) => (output += text));
    const ended = new Promise((done) => shell.once('close', done));
    try {
      await eventually(
        () => output,
        (text) => /expect/i.test(text),
      );
      const program = marked(mark).find(({ command }) => command.startsWith(`${process.execPath} ${CLI}`))!;
      process.kill(program.pid, signal);
      await ended;
    } finally {
      shell.kill('SIGKILL');
    }
    const settings = output.match(/^[0-9a-f]+(:[0-9a-f]+){10,}/gm);
    expect(settings, output).toHaveLength(2);
    expect(settings![1]).toBe(settings![0]);
    expect(
      await eventually(
        () => marked(mark),
        (left) => left.length === 0,
      ),
    ).toEqual([]);
  });
});
