/** One question, asked of ours and of the peers in the same run, taking turns on the same work. bench/README.md says how to read the table. */
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import koffi from 'koffi';
import { findProgram } from '../test/needs.ts';
import { type Budget, type Measured, report, type Sample } from './table.ts';

export type { Budget } from './table.ts';

export interface Contender {
  name: string;
  role: 'ours' | 'peer' | 'floor';
  /** A program that has to be installed; without it the contender is named as missing. */
  needs?: string;
  /** A whole process, measured from spawn to the end of its output. A function when `setup` has to run first. */
  command?: readonly string[] | (() => readonly string[]);
  /** Or a figure of its own, in `unit`. */
  figure?: () => Promise<number>;
  /** Exit statuses that count as done; only 0 when left out. */
  exits?: readonly number[];
}

export interface Plan {
  question: string;
  /** What the figures are; whole processes are always in `ms`. */
  unit: string;
  /** Rounds: each contender runs once in every round, after one warm-up. */
  runs: number;
  contenders: readonly Contender[];
  /** A number: the ratio that every `ours` may have, at most, to the first peer (or floor). Or the budgets in full. */
  budget?: number | readonly Budget[];
  /** Makes the work; what it returns takes it away again. */
  setup?: () => Promise<(() => Promise<void> | void) | undefined>;
}

const sections: string[] = [];

/** True when no budget was missed. */
export async function bench(plan: Plan): Promise<boolean> {
  const missing = plan.contenders.filter((one) => one.needs !== undefined && findProgram(one.needs) === null);
  const present = plan.contenders.filter((one) => !missing.includes(one));
  const results: Measured[] = present.map(({ name, role }) => ({ name, role, samples: [], peakKib: null }));
  const tearDown = await plan.setup?.();
  try {
    for (const [at, contender] of present.entries()) {
      results[at]!.peakKib = await warmUp(contender);
    }
    for (let round = 0; round < plan.runs; round += 1) {
      for (const [at, contender] of present.entries()) {
        results[at]!.samples.push(await once(contender));
      }
      progress(`round ${round + 1} of ${plan.runs}`);
    }
    progress('');
  } finally {
    await tearDown?.();
  }
  const { text, met } = report({
    question: plan.question,
    unit: plan.unit,
    results,
    missing: missing.map((one) => `${one.name} (no ${one.needs} here)`),
    budgets: budgetsOf(plan),
    memoryKnown: findProgram('time') !== null,
  });
  publish(text);
  if (!met) {
    process.exitCode = 1;
  }
  return met;
}

/** One line that is overwritten, on a terminal only; `''` takes it away. */
function progress(text: string): void {
  if (process.stderr.isTTY) {
    process.stderr.write(`\r${text}\u001b[K`);
  }
}

function budgetsOf({ budget, contenders }: Plan): readonly Budget[] {
  if (typeof budget !== 'number') {
    return budget ?? [];
  }
  const against =
    contenders.find((one) => one.role === 'peer') ?? contenders.find((one) => one.role === 'floor');
  if (against === undefined) {
    return [];
  }
  return contenders
    .filter((one) => one.role === 'ours')
    .map((one) => ({ ours: one.name, against: against.name, atMost: budget }));
}

/** A line below the last table: what its figures do not say. */
export function remark(text: string): void {
  publish(text);
}

function publish(text: string): void {
  sections.push(text);
  process.stdout.write(`${text}\n`);
  const name = process.env.SOCKSCOPE_BENCH;
  if (name !== undefined) {
    mkdirSync('bench/results', { recursive: true });
    writeFileSync(join('bench/results', `${name}.txt`), `${sections.join('\n\n')}\n`);
  }
}

/**
 * The warm-up also tells the peak memory, through the `time` program. Asking wait4() ourselves would lie: at execve the kernel folds the
 * peak of the memory image being replaced into the process's ru_maxrss (fs/exec.c, exec_mmap), so a child of this large process would
 * never show less than this process had. `time` is small, and keeps its own cost out of the timed rounds.
 */
async function warmUp(contender: Contender): Promise<number | null> {
  const time = findProgram('time');
  const command = commandOf(contender);
  if (command === null || time === null) {
    await once(contender);
    return null;
  }
  const folder = mkdtempSync(join(tmpdir(), 'sockscope-bench-'));
  const file = join(folder, 'peak');
  try {
    await wholeProcess([time, '-q', '-f', '%M', '-o', file, ...command], contender);
    return Number(readFileSync(file, 'utf8').trim());
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function once(contender: Contender): Promise<Sample> {
  const command = commandOf(contender);
  if (command !== null) {
    return wholeProcess(command, contender);
  }
  if (contender.figure === undefined) {
    throw new Error(`${contender.name} has neither a command nor a figure.`);
  }
  return { figure: await contender.figure() };
}

function commandOf({ command }: Contender): readonly string[] | null {
  return (typeof command === 'function' ? command() : command) ?? null;
}

function wholeProcess(command: readonly string[], { name, exits = [0] }: Contender): Promise<Sample> {
  return new Promise((resolve, reject) => {
    const cpuBefore = childrenCpuMs();
    const started = process.hrtime.bigint();
    const child = spawn(command[0]!, command.slice(1), { stdio: ['ignore', 'pipe', 'pipe'] });
    let bytes = 0;
    let lines = 0;
    let complaint = '';
    child.stdout.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      for (let at = chunk.indexOf(10); at !== -1; at = chunk.indexOf(10, at + 1)) {
        lines += 1;
      }
    });
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      complaint = (complaint + chunk).slice(-2000);
    });
    child.on('error', reject);
    child.on('close', (status, signal) => {
      const figure = Number(process.hrtime.bigint() - started) / 1e6;
      if (status === null || !exits.includes(status)) {
        reject(new Error(`${name} ended with ${signal ?? status}: ${complaint.trim()}`));
        return;
      }
      resolve({ figure, cpuMs: childrenCpuMs() - cpuBefore, bytes, lines });
    });
  });
}

const getrusage = process.platform === 'linux' ? koffi.load(null).func('int getrusage(int, void*)') : null;

/** User and system time of all children waited for so far. One child runs at a time, so the difference around it is its own. */
function childrenCpuMs(): number {
  const usage = new BigInt64Array(18);
  const everyChild = -1;
  if (getrusage === null || getrusage(everyChild, usage) !== 0) {
    return Number.NaN;
  }
  const [userSeconds = 0n, userMicros = 0n, systemSeconds = 0n, systemMicros = 0n] = usage;
  return Number(userSeconds + systemSeconds) * 1000 + Number(userMicros + systemMicros) / 1000;
}
