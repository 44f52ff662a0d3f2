import { execFileSync, spawn } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { needs } from './needs.ts';

const lab = needs('root', 'namespace', 'ss');
const crowd = new URL('../bench/fixtures/crowd.mjs', import.meta.url).pathname;
const program = new URL('../dist/cli.js', import.meta.url).pathname;
const ROOM = 64 * 1024 * 1024;

describe.skipIf(lab.missing)('among 100 000 sockets', () => {
  it('ls and ss give the same set, and a port filter the same ten', async () => {
    const child = spawn('unshare', ['-n', process.execPath, crowd], { stdio: ['pipe', 'pipe', 'inherit'] });
    try {
      await new Promise<void>((resolve, reject) => {
        child.stdout.once('data', () => resolve());
        child.once('exit', () => reject(new Error('the crowd ended before it was ready')));
      });
      const inside = (command: string, ...words: string[]): string =>
        execFileSync('nsenter', ['-t', String(child.pid), '-n', command, ...words], {
          encoding: 'utf8',
          maxBuffer: ROOM,
        });
      const theirs = inside('ss', '-tanH')
        .trim()
        .split('\n')
        .map((line) => line.split(/\s+/).slice(3, 5).join(' '));
      const ours = inside(process.execPath, program, 'ls', '-tanH', '--no-owners')
        .trim()
        .split('\n')
        .map((line) => line.split(/\s+/).slice(2, 4).join(' '));
      expect(ours.length).toBeGreaterThan(100_000);
      expect(ours.sort()).toEqual(theirs.sort());
      expect(inside(process.execPath, program, 'ls', '-H', ':7777').trim().split('\n')).toHaveLength(
        inside('ss', '-tanH', '( sport = :7777 or dport = :7777 )').trim().split('\n').length,
      );
    } finally {
      child.stdin.end();
      await new Promise((resolve) => child.once('exit', resolve));
    }
  }, 120_000);
});
