/** Recording at more than 500 000 packets a second on `lo`: what it costs, and whether anything is lost. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bench, type Contender, remark } from './harness.ts';

const node = process.execPath;
const PACKETS = 1_500_000;
const RATE = 600_000;
const TICK_MS = 10;

const folder = mkdtempSync(join(tmpdir(), 'sockscope-bench-'));
const rates: number[] = [];
const losses = new Map<string, number>();

interface Recorder {
  readonly name: string;
  readonly role: Contender['role'];
  readonly command: readonly string[];
  /** What it says when it listens, and what it says at the end about packets it did not get. */
  readonly ready: RegExp;
  readonly lost: RegExp;
}

const file = join(folder, 'live');
const recorders: readonly Recorder[] = [
  {
    name: 'tcpdump -w',
    role: 'peer',
    // The same memory for packets that wait as ours.
    command: ['tcpdump', '-i', 'lo', '-w', file, '-B', '32768', '-Z', 'root'],
    ready: /listening on/,
    lost: /(\d+) packets? dropped by kernel/,
  },
  {
    name: 'sockscope watch -w',
    role: 'ours',
    command: [node, 'dist/cli.js', 'watch', '-i', 'lo', '-w', file],
    ready: /watching lo/,
    lost: /([\d\u202f]+) (?:packets? )?lost/,
  },
];

/** CPU milliseconds of the recorder for a million packets; the flood runs in the same network namespace. */
async function record({ name, command, ready, lost }: Recorder): Promise<number> {
  const child = spawn(command[0]!, command.slice(1), { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  await until(() => ready.test(said), child);
  const before = cpuMs(child.pid!);
  const flood = spawnSync(node, ['bench/fixtures/flood.mjs', String(PACKETS), '64', String(RATE)], {
    encoding: 'utf8',
  });
  const { rate } = JSON.parse(flood.stdout) as { rate: number };
  rates.push(rate);
  // What was sent last is still in the ring: done when the recorder has been idle for a while.
  let last = cpuMs(child.pid!);
  for (let quiet = 0; quiet < 30; ) {
    await pause();
    const now = cpuMs(child.pid!);
    quiet = now === last ? quiet + 1 : 0;
    last = now;
  }
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const used = cpuMs(child.pid!) - before;
  child.kill('SIGINT');
  await ended;
  const counted = lost.exec(said)?.[1]?.replaceAll('\u202f', '');
  losses.set(name, (losses.get(name) ?? 0) + Number(counted ?? Number.NaN));
  return used / (PACKETS / 1e6);
}

/** User and system time of all its threads (proc_pid_stat(5), fields 14 and 15, in ticks of 10 ms). */
function cpuMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}

async function until(condition: () => boolean, child: ChildProcess): Promise<void> {
  for (let tries = 0; tries < 1000 && child.exitCode === null; tries++) {
    if (condition()) {
      return;
    }
    await pause();
  }
  throw new Error('the recorder did not start');
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 10));
}

try {
  await bench({
    question: `CPU time of recording a million packets on lo, sent as fast as this machine can (at most ${RATE} a second)`,
    unit: 'ms',
    runs: 5,
    budget: 1,
    contenders: recorders.map((recorder) => ({
      name: recorder.name,
      role: recorder.role,
      needs: recorder.command[0] === node ? 'node' : recorder.command[0]!,
      figure: () => record(recorder),
    })),
  });
  const lowest = Math.round(Math.min(...rates) / 1000);
  const highest = Math.round(Math.max(...rates) / 1000);
  const lost = [...losses].map(([name, count]) => `${name} ${count}`).join(', ');
  remark(`sent at ${lowest} 000 to ${highest} 000 packets a second; lost in all rounds: ${lost}\n`);
  if (losses.get('sockscope watch -w') !== 0) {
    process.exitCode = 1;
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
