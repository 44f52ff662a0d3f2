/** One capture of real traffic (HTTP, Redis, a bulk transfer), read by everybody from front to back. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bench, type Contender } from './harness.ts';

const node = process.execPath;
const REDIS_REQUESTS = '180000';
const HTTP_SECONDS = '6';
const BULK_BYTES = '250000000';

let folder = '';
const file = (): string => join(folder, 'mixed.pcap');

/** Every contender reads the same file, so it is made once, before the first question. */
async function capture(): Promise<() => void> {
  folder = mkdtempSync(join(tmpdir(), 'sockscope-bench-'));
  const made = spawnSync(
    'unshare',
    ['-n', node, 'bench/fixtures/traffic.mjs', file(), REDIS_REQUESTS, HTTP_SECONDS, BULK_BYTES],
    { encoding: 'utf8' },
  );
  if (made.status !== 0) {
    rmSync(folder, { recursive: true, force: true });
    throw new Error(
      `the capture could not be made (root, tcpdump, redis, nginx and wrk are needed): ${made.stderr}`,
    );
  }
  process.stdout.write(`${made.stdout.trim()}; ${Math.round(statSync(file()).size / 1e6)} MB\n\n`);
  return () => rmSync(folder, { recursive: true, force: true });
}

function ours(name: string, ...flags: string[]): Contender {
  return { name, role: 'ours', command: () => [node, 'dist/cli.js', 'open', file(), ...flags] };
}

const stats = 'sockscope open --stats (every message read, paired, timed)';
const tearDown = await capture();
try {
  await bench({
    question:
      'How long does a capture of more than a million packets take, with reassembly and every message?',
    unit: 'ms',
    runs: 5,
    budget: [
      { ours: stats, against: 'tcpdump -nn -r (a line per packet)', atMost: 1 / 3 },
      { ours: stats, against: 'tshark -r (a line per packet)', atMost: 1 / 20 },
    ],
    contenders: [
      {
        name: 'tcpdump -nn -r (a line per packet)',
        role: 'peer',
        needs: 'tcpdump',
        command: () => ['tcpdump', '-nn', '-r', file()],
      },
      {
        name: 'tshark -r (a line per packet)',
        role: 'peer',
        needs: 'tshark',
        command: () => ['tshark', '-r', file()],
      },
      ours(stats, '--stats'),
      ours('sockscope open --connections', '--connections'),
      ours('sockscope open -q (a line per packet)', '-q'),
      ours('sockscope open (a line per packet and one per message)'),
      ours('sockscope open --messages', '--messages'),
    ],
  });
} finally {
  tearDown();
}
