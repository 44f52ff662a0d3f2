/** Does memory grow with the file? The same connections, one file four times as long as the other. */
import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, statSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bench } from './harness.ts';

const node = process.execPath;
const folder = mkdtempSync(join(tmpdir(), 'sockscope-bench-'));
const small = join(folder, 'small.pcap');
const quarter = join(folder, 'quarter.pcap');
const large = join(folder, 'large.pcap');
const LARGE = 2e9;

try {
  const made = spawnSync(
    'unshare',
    ['-n', node, 'bench/fixtures/traffic.mjs', small, '40000', '2', '60000000'],
    {
      encoding: 'utf8',
    },
  );
  if (made.status !== 0) {
    throw new Error(`the capture could not be made: ${made.stderr}`);
  }
  repeat(small, quarter, LARGE / 4);
  repeat(small, large, LARGE);
  await bench({
    question: 'How much memory does a file of 2 GB take, against a quarter of it?',
    unit: 'KiB',
    runs: 3,
    budget: [
      { ours: 'sockscope open --stats, 2 GB', against: 'sockscope open --stats, 0.5 GB', atMost: 1.5 },
    ],
    contenders: [
      {
        name: 'sockscope open --stats, 0.5 GB',
        role: 'floor',
        figure: () => peak(['dist/cli.js', 'open', quarter, '--stats']),
      },
      {
        name: 'sockscope open --stats, 2 GB',
        role: 'ours',
        figure: () => peak(['dist/cli.js', 'open', large, '--stats']),
      },
    ],
  });
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** Kilobytes resident at most, as the `time` program tells. */
async function peak(command: readonly string[]): Promise<number> {
  const ran = spawnSync('time', ['-q', '-f', '%M', node, ...command], {
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  });
  const figure = Number(ran.stderr.trim().split('\n').at(-1));
  if (!Number.isFinite(figure)) {
    throw new Error(`no figure from time: ${ran.stderr}`);
  }
  return figure;
}

/** The records of `from` again and again, one day later each time, so that connections are new ones. */
function repeat(from: string, to: string, size: number): void {
  const bytes = readFileSync(from);
  const fd = openSync(to, 'w');
  try {
    writeSync(fd, bytes, 0, 24);
    for (let written = 24; written < size; ) {
      written += writeSync(fd, bytes, 24, bytes.length - 24);
      for (let at = 24; at + 16 <= bytes.length; at += 16 + bytes.readUInt32LE(at + 8)) {
        bytes.writeUInt32LE(bytes.readUInt32LE(at) + 86_400, at);
      }
    }
  } finally {
    closeSync(fd);
  }
  process.stdout.write(
    `${Math.round(statSync(from).size / 1e6)} MB and ${Math.round(statSync(to).size / 1e6)} MB\n\n`,
  );
}
