/** What a copy over SSH costs: one large file, and many small ones, down and up, against OpenSSH's own programs on the same server. */
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startSshd } from '../test/sshd.ts';
import { bench, type Contender } from './harness.ts';

const ROUNDS = 3;
const LARGE = 1_000_000_000;
const SMALL = 10_000;

/** Memory, so that no disk is measured. */
const MEMORY = '/dev/shm';
const folder = mkdtempSync(join(existsSync(MEMORY) ? MEMORY : tmpdir(), 'sockscope-bench-'));
const out = join(folder, 'out');
const batch = join(folder, 'batch');
const large = join(folder, 'large');
const small = join(folder, 'small');

const sshd = await startSshd();

/** Made of numbers that repeat only after 16 MB: nothing here compresses. */
function makeLarge(): void {
  const block = new Uint32Array(4_000_000);
  let state = 1;
  for (let at = 0; at < block.length; at += 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    block[at] = state;
  }
  const bytes = new Uint8Array(block.buffer);
  for (let written = 0; written < LARGE; written += bytes.length) {
    writeFileSync(large, bytes.subarray(0, Math.min(bytes.length, LARGE - written)), { flag: 'a' });
  }
}

function makeSmall(): void {
  for (let number = 0; number < SMALL; number += 1) {
    const inside = join(small, `folder-${number % 10}`);
    mkdirSync(inside, { recursive: true });
    writeFileSync(join(inside, `file-${number}`), 'x'.repeat(1000 + ((number * 7) % 3000)));
  }
}

/** What was there goes first, outside of the time that is measured. */
function clean(): void {
  rmSync(out, { recursive: true, force: true });
}

type Direction = 'down' | 'up';

function contenders(from: string, direction: Direction): Contender[] {
  const [source, target] = direction === 'down' ? [`any:${from}`, out] : [from, `any:${out}`];
  const folders = from === small;
  const line =
    direction === 'down'
      ? `get ${folders ? '-r ' : ''}${from} ${out}\n`
      : `${folders ? `mkdir ${out}\nput -r ${from}/. ${out}` : `put ${from} ${out}`}\n`;
  return [
    {
      name: 'sockscope ssh copy',
      role: 'ours',
      command: () => {
        clean();
        return [
          process.execPath,
          'dist/cli.js',
          'ssh',
          'copy',
          '-q',
          '-r',
          '-F',
          sshd.config,
          source,
          target,
        ];
      },
    },
    {
      name: 'sockscope ssh copy --protocol scp',
      role: 'ours',
      command: () => {
        clean();
        const words = ['ssh', 'copy', '-q', '-r', '--protocol', 'scp', '-F', sshd.config, source, target];
        return [process.execPath, 'dist/cli.js', ...words];
      },
    },
    {
      name: 'OpenSSH scp',
      role: 'peer',
      needs: 'scp',
      command: () => {
        clean();
        return ['scp', '-q', '-r', '-F', sshd.config, source, target];
      },
    },
    {
      name: 'OpenSSH sftp -b',
      role: 'peer',
      needs: 'sftp',
      command: () => {
        clean();
        writeFileSync(batch, line);
        return ['sftp', '-q', '-F', sshd.config, '-b', batch, 'any'];
      },
    },
  ];
}

/** Of time: 0.8 of the speed is 1.25 of the time. */
async function ask(what: string, from: string, direction: Direction, limit: number): Promise<void> {
  await bench({
    question: `${what}, ${direction}, loopback, files in memory`,
    unit: 'ms',
    runs: ROUNDS,
    budget: [
      { ours: 'sockscope ssh copy', against: 'OpenSSH scp', atMost: limit },
      { ours: 'sockscope ssh copy', against: 'OpenSSH sftp -b', atMost: limit },
    ],
    contenders: contenders(from, direction),
  });
}

try {
  makeLarge();
  await ask('One file of 1 GB', large, 'down', 1.25);
  await ask('One file of 1 GB', large, 'up', 1.25);
  rmSync(large);
  makeSmall();
  await ask('10 000 files of 1 to 4 kB in 10 folders', small, 'down', 1);
  await ask('10 000 files of 1 to 4 kB in 10 folders', small, 'up', 1);
} finally {
  await sshd.stop();
  rmSync(folder, { recursive: true, force: true });
}
